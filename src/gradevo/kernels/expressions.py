"""Symbolic rates turned into lines of code that compute every exponential once.

Rates are full of exponentials of the voltage, and these cost more than everything else in a kernel. Here the functions that
channels are declared with (``linoid``, ``sigmoid``, ``softplus`` and their derivatives) are opened up to the exponential
inside, so that a value and its slope share it, and exponentials whose slopes are whole multiples of another's become
powers of it: all of the squid axon's rates come from exp(-V/80) and exp(-V/18).

A value is the same to the bit in code that wants its slope as well and in code that does not: both are written from the same
shared parts, and a part that is a product is rounded as one, whoever adds something to it.
"""

import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

from gradevo.channels.expressions import Primitive, V, linoid, linoid_slope, power_as_product, sigmoid, softplus

MOST_POWER = 8
"""An exponential is taken as a power of another up to this one: three squarings, and 8 roundings."""


class _Opened(Primitive):
    """A primitive that is handed its exponential."""


class softplus_from(_Opened):
    nargs = 2


class sigmoid_from(_Opened):
    nargs = 2


class linoid_from(_Opened):
    nargs = 2


class linoid_slope_from(_Opened):
    nargs = 3


class _Printer(PythonCodePrinter):
    """Calls by their bare names, every number with 17 digits, integer powers as products."""

    def _print_Function(self, expr: sp.Function) -> str:
        return f"{expr.func.__name__}({', '.join(self._print(a) for a in expr.args)})"

    def _print_exp(self, expr: sp.exp) -> str:
        return f"exp({self._print(expr.args[0])})"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(float(expr))

    def _print_Integer(self, expr: sp.Integer) -> str:
        return repr(float(expr))

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        return power_as_product(expr, self._print(expr.as_base_exp()[0]), self._print, "kernels")


print_code = _Printer({"fully_qualified_modules": False}).doprint


def assignments(expressions: dict[str, sp.Expr], wanted: Container[str], indent: str) -> list[str]:
    """Lines that assign expressions in ``V`` to their names as far as these are ``wanted``, shared parts first."""
    work = _Sharing(softened={a.args[0] for e in expressions.values() for a in e.atoms(softplus)})
    reduced = {name: work.open(e) for name, e in expressions.items()}
    symbols = sp.numbered_symbols("t_")
    shared, results = sp.cse(list(reduced.values()), symbols=symbols, order="none")
    lines = work.lines()
    lines += [f"{name} = alone({print_code(e)})" for name, e in shared]
    lines += [f"{name} = {print_code(e)}" for name, e in zip(reduced, results, strict=True) if name in wanted]
    return [indent + line for line in _used(lines, wanted)]


def _used(lines: list[str], wanted: Container[str]) -> list[str]:
    """Of lines that assign, those that the wanted names need."""
    kept, needed = [], set[str]()
    for line in reversed(lines):
        name, code = line.split(" = ", 1)
        if name in wanted or name in needed:
            kept.append(line)
            needed |= set(re.findall(r"[a-z]\w*", code))
    return kept[::-1]


@dataclass
class _Sharing:
    """Collects exponentials and reciprocals as symbols while expressions are opened up."""

    softened: set[Any]
    linear: dict[tuple[sp.Expr, sp.Expr], sp.Symbol] = field(default_factory=dict)
    other: dict[sp.Expr, sp.Symbol] = field(default_factory=dict)

    def open(self, e: Any) -> Any:
        if not e.args:
            return e
        argument: Any = e.args[0]
        if isinstance(e, sp.exp):
            return self._exponential(argument)
        if isinstance(e, (linoid, linoid_slope)):
            x, shared = self.open(argument), self._exponential(-argument)
            q = self._named(1 / (1 - shared), "q")
            return linoid_from(x, q) if isinstance(e, linoid) else linoid_slope_from(x, shared, q)
        if isinstance(e, softplus):
            return softplus_from(self.open(argument), self._folded(argument))
        if isinstance(e, sigmoid):
            if argument in self.softened:
                return self._named(sigmoid_from(self.open(argument), self._folded(argument)), "s")
            return self._named(1 / (1 + self._exponential(-argument)), "s")
        return e.func(*(self.open(a) for a in e.args))

    def _folded(self, x: Any) -> sp.Symbol:
        """exp(-|x|)."""
        return self._named(sp.Function("exp")(-sp.Function("magnitude")(self.open(x))), "f")

    def _exponential(self, x: Any) -> sp.Symbol:
        x = sp.expand(x)
        if sp.diff(x, V, 2) == 0:
            slope = sp.diff(x, V)
            key = (slope, sp.expand(x - slope * V))
            return self.linear.setdefault(key, sp.Symbol(f"e_{len(self.linear)}"))
        return self._named(sp.Function("exp")(self.open(x)), "z")

    def _named(self, e: Any, letter: str) -> sp.Symbol:
        return self.other.setdefault(e, sp.Symbol(f"{letter}_{len(self.other)}"))

    def lines(self) -> list[str]:
        return [*self._linear_lines(), *(f"{name} = {print_code(e)}" for e, name in self.other.items())]

    def _linear_lines(self) -> list[str]:
        """Exponentials of a V + b: the smallest slopes first, and whole multiples of them as their powers."""
        out: list[str] = []
        left = sorted(self.linear.items(), key=lambda item: abs(float(item[0][0])))
        while left:
            (slope, offset), base = left.pop(0)
            family = [(_multiple(key[0], slope), key, symbol) for key, symbol in left]
            family = [(k, key, symbol) for k, key, symbol in family if k is not None]
            left = [item for item in left if item[1] not in {symbol for _, _, symbol in family}]
            most = max((k for k, _, _ in family), default=1)
            argument = print_code(slope * V + offset)
            # the limit of the base keeps its powers within the limit
            limited = f"exp_within({argument}, EXPONENT_LIMIT / {float(most)!r})" if most > 1 else f"exp({argument})"
            out.append(f"{base} = {limited}")
            powers = {1: str(base)}
            for k in sorted({k for k, _, _ in family}):
                out += _power_lines(str(base), k, powers)
            for k, key, symbol in family:
                factor = float(sp.exp(sp.N(key[1] - k * offset, 30)))
                out.append(f"{symbol} = alone({factor!r} * {powers[k]})")
        return out


def _multiple(slope: sp.Expr, base: sp.Expr) -> int | None:
    """k where slope = k base with a whole k from 1 to MOST_POWER, else None."""
    if base == 0:
        return None
    ratio = float(slope / base)
    k = round(ratio)
    return k if 1 <= k <= MOST_POWER and abs(ratio - k) < 1e-12 * k else None


def _power_lines(base: str, k: int, powers: dict[int, str]) -> list[str]:
    """Lines that leave base^k in ``powers``, by squaring."""
    if k in powers:
        return []
    half = k // 2
    lines = _power_lines(base, half, powers)
    product = f"{powers[half]} * {powers[half]}" + (f" * {base}" if k % 2 else "")
    powers[k] = f"{base}_{k}"
    return [*lines, f"{powers[k]} = {product}"]
