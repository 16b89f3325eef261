"""Elementary functions of the fused kernels, for lanes (SIMD vectors, lanes.py) and for plain numbers alike.

Branch-free polynomials and one integer addition to an exponent: a call into the maths library would take lanes apart.
Arguments of the exponential are limited to +-200 (+-80 in float32): rates beyond e^200 per ms mean nothing, and their
cubes, which appear in derivatives, still fit into the number's range.

Polynomials are Chebyshev interpolants computed with 40 digits (float64: exp on +-ln2/2, degree 11, error 1e-17; 2 atanh(s)/s
in s^2 on [0, 1/9], degree 9, error 9e-17; float32: degrees 6 and 4, errors 3e-9 and 4e-9); tests/kernels/test_primitives.py
measures them against the maths library.
"""

from numba import njit

from gradevo.kernels.lanes import select, times_power_of_two

# codegen.py sets this for a float32 kernel
SINGLE = False

EXPONENT_LIMIT = 80.0 if SINGLE else 200.0
LINOID_SERIES_BELOW = 0.1

LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has so few bits that a small integer times it is exact
LN2_HIGH = 0.693359375 if SINGLE else 0.693147180369123816490
LN2_LOW = -2.12194440e-4 if SINGLE else 1.90821492927058770002e-10
# below ln 2 / 2, where the nearest whole multiple of ln 2 is 0
NEAR_ZERO = 0.3465
# 1.5 times two to the number of mantissa bits: adding it to a small number leaves that number, rounded to an integer, in the
# low bits of the sum
ROUND_MAGIC = 12582912.0 if SINGLE else 6755399441055744.0

# Fused multiply-adds are welcome, reordering is not: see lanes.py.
EXACT = {"contract", "nsz"}


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def exp_near_zero(r):
    """exp(r) for |r| < NEAR_ZERO, to the bit what exp gives there: it would find n = 0."""
    # even and odd powers apart: two chains of multiplications run side by side
    z = r * r
    if SINGLE:
        p = (z * 0.0013942159833661436 + 0.041666340142225575) * z + 0.5000000050018797
        q = z * 0.008375968226311425 + 0.16666405302634305
    else:
        p = z * 2.763265472252779e-07 + 2.4801485441561313e-05
        q = z * 2.5110049204818658e-08 + 2.755724088722987e-06
        p = p * z + 0.0013888888952352863
        q = q * z + 0.00019841269890076403
        p = p * z + 0.04166666666648795
        q = q * z + 0.008333333333319589
        p = p * z + 0.5000000000000019
        q = q * z + 0.1666666666666668
    p = q * r + p
    p = p * r + (1.00000004003887 if SINGLE else 1.0)
    return p * r + 1.0


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def exp_within(x, limit):
    """exp(min(max(x, -limit), limit)); a NaN becomes a limit, which the voltage's own NaN outlives."""
    x = select(x > -limit, x, -limit)
    x = select(x < limit, x, limit)
    shifted = x * LOG2_E + ROUND_MAGIC
    n = shifted - ROUND_MAGIC
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    return times_power_of_two(exp_near_zero(r), shifted)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def exp(x):
    """exp_within(x, EXPONENT_LIMIT)."""
    return exp_within(x, EXPONENT_LIMIT)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def magnitude(x):
    """|x|."""
    return select(x > 0.0, x, -x)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def log1p_unit(u):
    """ln(1 + u) for u in [0, 1], as 2 atanh(u / (2 + u))."""
    s = u / (2.0 + u)
    z = s * s
    if SINGLE:
        p = z * 0.2815777836310908 + 0.27965157745197267
        p = p * z + 0.40024595230703747
        p = p * z + 0.6666632164137777
    else:
        p = z * 0.17780763826113302 + 0.09880789048764786
        p = p * z + 0.13591305485579894
        p = p * z + 0.15363676248891633
        p = p * z + 0.1818285980047391
        p = p * z + 0.22222190861346283
        p = p * z + 0.2857142911165716
        p = p * z + 0.399999999952876
        p = p * z + 0.6666666666668257
    p = p * z + 2.0
    return s * p


# The functions that channels are declared with, given the exponential that they share with others of the same argument.


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def softplus_from(x, e):
    """ln(1 + exp(x)), with e = exp(-|x|)."""
    return select(x > 0.0, x, 0.0) + log1p_unit(e)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def sigmoid_from(x, e):
    """1 / (1 + exp(-x)), with e = exp(-|x|)."""
    s = 1.0 / (1.0 + e)
    return select(x > 0.0, s, e * s)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def linoid_from(x, q):
    """x / (1 - exp(-x)), with q = 1 / (1 - exp(-x)); within 0.1 of zero its Taylor series, whose next term is below 2e-18."""
    z = x * x
    series = 1.0 + 0.5 * x + z * (1.0 / 12.0 + z * (-1.0 / 720.0 + z * (1.0 / 30240.0 - z * (1.0 / 1209600.0))))
    return select(magnitude(x) < LINOID_SERIES_BELOW, series, x * q)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def linoid_slope_from(x, e, q):
    """d linoid / dx = q (1 - x e q), with e = exp(-x) and q = 1 / (1 - e); near zero the derivative of the series."""
    z = x * x
    series = 0.5 + x * (1.0 / 6.0 + z * (-1.0 / 180.0 + z * (1.0 / 5040.0 - z * (1.0 / 151200.0))))
    return select(magnitude(x) < LINOID_SERIES_BELOW, series, q * (1.0 - x * (e * q)))


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def at_least(x, floor):
    """max(x, floor)."""
    return select(x > floor, x, floor)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def above(x, floor):
    """d at_least / dx: 1 where x > floor, else 0."""
    return select(x > floor, 1.0 + 0.0 * x, 0.0 * x)
