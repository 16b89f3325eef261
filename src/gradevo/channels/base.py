"""Channels as symbolic declarations. Every backend (torch, Numba) is generated from these and from nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from numbers import Integral
from typing import Any

import sympy as sp

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


@dataclass(frozen=True)
class Gate:
    """One gating variable x with dx/dt = alpha (1 - x) - beta x, or dx/dt = (steady_state - x) / time_constant.

    A time constant of zero makes the gate instantaneous: x is its steady state for the voltage at the start of the step, as
    NEURON's mechanisms that assign it in their state block do. Such a gate is first order in the step.

    Args:
        name: symbol of the gate, such as ``m``.
        power: the integer power of the gate in its channel's conductance, at least 1.
        alpha, beta: opening and closing rates, 1/ms, expressions in ``V`` (mV).
        steady_state, time_constant: the other way to declare it; dimensionless and ms.

    Raises:
        ValueError: if neither or both of the two forms are given, or the power is no whole number of at least 1. What the
            expressions say is checked by the gate's channel.
    """

    name: str
    power: int
    alpha: sp.Expr | None = None
    beta: sp.Expr | None = None
    steady_state: sp.Expr | None = None
    time_constant: sp.Expr | None = None

    def __post_init__(self) -> None:
        by_rates = self.alpha is not None and self.beta is not None
        by_curves = self.steady_state is not None and self.time_constant is not None
        given = sum(e is not None for e in (self.alpha, self.beta, self.steady_state, self.time_constant))
        if given != 2 or not (by_rates or by_curves):
            raise ValueError(f"gate {self.name!r}: declare either alpha and beta, or steady_state and time_constant")
        if not isinstance(self.power, Integral) or self.power < 1:
            raise ValueError(f"gate {self.name!r}: power {self.power} is no whole number of at least 1; give 1, 2, 3, ...")

    @property
    def curves(self) -> dict[str, sp.Expr]:
        """The two declared expressions by the names they are declared with."""
        declared = {n: getattr(self, n) for n in ("alpha", "beta", "steady_state", "time_constant")}
        return {name: expression for name, expression in declared.items() if expression is not None}

    @property
    def instantaneous(self) -> bool:
        return self.time_constant is not None and self.time_constant == 0

    @property
    def infinity(self) -> sp.Expr:
        """Steady state as an expression in V."""
        if self.steady_state is not None:
            return self.steady_state
        assert self.alpha is not None
        assert self.beta is not None
        return self.alpha / (self.alpha + self.beta)

    @property
    def rate(self) -> sp.Expr:
        """1 / time constant, 1/ms, as an expression in V; not defined for an instantaneous gate."""
        if self.time_constant is not None:
            return 1 / self.time_constant
        assert self.alpha is not None
        assert self.beta is not None
        return self.alpha + self.beta


@dataclass(frozen=True)
class Channel:
    """An ohmic current: density x product of gate^power x (V - reversal).

    Args:
        name: short name, unique in its set, such as ``Na``.
        reversal_mV: reversal potential.
        density_S_cm2: the default maximal conductance density, not negative.
        gates: none for a leak.

    Raises:
        ValueError: for a negative density, gates that are no tuple or share a name, and a gate's expression in anything but
            ``V``, with a function that the kernels do not know, or with values that no gate has at some voltage from -120 to
            60 mV.
    """

    name: str
    reversal_mV: float
    density_S_cm2: float
    gates: tuple[Gate, ...] = ()

    def __post_init__(self) -> None:
        where = f"channel {self.name!r}"
        if isinstance(self.gates, Gate):
            raise ValueError(f"{where}: gates is the gate {self.gates.name!r}, not a tuple; add the comma: gates=(Gate(...),)")
        if not isinstance(self.gates, tuple) or not all(isinstance(g, Gate) for g in self.gates):
            raise ValueError(f"{where}: gates is {self.gates!r}, not a tuple of gates; write gates=(Gate(...),)")
        if not 0 <= self.density_S_cm2 < math.inf:
            raise ValueError(f"{where}: density_S_cm2 is {self.density_S_cm2}; give a finite density of 0 S/cm2 or more")
        names = [g.name for g in self.gates]
        for gate in self.gates:
            if names.count(gate.name) > 1:
                raise ValueError(f"{where}: two gates are named {gate.name!r} among {names}; rename one")
            fault = _fault(gate)
            if fault:
                raise ValueError(f"{where}, gate {gate.name!r}: {fault}")


@dataclass(frozen=True)
class ChannelSet:
    """The channels of a membrane, with the capacitance and the initial state they were published with.

    Args:
        name: key in ``gradevo.channels.CHANNEL_SETS``.
        capacitance_uF_cm2: specific membrane capacitance.
        initial_voltage_mV: voltage of every compartment at the start.
        gate_voltage_mV: gates start at their steady state for this voltage; None for the initial voltage itself.
        free: names of the channels whose densities a fit may change.
        source: where the constants come from.
    """

    name: str
    channels: tuple[Channel, ...]
    capacitance_uF_cm2: float
    initial_voltage_mV: float
    free: tuple[str, ...]
    source: str
    gate_voltage_mV: float | None = None
    gates: tuple[Gate, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = [c.name for c in self.channels]
        if len(set(names)) != len(names):
            raise ValueError(f"channel set {self.name!r}: channel names {names} are not unique")
        unknown = set(self.free) - set(names)
        if unknown:
            raise ValueError(f"channel set {self.name!r}: free channels {sorted(unknown)} are not among {names}")
        object.__setattr__(self, "gates", tuple(g for c in self.channels for g in c.gates))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.channels)

    @property
    def free_indices(self) -> tuple[int, ...]:
        """Positions of the free channels among ``channels``."""
        return tuple(self.names.index(name) for name in self.free)

    def initial_gates(self) -> list[float]:
        """Steady state of every gate at the gate start voltage, in the order of ``gates``."""
        v = self.initial_voltage_mV if self.gate_voltage_mV is None else self.gate_voltage_mV
        return [float(evaluate(g.infinity, v)) for g in self.gates]


def power_as_product(power: sp.Pow, of_base: str, of_inverse: Callable[[sp.Expr], str], language: str) -> str:
    """An integer power from -6 to 6 as a product of its printed base, or as one over the printed inverse: exact, and the
    same in every language that rates are written in.

    Raises:
        ValueError: for any other power, naming the language.
    """
    base, exponent = power.as_base_exp()
    if exponent.is_Integer and 0 < int(exponent) <= 6:
        return "(" + "*".join([f"({of_base})"] * int(exponent)) + ")"
    if exponent.is_Integer and -6 <= int(exponent) < 0:
        return f"(1.0/({of_inverse(sp.Pow(base, -exponent))}))"
    raise ValueError(f"{power}: only integer powers up to 6 are known to the {language}; write it with exp")


def combine(name: str, membrane: ChannelSet, *others: ChannelSet) -> ChannelSet:
    """The channels of several sets in one membrane: capacitance, initial state and leak are the first set's, and of the
    others come all channels but their leaks. Free are the channels that are free in their own sets.

    Raises:
        ValueError: if two sets declare a channel of the same name.
    """
    added = [c for s in others for c in s.channels if c.gates]
    sources = "; ".join([membrane.source, *(s.source for s in others)])
    return replace(
        membrane,
        name=name,
        channels=(*membrane.channels, *added),
        free=(*membrane.free, *(f for s in others for f in s.free if f in {c.name for c in added})),
        source=sources,
    )


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


CHECKED_MV = tuple(range(-120, 61))
"""Voltages at which a declared gate must be one: whole numbers, where published rates are 0 / 0 if they are at all."""

ROUNDING = 1e-9
"""By how much a steady state or a rate may be outside its range."""

MOST_INTEGER_POWER = 6
USABLE = "+ - * /, integer powers up to 6, sp.exp, and linoid, sigmoid, softplus, at_least of gradevo.channels.base"


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
def _fault(gate: Gate) -> str:
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
