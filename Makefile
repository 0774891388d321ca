# make run   the LLZO | LiCoO2 study, from an empty folder to its report
# make test  all checks and tests
# make bench the flux solver beside others
# Each does its own set-up; both may be repeated.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= runs/llzo-lco
BENCH ?= --scaling --profile
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run quickstart atoms-to-cell grain-size space-charge impedance feng-2024 boundary-accuracy fuzz bench-schemes bench-study bench atomistics test test-mlip check unit slow lowest clean

run: $(VENV)/.core
	$(BIN)/multiscale run $(STUDY)

atoms-to-cell: $(VENV)/.test
	$(BIN)/multiscale run runs/atoms-to-cell
	$(BIN)/python runs/atoms-to-cell/make_discharge.py

quickstart: $(VENV)/.core
	$(BIN)/multiscale run runs/quickstart

grain-size: $(VENV)/.core
	$(BIN)/python runs/grain-size/make_curves.py
	$(BIN)/python runs/grain-size/make_trends.py

space-charge: $(VENV)/.core
	$(BIN)/python runs/space-charge/make_trends.py

impedance: $(VENV)/.core
	$(BIN)/python runs/impedance/make_spectra.py

feng-2024: $(VENV)/.core
	$(BIN)/python runs/feng-2024/make_findings.py

boundary-accuracy: $(VENV)/.core
	$(BIN)/python runs/boundary-accuracy/make_table.py

bench-schemes: $(VENV)/.core
	$(BIN)/python tests/benchmarks/bench_schemes.py

# 600 samples, scaled from a few
bench-study: $(VENV)/.core
	$(BIN)/python tests/benchmarks/bench_study.py -o tests/benchmarks/study.md

# ten thousand spoilt input files
fuzz: $(VENV)/.test
	$(BIN)/python tests/benchmarks/fuzz_inputs.py -o tests/benchmarks/fuzz.md

# beside other solvers, in an environment of its own; BENCH=--quick to see whether it runs
bench: .venv-bench/.done
	.venv-bench/bin/python tests/benchmarks/bench_solver.py $(BENCH)

# molecular dynamics of the phases and boundaries: hours; goes on where it was stopped
atomistics: .venv-mlip/.done
	.venv-mlip/bin/multiscale atomistics runs/llzo-lco-atomistics

# tests that need the extra mlip (torch, mace-torch, chgnet …), in an environment of its own
test-mlip: .venv-mlip/.done
	.venv-mlip/bin/python -m pytest -q -n 2 --dist worksteal -m "mlip and not slow"

test: check unit

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_docstrings.py

unit: $(VENV)/.test
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow" --cov --cov-report=term --durations=15

slow: $(VENV)/.test
	$(BIN)/python -m pytest -q -m slow

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.core

# Other solvers: each that does not install is left out, and the benchmark says so. pyamgcl is
# compiled, in minutes, and needs the headers of Boost (CPLUS_INCLUDE_PATH names their folder
# where the compiler does not find them); OpenImpala's core needs the system's Open MPI.
.venv-bench/.done: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --editable . pybind11 setuptools wheel
	for peer in pyamgcl 'torch==2.13.*' taufactor openimpala; do \
	  .venv-bench/bin/python -m pip install --quiet --no-build-isolation "$$peer" \
	    > .venv-bench/install.log 2>&1 || { echo "left out: $$peer does not install"; \
	    mv .venv-bench/install.log ".venv-bench/failed-$${peer%%=*}.log"; }; \
	done
	touch $@

.venv-mlip/.done: pyproject.toml
	$(PYTHON) -m venv .venv-mlip
	.venv-mlip/bin/python -m pip install --quiet --editable '.[mlip,test]'
	touch $@

# the tests on the lowest versions that pyproject.toml allows
lowest: $(BIN)/python
	$(PYTHON) -m venv .venv-lowest
	$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*(d.replace('>=', '==') for d in p['dependencies']), sep='\n')" > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --editable . --constraint .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --constraint .venv-lowest/lowest.txt pytest pytest-xdist hypothesis numpydoc vtk
	.venv-lowest/bin/python -m pytest -q -n 2 -m "not slow"

clean:
	rm -rf $(VENV) .venv-lowest .venv-bench .venv-mlip .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
