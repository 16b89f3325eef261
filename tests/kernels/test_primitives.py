"""The kernels' elementary functions against the maths library."""

import numpy as np
import pytest
from numba import njit

from gradevo.kernels import primitives as p


def on_array(function):
    @njit(error_model="numpy")
    def run(x):
        out = np.empty_like(x)
        for i in range(x.size):
            out[i] = function(x[i])
        return out

    return run


# the primitives as channels are declared with them: handed their shared exponential
@njit(error_model="numpy")
def softplus(x):
    return p.softplus_from(x, p.exp(-p.magnitude(x)))


@njit(error_model="numpy")
def sigmoid(x):
    return p.sigmoid_from(x, p.exp(-p.magnitude(x)))


@njit(error_model="numpy")
def linoid(x):
    return p.linoid_from(x, 1.0 / (1.0 - p.exp(-x)))


@njit(error_model="numpy")
def linoid_slope(x):
    e = p.exp(-x)
    return p.linoid_slope_from(x, e, 1.0 / (1.0 - e))


GRID = np.concatenate([np.linspace(-150, 150, 40001), np.linspace(-0.3, 0.3, 4001), np.geomspace(1e-12, 1, 500)])


def linoid_exact(x):
    with np.errstate(all="ignore"):
        return np.where(np.abs(x) < 1e-5, 1 + x / 2 + x**2 / 12, -x / np.expm1(-x))


@pytest.mark.parametrize(
    ("function", "exact", "tolerance"),
    [
        (p.exp, np.exp, 4e-16),
        (softplus, lambda x: np.logaddexp(x, 0), 1e-15),
        (sigmoid, lambda x: 1 / (1 + np.exp(-x)), 1e-15),
        (linoid, linoid_exact, 3e-15),
    ],
    ids=["exp", "softplus", "sigmoid", "linoid"],
)
def test_relative_error(function, exact, tolerance):
    error = np.abs(on_array(function)(GRID) / exact(GRID) - 1)
    assert error.max() < tolerance, GRID[error.argmax()]


def test_linoid_slope_is_the_derivative():
    x = np.concatenate([np.linspace(-60, 60, 4001), np.linspace(-0.2, 0.2, 401)])
    step = 1e-4 * np.maximum(1, np.abs(x))
    f = on_array(linoid)
    central = (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)
    np.testing.assert_allclose(on_array(linoid_slope)(x), central, atol=3e-11)


def test_exponential_is_limited_and_finite():
    out = on_array(p.exp)(np.array([-1e9, 1e9, -np.inf, np.inf]))
    np.testing.assert_allclose(out, np.exp([-200, 200, -200, 200]), rtol=1e-15)


def test_exponential_near_zero_has_the_bits_of_the_whole_one():
    x = np.linspace(-p.NEAR_ZERO, p.NEAR_ZERO, 100001)[1:-1]
    np.testing.assert_array_equal(on_array(p.exp_near_zero)(x), on_array(p.exp)(x))
