"""Derivatives of recorded voltages with respect to a neuron's parameters, and the products of them that least squares needs.

One derivative per parameter comes from the tangents of the fused kernel (``kernels/tangents.py``); the Jacobian is consumed
part by part and never held.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from gradevo.devices import tangents as tangents_on
from gradevo.kernels import cpu, tangents
from gradevo.parameters import Parameters
from gradevo.simulate import passive_properties
from gradevo.units import AXIAL_RESISTIVITY, CAPACITANCE, UF_PER_CM2_UM2_TO_NF


class ResidualProducts(NamedTuple):
    """Of residuals r whose squares add up to the loss: loss, J^T r [P] (half the gradient) and J^T J [P, P]."""

    loss: float
    gradient_half: np.ndarray
    normal_matrix: np.ndarray


def directions(parameters: Parameters, plan: cpu.Plan, values: np.ndarray) -> tangents.Directions:
    """One direction per parameter, for parameters [P] in physical units."""
    neuron, protocol = parameters.neuron, plan.protocol
    m, n_channels = neuron.morphology, len(neuron.channel_names)
    n = m.n_compartments
    per_area = m.areas_um2 * UF_PER_CM2_UM2_TO_NF / (protocol.implicitness * protocol.step_ms)
    entries: list[tuple[np.ndarray, ...]] = []
    for q in parameters.quantities:
        owner = q.values.start + q.labels
        compartments = np.arange(n)
        if q.name == AXIAL_RESISTIVITY:
            # all conductances are proportional to 1 / R
            nodes, first = np.arange(m.n_nodes), q.values.start
            relative = np.full(m.n_nodes, -1.0 / values[first])
            entries.append((nodes, n * (n_channels + 1) + nodes, relative, np.full(m.n_nodes, first)))
        elif q.name == CAPACITANCE:
            entries.append((compartments, n * n_channels + compartments, per_area, owner))
        else:
            channel = neuron.channel_names.index(q.name)
            entries.append((compartments, compartments * n_channels + channel, plan.to_uS, owner))
    node, source, weight, direction = (np.concatenate(columns) for columns in zip(*entries, strict=True))
    return tangents.Directions(
        parameters.n_parameters, node.astype(np.int64), source.astype(np.int64), weight.astype(float), direction.astype(np.int64)
    )


def residual_products(
    parameters: Parameters,
    plan: cpu.Plan,
    target: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    device: str = "cpu",
    window_samples: int | None = None,
) -> ResidualProducts:
    """For parameters [P] in physical units and the loss: mean over stimuli of sum of weights times squared differences to target
    [stimuli, samples, recorded]. The weights are [samples, recorded], or [stimuli, samples, recorded] where stimuli differ in
    them. A diverged simulation makes the loss infinite and the products zero. With ``window_samples``, recorded voltages are the
    target's at the beginning of every window of so many samples (methods/windows.py), which the CPU computes.
    """
    n_stimuli, n_parameters = plan.protocol.n_stimuli, parameters.n_parameters
    # weights that are all the same are taken out of the sums: a pass less over the Jacobian
    common = float(weights.flat[0]) / n_stimuli if weights.min() == weights.max() else None
    root = np.broadcast_to(np.sqrt(weights / n_stimuli), target.shape)
    blocks = tangents.GROUPS
    normal = np.zeros((blocks, n_parameters, n_parameters))
    half = np.zeros((blocks, n_parameters))

    def add(group: int, stimulus: int, first: int, part: np.ndarray, simulated: np.ndarray) -> None:
        rows = slice(first, first + len(part))
        residual = simulated - target[stimulus, rows]
        if common is None:
            part *= root[stimulus, rows, :, None]
            residual *= root[stimulus, rows]
        weighted = part.reshape(-1, n_parameters)
        with np.errstate(invalid="ignore", over="ignore"):
            normal[group] += weighted.T @ weighted
            half[group] += residual.reshape(-1) @ weighted

    inputs = parameters.inputs(values[None])
    passive = passive_properties(parameters.neuron, 1, inputs.capacitance, inputs.axial_resistivity)
    # our own threads already fill the cores; and BLAS then sums in one order, whatever their number
    with threadpool_limits(1, user_api="blas"):
        every = directions(parameters, plan, values)
        if window_samples is None:
            voltages = tangents_on(device).stream_jacobian(plan, inputs.densities[0], every, add, passive=passive)
        else:
            windows = tangents.Windows(window_samples, target)
            voltages = tangents.stream_jacobian(plan, inputs.densities[0], every, add, passive=passive, windows=windows)
    with np.errstate(invalid="ignore", over="ignore"):
        loss = float((weights * (voltages - target) ** 2).sum(axis=(1, 2)).mean())
    if not np.isfinite(loss):
        return ResidualProducts(np.inf, np.zeros(n_parameters), np.zeros((n_parameters, n_parameters)))
    scale = 1.0 if common is None else common
    return ResidualProducts(loss, scale * half.sum(axis=0), scale * normal.sum(axis=0))
