"""The neuron that makes the data, where it is not the one that is fitted: other kinetics, or a finer morphology.

Declared by a problem's key `truth`: shift_mV and rate_factor by channel, refine. Its densities are those of the fitted neuron:
each true compartment has the density of the fitted compartment that covers it, so that density errors compare the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from gradevo.channels.base import ChannelSet, Gate, V
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol

REFINABLE = ("chain", "balanced_tree", "random_tree")
"""Kinds of morphologies that can be made finer."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The true neuron, and for each of its compartments [n_true] the fitted one that covers it."""

    neuron: Neuron
    cover: np.ndarray

    def densities(self, fitted: np.ndarray) -> np.ndarray:
        """[channels, n] of the fitted neuron's compartments -> [channels, n_true], S/cm2."""
        return fitted[:, self.cover]

    def protocol(self, fitted: Protocol) -> Protocol:
        """The same currents (nA) and recordings, at the compartment in the middle of each fitted one."""
        middle = self.middles
        return replace(
            fitted,
            stimulated=tuple(int(middle[site]) for site in fitted.stimulated),
            recorded=tuple(int(middle[site]) for site in fitted.recorded),
        )

    @property
    def middles(self) -> np.ndarray:
        """[n] the true compartment at the centre of every fitted one."""
        inside = [np.flatnonzero(self.cover == i) for i in range(int(self.cover.max()) + 1)]
        return np.array([those[len(those) // 2] for those in inside])


def perturbed(channels: ChannelSet, shift_mV: Mapping[str, float], rate_factor: Mapping[str, float]) -> ChannelSet:
    """The channel set with gates that are moved along the voltage, or faster.

    shift_mV: channel -> by how much all its gates' curves are moved towards positive voltages: f(V) becomes f(V - shift).
    rate_factor: channel -> what its gates' rates are multiplied by, their steady states unchanged.

    Raises
    ------
    ValueError : for a channel that is not in the set or has no gates
    """
    gated = [c.name for c in channels.channels if c.gates]
    for key, changes in (("shift_mV", shift_mV), ("rate_factor", rate_factor)):
        for name in changes:
            if name not in gated:
                raise ValueError(
                    f"{key} names {name!r}, which has no gates to change; those of {channels.name!r}: {', '.join(gated)}"
                )
    made = [
        replace(c, gates=tuple(_changed(g, shift_mV.get(c.name, 0.0), rate_factor.get(c.name, 1.0)) for g in c.gates))
        for c in channels.channels
    ]
    said = [f"{name} {value:+g} mV" for name, value in shift_mV.items()]
    said += [f"{name} x {value:g}" for name, value in rate_factor.items()]
    return replace(channels, name=f"{channels.name} ({', '.join(said)})", channels=tuple(made)) if said else channels


def refined(shape: Mapping[str, Any], refine: int) -> dict[str, Any]:
    """A declared morphology of which every compartment (but a soma, which is one) is cut into `refine`. Raises ValueError."""
    if refine == 1:
        return dict(shape)
    kind = shape["kind"]
    if kind not in REFINABLE or "coupling_S_cm2" in shape:
        raise ValueError(
            f"a morphology of kind {kind!r} cannot be refined; those that can: {', '.join(REFINABLE)}, by resistivity"
        )
    if refine < 1 or refine % 2 == 0:
        raise ValueError(f"refine is {refine}; give an odd number, so that a compartment's centre stays one")
    if kind == "chain":
        return {**shape, "compartments": refine * shape["compartments"], "length_um": shape.get("length_um", 50.0) / refine}
    return {**shape, "compartments_per_section": refine * shape.get("compartments_per_section", 1)}


def cover(kind: str, refine: int, n_true: int) -> np.ndarray:
    """[n_true] the fitted compartment that covers each true one of a `refined` morphology."""
    soma = int(kind == "random_tree")  # one compartment in both
    i = np.arange(n_true)
    return np.where(i < soma, i, soma + (i - soma) // refine)


def _changed(gate: Gate, shift_mV: float, factor: float) -> Gate:
    if shift_mV == 0 and factor == 1:
        return gate
    if gate.alpha is not None and gate.beta is not None:
        return replace(gate, alpha=factor * _moved(gate.alpha, shift_mV), beta=factor * _moved(gate.beta, shift_mV))
    assert gate.steady_state is not None
    assert gate.time_constant is not None
    time_constant = _moved(gate.time_constant, shift_mV) / factor
    return replace(gate, steady_state=_moved(gate.steady_state, shift_mV), time_constant=time_constant)


def _moved(curve: sp.Expr, shift_mV: float) -> Any:  # Any: sympy's own type says nothing useful
    return curve.xreplace({V: V - sp.Float(shift_mV)})
