"""Whether a gate that somebody declared is one: its expressions can be computed, and have the values of a gate."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sympy as sp

from gradevo.channels.expressions import MOST_INTEGER_POWER, V, at_least, evaluate, linoid, sigmoid, softplus

if TYPE_CHECKING:
    from gradevo.channels.base import Gate

CHECKED_MV = tuple(range(-120, 61))
"""Voltages at which a declared gate must be one: whole numbers, where published rates are 0 / 0 if they are at all."""

ROUNDING = 1e-9
"""By how much a steady state or a rate may be outside its range."""

USABLE = (
    f"+ - * /, integer powers up to {MOST_INTEGER_POWER}, sp.exp, and linoid, sigmoid, softplus, at_least of "
    "gradevo.channels.base"
)


def _linoid(x: float) -> float:
    return 1.0 if x == 0 else -x / math.expm1(-x)


_FLOATS: dict[Any, Callable[..., float]] = {
    sp.Add: lambda *terms: sum(terms),
    sp.Mul: lambda *factors: math.prod(factors),
    sp.Pow: lambda base, exponent: base**exponent,
    sp.exp: math.exp,
    linoid: _linoid,
    sigmoid: lambda x: 1 / (1 + math.exp(-x)),
    softplus: lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    at_least: max,
}
"""What an expression may consist of, but for numbers and V."""


@lru_cache(maxsize=512)  # sets are combined and changed from the same gates
def fault_of(gate: Gate) -> str:
    """What is wrong with a gate's expressions, and the way out; empty for a gate that can be computed."""
    for name, expression in gate.curves.items():
        fault = _unusable(expression)
        if fault:
            return f"{name} {fault}"
    for name, expression in gate.curves.items():
        if name == "time_constant" and gate.instantaneous:
            continue
        for v, value in zip(CHECKED_MV, _quick(expression), strict=True):
            # evaluate takes milliseconds: only where plain floats leave a doubt
            fault = _disallowed(name, value) and _disallowed(name, _exact(expression, v))
            if fault:
                return f"{name} is {fault.format(f'at {v} mV')}"
    return _undefined(gate)


def _unusable(expression: Any) -> str:
    """What of an expression the kernels cannot compute, and the way out; empty if nothing."""
    if isinstance(expression, (int, float)):
        return ""
    if not isinstance(expression, sp.Expr):
        return f"is {expression!r}, no sympy expression; write it in V of gradevo.channels.base"
    others = sorted(str(s) for s in expression.free_symbols - {V})
    if others:
        same = " (a symbol of the same name is not the same)" if "V" in others else ""
        return f"= {expression} holds the symbol {', '.join(others)}; a rate is in V of gradevo.channels.base alone{same}"
    for part in sp.preorder_traversal(expression):
        if isinstance(part, sp.Pow):
            exponent: Any = part.args[1]
            if not (exponent.is_Integer and abs(int(exponent)) <= MOST_INTEGER_POWER):
                return f"holds {part}, a power that the kernels do not know; usable are {USABLE} (exp(x)^p is sp.exp(p * x))"
        elif part.args and part.func not in _FLOATS:
            return f"holds {part}: {part.func.__name__} is not known to the kernels; usable are {USABLE}"
        elif not part.args and part != V and not isinstance(part, sp.Number):
            return f"holds {part}, which the kernels do not know; write it as a number"
        elif part.func is at_least and not part.args[1].is_number:
            return f"holds {part}, whose floor is no number; at_least takes an expression and a number"
    return ""


def _quick(expression: Any) -> list[float]:
    """In plain floats, at each of CHECKED_MV; NaN where these do not suffice."""
    if expression == V:
        return [float(v) for v in CHECKED_MV]
    if isinstance(expression, (int, float)) or not expression.args:
        return [float(expression)] * len(CHECKED_MV)
    function = _FLOATS[expression.func]
    given = [_quick(a) for a in expression.args]
    try:
        return list(map(function, *given))
    except (ArithmeticError, ValueError):  # at one voltage or more
        return [_or_nan(function, values) for values in zip(*given, strict=True)]


def _or_nan(function: Callable[..., float], given: tuple[float, ...]) -> float:
    try:
        return function(*given)
    except (ArithmeticError, ValueError):
        return math.nan


def _exact(expression: Any, voltage_mV: float) -> float:
    try:
        return float(evaluate(sp.sympify(expression), voltage_mV))
    except (TypeError, ValueError, OverflowError):  # sympy's complex infinity is no float
        return math.nan


def _disallowed(name: str, value: float) -> str:
    """What is wrong with a value of a curve, with a place for where; empty for one that can be."""
    if not math.isfinite(value):
        return "not finite {}; write x / (1 - exp(-x)) as linoid(x), and check the signs in the exponents"
    if name == "steady_state" and not -ROUNDING <= value <= 1 + ROUNDING:
        return f"{value:.6g} {{}}; a steady state is from 0 to 1: check its sign and factors"
    if name in ("alpha", "beta") and value < -ROUNDING:
        return f"{value:.6g} per ms {{}}; a rate is not negative: check its sign, or limit it with at_least(..., 0)"
    if name == "time_constant" and value <= 0:
        return f"{value:.6g} ms {{}}; give one above 0, limit it with at_least, or declare sp.Integer(0): instantaneous"
    return ""


def _undefined(gate: Gate) -> str:
    """Where both rates are 0 there is no steady state."""
    if gate.alpha is None or gate.beta is None:
        return ""
    for v, a, b in zip(CHECKED_MV, _quick(gate.alpha), _quick(gate.beta), strict=True):
        if a + b == 0 and _exact(gate.alpha, v) + _exact(gate.beta, v) == 0:
            return f"alpha and beta are both 0 at {v} mV, and the gate has no steady state; add a small rate to one"
    return ""
