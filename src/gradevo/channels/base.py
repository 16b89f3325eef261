"""Channels as symbolic declarations. Every backend (torch, Numba) is generated from these and from nothing else."""

import math
from dataclasses import dataclass, field, replace
from numbers import Integral

import sympy as sp

from gradevo.channels.checks import fault_of
from gradevo.channels.expressions import V, at_least, evaluate, linoid, sigmoid, softplus

__all__ = ["Channel", "ChannelSet", "Gate", "V", "at_least", "combine", "linoid", "sigmoid", "softplus"]


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
            fault = fault_of(gate)
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
