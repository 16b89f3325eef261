# pyright: reportMissingImports=false
"""Channels of Jaxley from gradevo's declarations. Loaded in Jaxley's process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import sympy as sp
from jaxley.channels import Channel as JaxleyChannel
from jaxley.solver_gate import exponential_euler

from gradevo.channels import ChannelSet
from gradevo.channels.base import Channel, Gate, V
from gradevo.kernels.primitives import LINOID_SERIES_BELOW
from gradevo.nmodl import suffix


def linoid(x: Any) -> Any:
    """x / (1 - exp(-x)); near zero its Taylor series, because the quotient cancels there."""
    small = jnp.abs(x) < LINOID_SERIES_BELOW
    away = jnp.where(small, 1.0, x)  # what is not chosen must not spoil the derivative
    z = x * x
    series = 1 + x / 2 + z * (1 / 12 + z * (-1 / 720 + z * (1 / 30240 - z / 1209600)))
    return jnp.where(small, series, away / -jnp.expm1(-away))


_FUNCTIONS = {"linoid": linoid, "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus, "at_least": jnp.maximum}


def jaxley_channels(channels: ChannelSet) -> list[JaxleyChannel]:
    """One for each, called as in NEURON; its density is the parameter `<name>_gbar` in S/cm2."""
    return [Declared(channel, suffix(channels, channel), channels.gate_voltage_mV) for channel in channels.channels]


class Declared(JaxleyChannel):
    """A declared channel: gates advance exponentially from the voltage at the start of the step, instantaneous ones are their
    steady state there."""

    def __init__(self, channel: Channel, name: str, gate_voltage_mV: float | None) -> None:
        self.current_is_in_mA_per_cm2 = True
        super().__init__(name)
        self.channel, self.gate_voltage_mV = channel, gate_voltage_mV
        self.curves = {gate.name: _curves(gate) for gate in channel.gates}
        self.channel_params = {f"{name}_gbar": channel.density_S_cm2, f"{name}_e": channel.reversal_mV}
        self.channel_states = {f"{name}_{gate.name}": 0.0 for gate in channel.gates}
        self.current_name = f"i_{name}"

    def update_states(self, states: dict[str, Any], dt: float, v: Any, params: dict[str, Any]) -> dict[str, Any]:
        new = {}
        for gate in self.channel.gates:
            key = f"{self._name}_{gate.name}"
            steady, tau = self.curves[gate.name](v)
            new[key] = steady if tau is None else exponential_euler(states[key], dt, steady, tau)
        return new

    def compute_current(self, states: dict[str, Any], v: Any, params: dict[str, Any]) -> Any:
        conductance = params[f"{self._name}_gbar"]
        for gate in self.channel.gates:
            conductance = conductance * states[f"{self._name}_{gate.name}"] ** gate.power
        return conductance * (v - params[f"{self._name}_e"])

    def init_state(self, states: dict[str, Any], v: Any, params: dict[str, Any], delta_t: float) -> dict[str, Any]:
        at = v if self.gate_voltage_mV is None else jnp.full_like(v, self.gate_voltage_mV)
        return {f"{self._name}_{name}": curves(at)[0] for name, curves in self.curves.items()}


def _curves(gate: Gate) -> Callable[[Any], tuple[Any, Any]]:
    """Voltage -> steady state and time constant (ms; None for an instantaneous gate)."""
    if gate.alpha is not None and gate.beta is not None:
        alpha, beta = _function(gate.alpha), _function(gate.beta)

        def by_rates(v: Any) -> tuple[Any, Any]:
            opening, closing = alpha(v), beta(v)
            tau = 1 / (opening + closing)
            return opening * tau, tau

        return by_rates
    assert gate.time_constant is not None
    steady = _function(gate.infinity)
    if gate.instantaneous:
        return lambda v: (steady(v), None)
    tau = _function(gate.time_constant)
    return lambda v: (steady(v), tau(v))


def _function(expression: sp.Expr) -> Callable[[Any], Any]:
    # a rate may be a number: in the voltage's shape all the same
    found = sp.lambdify(V, expression, modules=[_FUNCTIONS, "jax"])
    return lambda v: found(v) + jnp.zeros_like(v)
