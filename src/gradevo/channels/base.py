"""Channels as symbolic declarations. Every backend (torch, Numba) is generated from these and from nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
        ValueError: if neither or both of the two forms are given, or the power is below 1.
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
        if self.power < 1:
            raise ValueError(f"gate {self.name!r}: power {self.power} is below 1")

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
        density_S_cm2: the default maximal conductance density.
        gates: none for a leak.
    """

    name: str
    reversal_mV: float
    density_S_cm2: float
    gates: tuple[Gate, ...] = ()


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
