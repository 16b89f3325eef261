"""What rates are written in: the voltage, and functions that every backend knows besides sums, products and exponentials."""

from collections.abc import Callable
from typing import Any

import sympy as sp

MOST_INTEGER_POWER = 6
"""Powers are written out as products, up to this one."""

V = sp.Symbol("V", real=True)
"""Membrane potential, mV: the only variable of a rate."""


class Primitive(sp.Function):
    """A function that every backend implements by hand, with care near its singular points."""

    def __new__(cls, *args: Any, **options: Any) -> Any:  # Any: sympy's own type says nothing useful
        return super().__new__(cls, *args, **options)


class linoid_slope(Primitive):
    """d linoid / dx."""

    nargs = 1


class linoid(Primitive):
    """x / (1 - exp(-x)), with value 1 at x = 0: NEURON's ``vtrap`` in its stable form."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return linoid_slope(self.args[0])


class sigmoid(Primitive):
    """1 / (1 + exp(-x))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        s = sigmoid(self.args[0])
        return s * (1 - s)


class softplus(Primitive):
    """ln(1 + exp(x)), evaluated without overflow or cancellation."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sigmoid(self.args[0])


class above(Primitive):
    """1 where x > floor, else 0: d at_least / dx."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


class at_least(Primitive):
    """max(x, floor), for time constants that are published with a lower limit; floor is a number."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return above(*self.args)


def power_as_product(power: sp.Pow, of_base: str, of_inverse: Callable[[sp.Expr], str], language: str) -> str:
    """An integer power, up or down to `MOST_INTEGER_POWER`, as a product of its printed base, or as one over the printed
    inverse: exact, and the same in every language that rates are written in.

    Raises:
        ValueError: for any other power, naming the language.
    """
    base, exponent = power.as_base_exp()
    if exponent.is_Integer and 0 < int(exponent) <= MOST_INTEGER_POWER:
        return "(" + "*".join([f"({of_base})"] * int(exponent)) + ")"
    if exponent.is_Integer and -MOST_INTEGER_POWER <= int(exponent) < 0:
        return f"(1.0/({of_inverse(sp.Pow(base, -exponent))}))"
    raise ValueError(f"{power}: only integer powers up to {MOST_INTEGER_POWER} are known to the {language}; write it with exp")


def evaluate(expression: sp.Expr, voltage_mV: float) -> sp.Expr:
    """A declared expression at one voltage, in high precision (for initial values and documentation)."""
    written_out = (
        expression.replace(softplus, lambda a: sp.log(1 + sp.exp(a)))
        .replace(sigmoid, lambda a: 1 / (1 + sp.exp(-a)))
        .replace(at_least, sp.Max)
        .subs(V, sp.Float(voltage_mV, 30))
        .replace(linoid, lambda a: sp.Integer(1) if a == 0 else a / (1 - sp.exp(-a)))  # of a number: cases of V take long
    )
    return sp.N(written_out, 17)
