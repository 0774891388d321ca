"""Boundary faces between voxels, and the films on them."""

import numpy as np

from multiscale.numerics.compiling import kernel


@kernel()
def encode(labels, images, least, turn, factor):  # type: ignore[no-untyped-def]
    """Grain and box offset of each voxel as one number."""
    owner = np.empty(labels.shape, np.int64)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            for k in range(labels.shape[2]):
                code = labels[i, j, k] * factor
                for a in range(turn.size):
                    code += (images[i, j, k, a] - least) * turn[a]
                owner[i, j, k] = code
    return owner


@kernel()
def _following(owner, turn, axis, i, j, periodic, above):  # type: ignore[no-untyped-def]
    """Owners above a line of voxels along ``axis``; its own ones beyond a wall."""
    n = owner.shape
    line = owner[i, j]
    if axis == 2:
        above[:-1] = line[1:]
        above[-1] = line[0] + turn[2] if periodic else line[-1]
        return
    last = i == n[0] - 1 if axis == 0 else j == n[1] - 1
    if last and not periodic:
        above[:] = line
    elif axis == 0:
        above[:] = owner[0 if last else i + 1, j]
    else:
        above[:] = owner[i, 0 if last else j + 1]
    if last and periodic:
        above += turn[axis]


@kernel()
def count_faces(owner, turn, periodic):  # type: ignore[no-untyped-def]
    """Count the boundary faces of each normal axis."""
    count = np.zeros(turn.size, np.int64)
    above = np.empty(owner.shape[2], np.int64)
    for axis in range(turn.size):
        for i in range(owner.shape[0]):
            for j in range(owner.shape[1]):
                _following(owner, turn, axis, i, j, periodic, above)
                count[axis] += np.count_nonzero(above != owner[i, j])
    return count


@kernel()
def list_faces(owner, turn, periodic, index, wraps):  # type: ignore[no-untyped-def]
    """List the lower voxel of each boundary face, axis by axis, in C order."""
    n = owner.shape
    above = np.empty(n[2], np.int64)
    f = 0
    for axis in range(turn.size):
        for i in range(n[0]):
            for j in range(n[1]):
                _following(owner, turn, axis, i, j, periodic, above)
                line = owner[i, j]
                for k in range(n[2]):
                    if above[k] == line[k]:
                        continue
                    index[f, 0], index[f, 1], index[f, 2] = i, j, k
                    wraps[f] = (i, j, k)[axis] == n[axis] - 1
                    f += 1


@kernel(error_model="numpy")
def films_on_faces(axis, normal, classes, lower, upper, resistance, sheet, steepest):  # type: ignore[no-untyped-def]
    """Take each face's film from tables by class + 1 and phases; tilt what resists."""
    tilted = np.empty((axis.size, 2))
    along = np.empty(axis.size)
    for f in range(axis.size):
        row = classes[f] + 1
        steep = max(abs(normal[f, axis[f]]), steepest)
        for side in range(2):
            value = resistance[row, lower[f] if side == 0 else upper[f]]
            tilted[f, side] = value / steep if value > 0 else value
        along[f] = sheet[row, lower[f], upper[f]]
    return tilted, along
