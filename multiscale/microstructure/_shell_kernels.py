"""Sums over shells of lags about zero."""

import numpy as np

from multiscale.numerics.compiling import kernel


@kernel()
def shell_sums(values, pairs, first, second, third, width, last):  # type: ignore[no-untyped-def]
    """Sum of values and of pairs, and mean radius, of each shell 0 to ``last``.

    The squared lags of the three axes are given; ``pairs`` may be one number for all lags.
    """
    total = np.zeros(last + 1)
    weight = np.zeros(last + 1)
    radius = np.zeros(last + 1)
    members = np.zeros(last + 1)
    constant = pairs.size == 1
    most = ((last + 1) * width) ** 2
    for i in range(first.size):
        for j in range(second.size):
            for k in range(third.size):
                square = first[i] + second[j] + third[k]
                if square > most:
                    continue
                distance = np.sqrt(square)
                shell = int(np.rint(distance / width))
                if shell > last:
                    continue
                total[shell] += values[i, j, k]
                weight[shell] += pairs[0, 0, 0] if constant else pairs[i, j, k]
                radius[shell] += distance
                members[shell] += 1.0
    return total, weight, radius / members
