"""Bits of boundary types, spread from voxel to voxel; eight types a byte."""

import numpy as np

from multiscale.numerics.compiling import kernel


@kernel()
def mark(labels, phases, types, periodic, bits):  # type: ignore[no-untyped-def]
    """Set the bit of each type, 0 to 7, that a voxel has a face on."""
    shape = labels.shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                here = labels[i, j, k]
                for axis in range(3):
                    x, y, z = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if x == shape[0] or y == shape[1] or z == shape[2]:
                        if not periodic:
                            continue
                        x, y, z = x % shape[0], y % shape[1], z % shape[2]
                    there = labels[x, y, z]
                    if here == there:
                        continue
                    kind = types[phases[here], phases[there]]
                    if 0 <= kind < 8:
                        bits[i, j, k] |= np.uint8(1 << kind)
                        bits[x, y, z] |= np.uint8(1 << kind)


@kernel()
def _lay(row, shift, periodic, target):  # type: ignore[no-untyped-def]
    """Lay a line, shifted, over another one."""
    n = row.size
    for k in range(max(shift, 0), min(n + shift, n)):
        target[k] |= row[k - shift]
    if periodic:
        for k in range(shift):
            target[k] |= row[k - shift + n]
        for k in range(n + shift, n):
            target[k] |= row[k - shift - n]


@kernel()
def spread(bits, across, reach, periodic):  # type: ignore[no-untyped-def]
    """Union of the bits in a ball about each voxel."""
    shape = bits.shape
    lines = bits.copy()
    near = np.zeros_like(bits)
    length = 0
    for m in range(len(reach)):
        while length < reach[m]:
            length += 1
            for i in range(shape[0]):
                for j in range(shape[1]):
                    _lay(bits[i, j], length, periodic, lines[i, j])
                    _lay(bits[i, j], -length, periodic, lines[i, j])
        for i in range(shape[0]):
            x = i + across[m, 0]
            if periodic:
                x %= shape[0]
            if x < 0 or x >= shape[0]:
                continue
            for j in range(shape[1]):
                y = j + across[m, 1]
                if periodic:
                    y %= shape[1]
                if 0 <= y < shape[1]:
                    _lay(lines[i, j], 0, False, near[x, y])
    return near


@kernel()
def add_bits(bits, count):  # type: ignore[no-untyped-def]
    """Add the number of bits set in each byte."""
    table = np.zeros(256, np.int8)
    for value in range(256):
        table[value] = table[value // 2] + value % 2
    for i in range(bits.size):
        count[i] += table[bits[i]]
