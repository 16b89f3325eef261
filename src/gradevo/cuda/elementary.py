# ruff: noqa: F401, F821
# pyright: reportUndefinedVariable=false
"""What the generated code is written in, for one simulation per thread: codegen.py puts this file at the head of a module.

A thread sees its own simulation as columns of arrays [number, simulation], so that neighbouring threads read neighbouring
addresses. The CPU kernels' ``load`` and ``store`` move vectors of WIDTH simulations; here WIDTH is 1, and an index is a row.

``exp`` and ``log1p`` are the device's own (libdevice, within 1 ulp). The CPU's polynomials are there because a call into the
maths library would take its vectors apart; a thread has no vectors, and NVIDIA's functions are inlined and made for the chip.
"""

import math

import numpy as np
from numba import cuda

from gradevo.cuda.device import device, kernel

WIDTH = 1


@device
def load(array, index):
    """Unsigned, so that nobody asks whether an index counts from the end."""
    return array[np.uint64(index)]


peek = load


@device
def store(array, index, value):
    array[np.uint64(index)] = value


@device
def select(condition, a, b):
    return a if condition else b


@device
def alone(x):
    """Kept from fused multiply-adds on the CPU, where code with slopes and code without must round alike; here states that are
    walked back are always made by the same code."""
    return x


@device
def everywhere(condition):
    """Whether a condition holds in all lanes: asked where short arguments save the CPU's exp a part of its work. The device's own
    has no such part, and the threads of a warp would go separate ways."""
    return False


@device
def exp_within(x, limit):
    """exp(min(max(x, -limit), limit)); a NaN becomes a limit, which the voltage's own NaN outlives."""
    x = select(x > -limit, x, -limit)
    x = select(x < limit, x, limit)
    return real(math.exp(x))


@device
def log1p_unit(u):
    """ln(1 + u) for u in [0, 1]."""
    return real(math.log1p(u))
