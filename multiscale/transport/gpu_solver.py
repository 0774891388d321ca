"""Solve a scalar voxel field on a GPU: the algorithm of ``voxel_solver`` in torch.

The field is uploaded once; links, coarse grids, iteration, residual, energy and
fluxes are made on the device, the last three from the field itself in double
precision. The rule when to stop is the same code. Islands and fragments are
found on the CPU.

What needs room beside the field (residual, energies) goes over it in slabs.
Any torch device will do; ``effective_diffusivity`` offers CUDA ones.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import InputError, MemoryLimitError, describe, nearest, warn_device
from multiscale.numerics.checkerboard_multigrid import Axes, packed_shape
from multiscale.numerics.checkerboard_torch import (
    TorchCG,
    TorchMultigrid,
    coarse_memory,
    join,
    parities,
    split,
)
from multiscale.numerics.memory import check_memory, free_memory
from multiscale.transport._voxel_kernels import (
    ENERGY,
    FLUX,
    PARALLEL,
    RESIDUAL,
    SCALE,
    SOURCE,
    SUMS,
)
from multiscale.transport.voxel_solver import Ends, _FieldSolver, _Layout, field_size

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]

DEVICES = ("cpu", "cuda")
SLAB = 2**23
"""Cells that are looked at in one go."""
IN_A_SLAB = 20
"""Double-precision arrays of a slab that are alive at once."""
TINY = 1e-300
"""Keeps 0/0 at zero."""


def check_device(device: str) -> None:
    """Check the name of a device.

    Parameters
    ----------
    device : str
        As given.

    Raises
    ------
    InputError
        Unless it is ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    """
    if not (isinstance(device, str) and re.fullmatch(r"cpu|cuda(:\d{1,3})?", device)):
        meant = "cuda" if "gpu" in str(device).lower() else str(device)
        raise InputError(
            describe("device", "one of cpu, cuda, cuda:N", device, nearest(meant, DEVICES))
        )


def field_solver(device: str) -> tuple[Callable[..., _FieldSolver] | None, str]:
    """Choose what solves scalar fields, and warn once if it cannot be what was asked for.

    Parameters
    ----------
    device : {"cpu", "cuda", "cuda:N"}
        Where to solve.

    Returns
    -------
    solver : callable or None
        For :func:`multiscale.transport.voxel_solver.solve_field`; None for the CPU's own.
    str
        Where it will run.

    Warns
    -----
    DeviceWarning
        If torch or the device is missing: the CPU solves then.
    """
    check_device(device)
    if device == "cpu":
        return None, "cpu"
    missing = _missing(device)
    if missing:
        warn_device(f"device {device!r}: {missing}")
        return None, "cpu"
    import torch

    number = device.partition(":")[2] or str(torch.cuda.current_device())
    return functools.partial(TorchFieldSolver, device=f"cuda:{number}"), f"cuda:{number}"


def stay_on_cpu(device: str, what: str) -> None:
    """Warn where a device was asked for and only the CPU can.

    Parameters
    ----------
    device : str
        As asked for.
    what : str
        What is solved.

    Warns
    -----
    DeviceWarning
        Unless the CPU was asked for.
    """
    check_device(device)
    if device != "cpu":
        warn_device(
            f"device {device!r}: expected a scalar field without films that conduct along "
            f"themselves, received {what}; solving on the CPU, leave device out"
        )


def _missing(device: str) -> str:
    """Say what a CUDA device lacks; nothing if it is there."""
    try:
        import torch
    except (ImportError, OSError) as error:  # not installed, or its libraries do not load
        reason = " ".join(str(error).split())[:80]
        return (
            f"expected torch, received none ({reason}); solving on the CPU, "
            "pip install 'multiscale[gpu]' or leave device out"
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        return (
            f"expected a CUDA device, received none from torch {torch.__version__}; solving on "
            "the CPU, see whether nvidia-smi lists one and torch is a CUDA build"
        )
    number = int(device.partition(":")[2] or 0)
    if number >= count:
        valid = ", ".join(f"cuda:{n}" for n in range(count))
        return f"expected one of {valid}, which this machine has; solving on the CPU"
    return ""


class TorchFieldSolver(_FieldSolver):
    """Links, preconditioner and iteration of one field between given ends.

    Parameters
    ----------
    layout : _Layout
        The field.
    ends : tuple of str
        What lies behind the last voxel of each axis.
    mask : (nx, ny, nz) uint8 ndarray or None
        Voxels that take part.
    kept : int
        Solutions of other axes that are kept meanwhile.
    threads : int
        Ignored.
    device : str
        A torch device.
    """

    def __init__(
        self,
        layout: _Layout,
        ends: Ends,
        mask: NDArray[np.uint8] | None,
        kept: int,
        threads: int,
        *,
        device: str,
    ) -> None:
        import torch

        self._field = layout.field
        self._device = torch.device(device)
        self._lay_out(layout, ends)
        self._needed = device_memory(self._axes, self._spacing, layout, kept)
        half = int(np.prod(packed_shape(self._axes)))
        what = f"a solve on {field_size(layout.field)}"
        check_memory(44 * half, f"{what} on {device}", "cut the image or coarsen it")
        free = _free_on(self._device)
        if self._needed > free:
            raise MemoryLimitError(self._too_large(free))
        with self._room():
            self._values = self._upload(layout.field, mask)
            self._given = None
            if layout.through is not None:
                self._given = torch.from_numpy(layout.through).to(self._device)
            self._scale_to(float(self._values.max()), layout)
            self._first = parities(packed_shape(self._axes), self._device)
            self._layers = [_Layers.of(table, self._device) for table in self._tables]
            links = self._links()
            self.cg: Any = TorchCG(TorchMultigrid(links, self._axes, self._spacing))

    def _upload(self, field: NDArray[Any], mask: NDArray[np.uint8] | None) -> Tensor:
        """Bring the field to the device, zero where a voxel takes no part."""
        import torch

        single = field.dtype == np.float32
        values = torch.empty(
            field.shape, dtype=torch.float32 if single else torch.float64, device=self._device
        )
        for lo, hi in _slabs(field.shape):
            # a copy: the field may not be written, or lie in a file
            part = np.array(field[lo:hi], dtype=np.float32 if single else np.float64)
            values[lo:hi] = torch.from_numpy(part).to(self._device)
            if mask is not None:
                values[lo:hi] *= torch.from_numpy(np.array(mask[lo:hi])).to(self._device)
        return values

    def mean(self) -> float:
        """Mean of the field over all voxels, counting those that take part.

        Returns
        -------
        float
            The mean.
        """
        import torch

        return float(self._values.sum(dtype=torch.float64)) / self._field.size

    def kept(self) -> _KeptOnDevice:
        """Copy the potential in half precision.

        Returns
        -------
        _KeptOnDevice
            The copy.
        """
        import torch

        potential, work = self.cg.potential, self.cg.work
        scale = float(potential.abs().max()) or 1.0
        return _KeptOnDevice(torch.div(potential, scale, out=work).half(), scale, work)

    def _put(self, voxels: FloatArray, sheets: FloatArray) -> None:
        import torch

        odd = np.zeros(packed_shape(self._axes))
        self._pack(voxels, odd)
        self.cg.potential.copy_(torch.from_numpy(odd))

    def solve(self, *arguments: Any) -> Any:
        """Drive one axis, as on the CPU.

        Parameters
        ----------
        *arguments
            The same.

        Returns
        -------
        _Solved
            The same.
        """
        with self._room():
            return super().solve(*arguments)

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Tell a full device as the package tells it."""
        import torch

        try:
            yield
        except torch.cuda.OutOfMemoryError:
            raise MemoryLimitError(self._too_large(_free_on(self._device))) from None

    def _too_large(self, free: int) -> str:
        axes = max(sum(n > 1 for n in self._field.shape), 1)
        fits = int((self._field.size * free / self._needed) ** (1 / axes))
        return describe(
            f"a solve on {field_size(self._field)} on {self._device}",
            f"at most {free / 2**30:.3g} GiB, which is free there",
            f"{self._needed / 2**30:.3g} GiB needed",
            f"about {'×'.join([str(fits)] * axes)} voxels fit; cut the image, coarsen it, or "
            "leave device out: the CPU needs at most 45 bytes a voxel",
        )

    def _links(self) -> Tensor:
        """Packed links of the field, in single precision."""
        import torch

        shape = packed_shape(self._axes)
        links = torch.empty((6, *shape), dtype=torch.float32, device=self._device)
        for lo, hi in _slabs(self._shape):
            first = self._first[lo:hi]
            for way in range(2):
                here = self._conductances(way, lo, hi)
                links[2 * way, lo:hi], links[2 * way + 1, lo:hi] = split(here, first)
            along = self._conductances(2, lo, hi)
            links[4, lo:hi], links[5, lo:hi] = along[..., ::2], along[..., 1::2]
        return links

    @property
    def _shape(self) -> tuple[int, int, int]:
        x, y, m = packed_shape(self._axes)
        return x, y, 2 * m

    def _conductances(self, way: int, lo: int, hi: int) -> Tensor:
        """Conductances from each cell of some layers to the next along an axis.

        ``lo`` may be −1 along x, for the last layer.
        """
        import torch

        layers, (cx, cy, cz), (_, ny, nz) = self._layers[way], self._field.shape, self._shape
        out = torch.zeros((hi - lo, ny, nz), dtype=torch.float64, device=self._device)
        if way == 0:
            layers = layers.part(lo, hi)
            low, high = (self._values.index_select(0, one) for one in (layers.lower, layers.upper))
            given = self._given if self._given is None else self._given[0]
            inner = out[:, :cy, :cz]
        else:
            rows = self._values[lo : min(hi, cx)]
            low, high = (rows.index_select(way, one) for one in (layers.lower, layers.upper))
            given = self._given if self._given is None else self._given[way, lo : min(hi, cx)]
            inner = out[: len(rows), :, :cz] if way == 1 else out[: len(rows), :cy]
        sides = [-1 if a == way else 1 for a in range(3)]
        weight = layers.weight.view(sides)
        low, high = low.double().mul_(self._scale), high.double().mul_(self._scale)
        share = high / (low + high).clamp_(min=TINY)
        torch.mul(low, share, out=inner).mul_(2.0 * float(self._factors[way]) * weight)
        if given is not None:
            film = given.index_select(way, layers.lower).mul_(float(self._through_scale) * weight)
            inner.copy_(torch.where(layers.between.view(sides) & (inner > 0.0), film, inner))
        return out

    def _examine(
        self, axis: int, sources: bool, into: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Relax the even cells in full precision and look at what comes of it."""
        import torch

        sums = torch.zeros(SUMS, dtype=torch.float64, device=self._device)
        planes = torch.zeros(max(self._shape), dtype=torch.float64, device=self._device)
        even = self.cg.work
        even.zero_()
        for lo, hi in _slabs(self._shape):
            look = self._look(lo, hi, axis, None)
            values = look.inflow().div_(look.total().clamp_(min=TINY)).mul_(self._live(lo, hi))
            relaxed = split(values, self._first[lo:hi])[0]
            even[lo:hi] = relaxed
            if sources:
                look.add_sources(self._live(lo, hi), sums)
        for lo, hi in _slabs(self._shape):
            look = self._look(lo, hi, axis, even)
            left = look.inflow().mul_(self._live(lo, hi))
            odd = split(left, self._first[lo:hi])[1]
            self.cg.residual[lo:hi] = odd
            sums[RESIDUAL] += odd.square().sum()
            if not sources:
                look.add_fluxes(axis, sums, planes)
            if into is not None:
                cx, cy, cz = self._field.shape
                rows = min(hi, cx) - lo
                if rows > 0:
                    into[lo : lo + rows] = look.potential[1 : rows + 1, :cy, :cz].cpu().numpy()
        return sums.cpu().numpy(), planes.cpu().numpy()

    def _live(self, lo: int, hi: int) -> Tensor:
        """Cells of some layers that are not the electrodes'."""
        x, y, z = (layers.live for layers in self._layers)
        return x[lo:hi, None, None] & y[:, None] & z

    def _look(self, lo: int, hi: int, axis: int, even: Tensor | None) -> _Slab:
        """Potential, conductances and displacements of some layers and those beside them."""
        import torch

        nx = self._shape[0]
        wanted = torch.arange(lo - 1, hi + 1, device=self._device) % nx
        odd = self.cg.potential.index_select(0, wanted)
        others = torch.zeros_like(odd) if even is None else even.index_select(0, wanted)
        potential = join(others, odd, self._first.index_select(0, wanted))
        own = self._conductances(0, lo - 1, hi)
        displaced = []
        for a, layers in enumerate(self._layers):
            reach = layers.part(lo - 1, hi).reach if a == 0 else layers.reach
            displaced.append(
                reach.view([-1 if b == a else 1 for b in range(3)]) * float(self._spacing[a])
            )
        across = (own, self._conductances(1, lo, hi), self._conductances(2, lo, hi))
        return _Slab(potential, across, displaced, axis, lo)


@dataclass(frozen=True, slots=True)
class _KeptOnDevice:
    """A potential in half precision: enough to multiply a small residual."""

    values: Tensor
    scale: float
    work: Tensor

    def dot(self, residual: Tensor) -> float:
        import torch

        return self.scale * float(torch.mul(self.values, residual, out=self.work).sum())


@dataclass(frozen=True, slots=True)
class _Layers:
    """Links along an axis (:meth:`Axis.links`) on the device."""

    lower: Tensor
    upper: Tensor
    weight: Tensor
    reach: Tensor
    between: Tensor
    live: Tensor

    @classmethod
    def of(cls, table: tuple[Any, ...], device: Any) -> _Layers:
        import torch

        lower, upper, weight, reach, live = table
        lower, upper, weight, reach, between, within = (
            torch.from_numpy(np.ascontiguousarray(one)).to(device)
            for one in (lower, upper, weight, reach, lower != upper, np.arange(lower.size) < live)
        )
        return cls(lower, upper, weight, reach, between, within)

    def part(self, lo: int, hi: int) -> _Layers:
        """Layers lo … hi − 1, the last one before the first."""
        import torch

        number = torch.arange(lo, hi, device=self.lower.device) % self.lower.numel()
        return _Layers(
            *(
                one.index_select(0, number)
                for one in (
                    self.lower,
                    self.upper,
                    self.weight,
                    self.reach,
                    self.between,
                    self.live,
                )
            )
        )


@dataclass(frozen=True, slots=True)
class _Slab:
    """Some layers, with one more on either side.

    ``across`` holds the conductances to the next cell along each axis, those along x also
    of the layer before; ``displaced`` the lengths of those links.
    """

    potential: Tensor
    across: tuple[Tensor, Tensor, Tensor]
    displaced: list[Tensor]
    axis: int
    first: int

    def currents(self, a: int) -> tuple[Tensor, Tensor]:
        """Current to the next cell along an axis, and the drop that drives it."""
        import torch

        u = self.potential
        drop = u[1:] - u[:-1] if a == 0 else torch.roll(u[1:-1], -1, a) - u[1:-1]
        if a == self.axis:
            drop += self.displaced[a]
        return self.across[a] * drop, drop

    def inflow(self) -> Tensor:
        """Net current into each cell."""
        import torch

        flow, _ = self.currents(0)
        net = flow[1:] - flow[:-1]
        for a in (1, 2):
            flow, _ = self.currents(a)
            net += flow
            net -= torch.roll(flow, 1, a)
        return net

    def total(self) -> Tensor:
        """Sum of each cell's conductances."""
        import torch

        total = self.across[0][1:] + self.across[0][:-1]
        for a in (1, 2):
            total += self.across[a]
            total += torch.roll(self.across[a], 1, a)
        return total

    def add_sources(self, live: Tensor, sums: Tensor) -> None:
        """Add what a uniform field drives into the cells."""
        import torch

        out = self.across[self.axis] * self.displaced[self.axis]
        into = out[:-1] if self.axis == 0 else torch.roll(out, 1, self.axis)
        out = out[1:] if self.axis == 0 else out
        moment = (out + into).mul_(live)
        sums[SOURCE] += (out - into).mul_(live).square().sum()
        sums[PARALLEL] += moment.sum()
        sums[SCALE] += moment.square().sum()

    def add_fluxes(self, axis: int, sums: Tensor, planes: Tensor) -> None:
        """Add energy, fluxes, and the fluxes through planes normal to an axis."""
        for a in range(3):
            flow, drop = self.currents(a)
            reach = self.displaced[a]
            if a == 0:
                flow, drop, reach = flow[1:], drop[1:], reach[1:]
            sums[ENERGY] += (flow * drop).sum()
            through = flow.sum(dim=[b for b in range(3) if b != a])
            sums[FLUX + a] += (through * reach.view(-1)).sum()
            if a == axis:
                begin = self.first if a == 0 else 0
                planes[begin : begin + through.numel()] += through


def _slabs(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Part the layers along x into slabs."""
    step = max(SLAB // max(shape[1] * shape[2], 1), 1)
    for lo in range(0, shape[0], step):
        yield lo, min(lo + step, shape[0])


def device_memory(axes: Axes, spacing: FloatArray, layout: _Layout, kept: int) -> int:
    """Count the bytes that a solve takes on the device.

    Parameters
    ----------
    axes : tuple of Axis
        Layers along each axis.
    spacing : (3,) ndarray
        Voxel edges.
    layout : _Layout
        The field.
    kept : int
        Solutions of other axes that are kept meanwhile.

    Returns
    -------
    int
        Bytes.
    """
    half = int(np.prod(packed_shape(axes)))
    links, diagonals, live, parents = 6 * 4, 2 * (4 + 8), 1, 4
    vectors, cycle = 5 * 8, 5 * 4
    field = layout.field.size * (4 if layout.field.dtype == np.float32 else 8)
    if layout.through is not None:
        field += 3 * 8 * layout.field.size
    layer = 2 * half // axes[0].length
    slab = IN_A_SLAB * 8 * min(max(SLAB, 3 * layer), 2 * half + 2 * layer)
    fine = half * (links + diagonals + live + parents + vectors + cycle + 2 * kept)
    return field + fine + slab + coarse_memory(axes, spacing)


def _free_on(device: Any) -> int:
    """Bytes that are free on a device."""
    import torch

    if device.type != "cuda":
        return free_memory() or 1 << 62
    free, _ = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + cached)
