# make run   the LLZO | LiCoO2 study, from an empty folder to its report
# make test  all checks and tests
# Each does its own set-up; both may be repeated.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= runs/llzo-lco
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run quickstart grain-size boundary-accuracy bench-schemes test check unit slow lowest clean

run: $(VENV)/.core
	$(BIN)/multiscale run $(STUDY)

quickstart: $(VENV)/.core
	$(BIN)/multiscale run runs/quickstart

grain-size: $(VENV)/.core
	$(BIN)/python runs/grain-size/make_curves.py

boundary-accuracy: $(VENV)/.core
	$(BIN)/python runs/boundary-accuracy/make_table.py

bench-schemes: $(VENV)/.core
	$(BIN)/python tests/benchmarks/bench_schemes.py

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

# the tests on the lowest versions that pyproject.toml allows
lowest: $(BIN)/python
	$(PYTHON) -m venv .venv-lowest
	$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*(d.replace('>=', '==') for d in p['dependencies']), sep='\n')" > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --editable . --constraint .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --constraint .venv-lowest/lowest.txt pytest pytest-xdist hypothesis numpydoc vtk
	.venv-lowest/bin/python -m pytest -q -n 2 -m "not slow"

clean:
	rm -rf $(VENV) .venv-lowest .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
