"""Scalar functions of the fused kernels: branch-free, so that loops over lanes become SIMD instructions.

A call into the maths library, or a ``floor``, stops LLVM's vectoriser; polynomials and integer bit operations do not.
Arguments of the exponential are limited to +-200 in every backend: rates beyond e^200 per ms mean nothing, and their
cubes, which appear in derivatives, still fit into float64.

Polynomials are Chebyshev interpolants computed with 40 digits (exp on +-ln2/2, degree 11, error 1e-17; 2 atanh(s)/s in s^2
on [0, 1/9], degree 9, error 9e-17); tests/kernels/test_primitives.py measures them against the maths library.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

EXPONENT_LIMIT = 200.0
LINOID_SERIES_BELOW = 0.1

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.693147180369123816490
LN2_LOW = 1.90821492927058770002e-10
# 1.5 * 2^52: adding it to a small number leaves that number, rounded to an integer, in the low bits of the sum
ROUND_MAGIC = 6755399441055744.0


@intrinsic
def _bits_of(typingctx, x):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _float_of(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


# Fused multiply-adds are welcome; reordering is not. `reassoc` would fold (y + magic) - magic back into y, and with it or `arcp`
# a loop's vectorised body and its scalar remainder round differently, so that a result would depend on its lane.
EXACT = {"contract", "nsz"}


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def exp(x):
    """exp(min(max(x, -200), 200)); a NaN becomes a limit, which the voltage's own NaN outlives."""
    x = x if x > -EXPONENT_LIMIT else -EXPONENT_LIMIT
    x = x if x < EXPONENT_LIMIT else EXPONENT_LIMIT
    shifted = x * LOG2_E + ROUND_MAGIC
    n = shifted - ROUND_MAGIC
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = 2.5110049204818658e-08
    p = p * r + 2.763265472252779e-07
    p = p * r + 2.755724088722987e-06
    p = p * r + 2.4801485441561313e-05
    p = p * r + 0.00019841269890076403
    p = p * r + 0.0013888888952352863
    p = p * r + 0.008333333333319589
    p = p * r + 0.04166666666648795
    p = p * r + 0.1666666666666668
    p = p * r + 0.5000000000000019
    p = p * r + 1.0
    p = p * r + 1.0
    return _float_of(_bits_of(p) + (_bits_of(shifted) << 52))  # pyright: ignore[reportCallIssue] - numba passes the first argument


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def log1p_unit(u):
    """ln(1 + u) for u in [0, 1], as 2 atanh(u / (2 + u))."""
    s = u / (2.0 + u)
    z = s * s
    p = 0.17780763826113302
    p = p * z + 0.09880789048764786
    p = p * z + 0.13591305485579894
    p = p * z + 0.15363676248891633
    p = p * z + 0.1818285980047391
    p = p * z + 0.22222190861346283
    p = p * z + 0.2857142911165716
    p = p * z + 0.399999999952876
    p = p * z + 0.6666666666668257
    p = p * z + 2.0
    return s * p


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exp(-x))


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def softplus(x):
    """ln(1 + exp(x))."""
    positive = x if x > 0.0 else 0.0
    magnitude = x if x > 0.0 else -x
    return positive + log1p_unit(exp(-magnitude))


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def linoid(x):
    """x / (1 - exp(-x)); within 0.1 of zero its Taylor series, whose next term is below 2e-18."""
    near = (x if x > 0.0 else -x) < LINOID_SERIES_BELOW
    z = x * x
    series = 1.0 + 0.5 * x + z * (1.0 / 12.0 + z * (-1.0 / 720.0 + z * (1.0 / 30240.0 - z * (1.0 / 1209600.0))))
    safe = 1.0 if near else x
    return series if near else safe / (1.0 - exp(-safe))


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def linoid_slope(x):
    """d linoid / dx = q (1 - x (q - 1)) with q = 1 / (1 - exp(-x)); near zero the derivative of the series."""
    near = (x if x > 0.0 else -x) < LINOID_SERIES_BELOW
    z = x * x
    series = 0.5 + x * (1.0 / 6.0 + z * (-1.0 / 180.0 + z * (1.0 / 5040.0 - z * (1.0 / 151200.0))))
    safe = 1.0 if near else x
    e = exp(-safe)
    q = 1.0 / (1.0 - e)
    # q - 1 written as e q: no cancellation for large x
    return series if near else q * (1.0 - safe * e * q)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def at_least(x, floor):
    """max(x, floor)."""
    return x if x > floor else floor


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def above(x, floor):
    """d at_least / dx: 1 where x > floor, else 0."""
    return 1.0 if x > floor else 0.0
