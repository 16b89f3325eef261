"""Densities by linear regression on currents, where every compartment's voltage is recorded.

Gates are driven by the voltage alone: along recorded voltages they can be integrated without knowing any density. What charges a
membrane is then linear in the densities (Huys, Ahrens and Paninski 2006, J Neurophysiol 96:872, doi 10.1152/jn.00079.2006).
Here it is the integrated form: the change of voltage over each sampling interval against the charge through each channel,
summed over the simulator's own steps, so that no derivative of data is taken. Between the samples the voltage is
what the membrane, with the densities found so far and its neighbours' voltages, does from one sample to the next, with what is
missing at the next sample spread evenly. The true densities are a fixed point of that, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp

from gradevo.channels.base import V
from gradevo.kernels.primitives import EXPONENT_LIMIT
from gradevo.problem import Problem
from gradevo.units import S_PER_CM2_UM2_TO_US, UF_PER_CM2_UM2_TO_NF

# Added to the normal matrix, of unit diagonal: where the data are silent, densities stay as they were.
_RIDGE = 1e-13


def _exp(x: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(x, -EXPONENT_LIMIT, EXPONENT_LIMIT))


def _linoid(x: np.ndarray) -> np.ndarray:
    near = np.abs(x) < 1e-2
    safe = np.where(near, 1.0, x)
    series = 1 + x / 2 + x**2 / 12 - x**4 / 720 + x**6 / 30240
    return np.where(near, series, -safe / np.expm1(np.clip(-safe, -EXPONENT_LIMIT, EXPONENT_LIMIT)))


_FUNCTIONS = {
    "exp": _exp,
    "linoid": _linoid,
    "sigmoid": lambda x: 1 / (1 + _exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "at_least": np.maximum,
}


class Currents:
    """The regression of one problem.

    Attributes: `values` [P] S/cm2, the densities found so far; `path` [steps + 1, stimuli, n] mV, the voltages at every step.

    Raises ValueError where not every compartment is recorded throughout, or something else than densities is free.
    """

    def __init__(self, problem: Problem, values: np.ndarray) -> None:
        neuron, protocol = problem.neuron, problem.protocol
        m, n = neuron.morphology, neuron.n_compartments
        if problem.observed is not None or sorted(protocol.recorded) != list(range(n)):
            raise ValueError(
                f"regression on currents needs the voltage of every compartment throughout; problem {problem.name!r} records "
                f"{len(protocol.recorded)} of {n}: use synchronised_lm, or record all"
            )
        for quantity in problem.parameters.quantities:
            if quantity.name not in neuron.channel_names:
                raise ValueError(f"regression on currents finds densities; {quantity.name} is free too: use levenberg_marquardt")
        self.problem = problem
        self.values = np.array(values, dtype=float)
        self.data = np.empty((protocol.n_samples, protocol.n_stimuli, n))
        self.data[:, :, list(protocol.recorded)] = problem.target.transpose(1, 0, 2)
        share = np.arange(1, protocol.steps_per_sample + 1)[:, None, None] / protocol.steps_per_sample
        between = self.data[:-1, None] + share * np.diff(self.data, axis=0)[:, None]
        self.path = np.concatenate([self.data[:1], between.reshape(-1, *self.data.shape[1:])])
        self._capacity = neuron.channels.capacitance_uF_cm2 * m.areas_um2 * UF_PER_CM2_UM2_TO_NF / protocol.step_ms
        self._to_uS = m.areas_um2 * S_PER_CM2_UM2_TO_US
        self._axial = _between_compartments(m.n_nodes, n, m.edges, m.conductances_uS)
        self._curves = [(_function(g.infinity), None if g.instantaneous else _function(g.rate)) for g in neuron.channels.gates]
        self._pieces = protocol.stimulus.step_weights(protocol.start_ms, protocol.step_ms, protocol.n_steps)

    def improve(self) -> np.ndarray:
        """One pass: regress on the voltages between samples, then redraw these. Returns the new densities [P] in the box."""
        opened = self._conductances()
        self.values = self._regressed(opened)
        self._redraw(opened)
        return self.values

    def _conductances(self) -> np.ndarray:
        """[steps, channels, stimuli, n]: the product of each channel's gates during every step, along the path."""
        channels, protocol = self.problem.neuron.channels, self.problem.protocol
        shape = self.path.shape[1:]
        gates = [np.full(shape, x) for x in channels.initial_gates()]
        opened = np.ones((protocol.n_steps, len(channels.channels), *shape))
        for s in range(protocol.n_steps):
            h = protocol.first_gate_step_ms if s == 0 else protocol.step_ms
            voltage, i = self.path[s], 0
            for c, channel in enumerate(channels.channels):
                for gate in channel.gates:
                    infinity, rate = self._curves[i]
                    steady = infinity(voltage)
                    gates[i] = steady if rate is None else steady + (gates[i] - steady) * _exp(-h * rate(voltage))
                    opened[s, c] *= gates[i] ** gate.power
                    i += 1
        return opened

    def _regressed(self, opened: np.ndarray) -> np.ndarray:
        """Densities [P] from least squares on the change of voltage over every sampling interval, cut at the box."""
        problem, protocol = self.problem, self.problem.protocol
        parameters, names = problem.parameters, problem.neuron.channel_names
        driven = self._reversals[:, None, None] - self._middle[:, None]
        charge = opened * driven * (self._to_uS / self._capacity)  # mV per S/cm2 and step
        known = (self._currents - self._middle @ self._axial) / self._capacity
        free = [names.index(q.name) for q in parameters.quantities]
        full = parameters.inputs(self.values[None]).densities[0]
        missing = np.diff(self.path, axis=0) - known - np.einsum("sckn,cn->skn", charge, full)
        per_sample = (protocol.n_samples - 1, protocol.steps_per_sample)
        missing = missing.reshape(*per_sample, *missing.shape[1:]).sum(axis=1)
        charge = charge[:, free].reshape(*per_sample, len(free), *charge.shape[2:]).sum(axis=1)
        normal, slope = np.zeros((parameters.n_parameters,) * 2), np.zeros(parameters.n_parameters)
        owners = [q.values.start + q.labels for q in parameters.quantities]
        for a, own in enumerate(owners):
            np.add.at(slope, own, np.einsum("skn,skn->n", charge[:, a], missing))
            for b, other in enumerate(owners):
                np.add.at(normal, (own, other), np.einsum("skn,skn->n", charge[:, a], charge[:, b]))
        scale = np.sqrt(np.diagonal(normal))
        scale = np.where(scale > 0, scale, 1.0)
        scaled = normal / scale[:, None] / scale + _RIDGE * np.eye(len(scale))
        return np.clip(self.values + np.linalg.solve(scaled, slope / scale) / scale, problem.low, problem.high)

    def _redraw(self, opened: np.ndarray) -> None:
        """The voltages between samples, with the present densities and the neighbours' voltages of the old path."""
        protocol, theta = self.problem.protocol, self.problem.protocol.implicitness
        full = self.problem.parameters.inputs(self.values[None]).densities[0] * self._to_uS
        own = np.diagonal(self._axial)
        entering = self._currents - self._middle @ (self._axial - np.diag(own))
        entering += np.einsum("sckn,cn,c->skn", opened, full, self._reversals)
        leaving = self._capacity / theta + own + np.einsum("sckn,cn->skn", opened, full)
        per = protocol.steps_per_sample
        path = self.path.copy()
        for j in range(per):
            before = path[j:-1:per] if j else self.data[:-1]
            solved = (self._capacity / theta * before + entering[j::per]) / leaving[j::per]
            path[j + 1 :: per] = before + (solved - before) / theta
        amiss = self.data[1:] - path[per::per]
        for j in range(1, per + 1):
            path[j::per] += j / per * amiss
        self.path = path

    @property
    def _reversals(self) -> np.ndarray:
        return np.array([channel.reversal_mV for channel in self.problem.neuron.channels.channels])

    @property
    def _middle(self) -> np.ndarray:
        """[steps, stimuli, n] the voltage that drives currents during every step."""
        theta = self.problem.protocol.implicitness
        return (1 - theta) * self.path[:-1] + theta * self.path[1:]

    @property
    def _currents(self) -> np.ndarray:
        """[steps, stimuli, n] nA, the mean injected current of every step."""
        protocol = self.problem.protocol
        start, piece, weight = self._pieces
        values = protocol.stimulus.values_nA[:, :, piece] * weight
        injected = np.zeros((protocol.n_steps, *self.path.shape[1:]))
        injected[:, :, list(protocol.stimulated)] = np.add.reduceat(values, start[:-1], axis=2).transpose(2, 0, 1)
        return injected


def _function(expression: sp.Expr) -> Callable[[np.ndarray], np.ndarray]:
    return sp.lambdify(V, expression, modules=[_FUNCTIONS, "numpy"], cse=True)


def _between_compartments(nodes: int, n: int, edges: np.ndarray, conductances_uS: np.ndarray) -> np.ndarray:
    """[n, n] uS: the axial matrix, its branch points eliminated (they have no capacitance)."""
    axial = np.zeros((nodes, nodes))
    for (i, j), g in zip(edges, conductances_uS, strict=True):
        axial[[i, j], [i, j]] += g
        axial[[i, j], [j, i]] -= g
    if nodes == n:
        return axial
    return axial[:n, :n] - axial[:n, n:] @ np.linalg.solve(axial[n:, n:], axial[n:, :n])
