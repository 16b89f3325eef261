"""The law: the scheme of docs/numerics.md written plainly in torch, differentiated by torch, with a dense solve.

Nothing here is shared with the fused kernel but the declarations (channels, initial gates, morphology) and the currents' means
over each step, which have tests of their own: rates are evaluated with torch's own functions, their derivatives come from
autograd, and the voltage matrix is solved without an elimination order. Slow; for tests.
"""

from collections.abc import Callable

import sympy as sp
import torch

from gradevo.channels.base import ChannelSet, V
from gradevo.kernels.primitives import EXPONENT_LIMIT
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.units import S_PER_CM2_UM2_TO_US, UF_PER_CM2_UM2_TO_NF

Tensor = torch.Tensor


def _exp(x: Tensor) -> Tensor:
    return torch.exp(torch.clamp(x, -EXPONENT_LIMIT, EXPONENT_LIMIT))


def _linoid(x: Tensor) -> Tensor:
    near = x.abs() < 1e-2
    safe = torch.where(near, torch.ones_like(x), x)
    series = 1 + x / 2 + x**2 / 12 - x**4 / 720 + x**6 / 30240
    return torch.where(near, series, -safe / torch.expm1(torch.clamp(-safe, -EXPONENT_LIMIT, EXPONENT_LIMIT)))


_FUNCTIONS = {
    "exp": _exp,
    "linoid": _linoid,
    "sigmoid": torch.sigmoid,
    "at_least": lambda x, floor: torch.clamp(x, min=floor),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
}


def _as_function(expression: sp.Expr) -> Callable[[Tensor], Tensor]:
    return sp.lambdify(V, expression, modules=[_FUNCTIONS])


def simulate_reference(neuron: Neuron, densities: Tensor, protocol: Protocol) -> Tensor:
    """What ``simulate`` returns, for densities [population, channels, compartments] in S/cm2; same errors."""
    protocol.validate(neuron)
    neuron.check_densities(densities.detach().numpy())
    m, channels = neuron.morphology, neuron.channels
    n, nodes, theta, dt = m.n_compartments, m.n_nodes, protocol.implicitness, protocol.step_ms
    curves = [(_as_function(g.infinity), None if g.instantaneous else _as_function(g.rate)) for g in channels.gates]

    axial = torch.zeros(nodes, nodes, dtype=torch.float64)
    for (i, j), g in zip(m.edges.tolist(), m.conductances_uS.tolist(), strict=True):
        axial[i, i] += g
        axial[j, j] += g
        axial[i, j] -= g
        axial[j, i] -= g
    area = torch.from_numpy(m.areas_um2)
    capacity = channels.capacitance_uF_cm2 * area * UF_PER_CM2_UM2_TO_NF / (theta * dt)
    conductances = (densities * area * S_PER_CM2_UM2_TO_US)[:, None]  # [population, 1, channels, n] uS

    shape = (densities.shape[0], protocol.n_stimuli, n)
    voltage = torch.full(shape, channels.initial_voltage_mV, dtype=torch.float64)
    gates = [torch.full(shape, x, dtype=torch.float64) for x in channels.initial_gates()]
    start, piece, weight = protocol.stimulus.step_weights(protocol.start_ms, dt, protocol.n_steps)
    values = torch.from_numpy(protocol.stimulus.values_nA)
    sites, recorded = list(protocol.stimulated), list(protocol.recorded)
    samples = [voltage[..., recorded]]
    for s in range(protocol.n_steps):
        h = protocol.first_gate_step_ms if s == 0 else dt
        gates = [
            infinity(voltage) if rate is None else x + (infinity(voltage) - x) * (1 - _exp(-h * rate(voltage)))
            for x, (infinity, rate) in zip(gates, curves, strict=True)
        ]
        total, driven = membrane(channels, conductances, gates)
        current = torch.zeros(shape[1:], dtype=torch.float64)
        for k in range(start[s], start[s + 1]):
            current[:, sites] += float(weight[k]) * values[:, :, piece[k]]
        matrix = axial + torch.diag_embed(torch.nn.functional.pad(capacity + total, (0, nodes - n)))
        rhs = torch.nn.functional.pad(capacity * voltage + driven + current, (0, nodes - n))
        solved = torch.linalg.solve(matrix, rhs[..., None])[..., :n, 0]
        voltage = voltage + (solved - voltage) / theta
        if (s + 1) % protocol.steps_per_sample == 0:
            samples.append(voltage[..., recorded])
    return torch.stack(samples, dim=-2)


def membrane(channels: ChannelSet, conductances: Tensor, gates: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Sum of g (uS) and of g E (nA), [population, stimuli, compartments]."""
    total, driven, i = torch.zeros(()), torch.zeros(()), 0
    for c, channel in enumerate(channels.channels):
        g = conductances[:, :, c]
        for gate in channel.gates:
            g = g * gates[i] ** gate.power
            i += 1
        total = total + g
        driven = driven + g * channel.reversal_mV
    return total, driven
