"""Problems that lead to another one: fewer stimuli, a shorter time, a current that pulls recorded sites towards their data, or
windows of time that begin at them.

The pull is synchronisation (Abarbanel, Creveling, Farsian and Kostuk 2009, SIAM J Appl Dyn Syst 8:1341, doi 10.1137/090749761):
strength x C x (V_data - V) is added at every recorded site, C its capacitance. As an injected current and a constant
conductance it needs nothing that the simulator does not have: the current is strength x C x (V_data - E), where E is the reversal
of a leak, whose density grows by strength x C.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from gradevo.meter import Meter
from gradevo.methods.levenberg_marquardt import descend
from gradevo.methods.windows import Windows
from gradevo.problem import Problem
from gradevo.sensitivity import ResidualProducts
from gradevo.stimulus import Stimulus
from gradevo.units import S_PER_CM2_UM2_TO_US, UF_PER_CM2_UM2_TO_NF


@dataclass(frozen=True)
class Stage:
    """strength_per_ms of the pull; the share of the samples, from the first, that is fitted; how many of the stimuli are; and how
    many samples a window is long that begins at the data (windows.py), 0 for none."""

    strength_per_ms: float
    share: float
    stimuli: int
    window: int = 0


@dataclass(frozen=True)
class Aside:
    """Asks the meter about stages of a problem, none of which is ever its best."""

    meter: Meter
    problem: Problem

    def loss(self, problem: Problem, thetas: np.ndarray) -> np.ndarray:
        return self.meter.loss_of_another(self.problem, problem, thetas)

    def residual_products(self, problem: Problem, theta: np.ndarray) -> ResidualProducts:
        return self.meter.products_of_another(self.problem, problem, theta)


def descend_in_stages(
    problem: Problem,
    meter: Meter,
    point: np.ndarray,
    stages: Sequence[Stage],
    iterations: int,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    ridge: float,
) -> np.ndarray:
    """A search of at most so many iterations in each stage, from where the one before ended; then in the problem itself until
    it ends. Returns its last point."""
    for stage in stages:
        point = descend(
            staged(problem, stage), Aside(meter, problem), point, damping, trials, growth, tolerance, iterations, ridge
        )  # fmt: skip
        meter.loss(problem, point[None])
    return descend(problem, meter, point, damping, trials, growth, tolerance, ridge=ridge)


def staged(problem: Problem, stage: Stage) -> Any:
    """The problem of a stage, in the same view; its stimuli are spread over the problem's. With windows, a Windows.

    Raises ValueError for a strength, share or number out of range, recordings with gaps, and where there is no leak to pull by.
    """
    protocol = problem.protocol
    if not (np.isfinite(stage.strength_per_ms) and stage.strength_per_ms >= 0 and 0 < stage.share <= 1 and stage.stimuli >= 1):
        raise ValueError(f"{stage} is out of range: a strength is 0 or more, a share above 0 and at most 1, stimuli 1 or more")
    if problem.observed is not None:
        raise ValueError(
            f"problem {problem.name!r} has recordings with gaps, which cannot be cut into stages; use levenberg_marquardt"
        )
    count = min(stage.stimuli, protocol.n_stimuli)
    chosen = np.rint(np.linspace(0, protocol.n_stimuli - 1, count)).astype(int)
    samples = min(protocol.n_samples, max(2, 1 + round(stage.share * (protocol.n_samples - 1))))
    shorter = replace(
        protocol,
        stimulus=Stimulus(protocol.stimulus.edges_ms, protocol.stimulus.values_nA[chosen]),
        n_samples=samples,
    )
    cut = replace(problem, protocol=shorter, target=problem.target[chosen, :samples], heldout=None, heldout_observed=None)
    cut = pulled(cut, stage.strength_per_ms) if stage.strength_per_ms > 0 else cut
    return Windows(cut, stage.window) if stage.window else cut


def pulled(problem: Problem, strength_per_ms: float) -> Problem:
    """The problem with its recorded sites pulled towards their data, which are splines between the samples."""
    neuron, protocol = problem.neuron, problem.protocol
    leaks = [c for c, channel in enumerate(neuron.channels.channels) if not channel.gates and channel.name not in problem.free]
    if not leaks:
        raise ValueError(f"neuron {neuron.name!r} has no leak with a known density, by which to pull its voltages")
    leak, recorded = leaks[0], list(protocol.recorded)
    areas = neuron.morphology.areas_um2[recorded]
    strength_uS = strength_per_ms * neuron.channels.capacitance_uF_cm2 * areas * UF_PER_CM2_UM2_TO_NF
    fixed = np.array(neuron.default_densities() if problem.fixed is None else problem.fixed, dtype=float)
    fixed[leak, recorded] += strength_uS / (areas * S_PER_CM2_UM2_TO_US)

    steps = np.arange(protocol.n_steps + 1)
    at_steps = CubicSpline(np.arange(protocol.n_samples), problem.target, axis=1)(steps / protocol.steps_per_sample)
    middle = (1 - protocol.implicitness) * at_steps[:, :-1] + protocol.implicitness * at_steps[:, 1:]
    towards = middle - neuron.channels.channels[leak].reversal_mV
    start, piece, weight = protocol.stimulus.step_weights(protocol.start_ms, protocol.step_ms, protocol.n_steps)
    injected = np.add.reduceat(protocol.stimulus.values_nA[:, :, piece] * weight, start[:-1], axis=2)
    sites = sorted({*protocol.stimulated, *recorded})
    values = np.zeros((protocol.n_stimuli, len(sites), protocol.n_steps))
    values[:, np.searchsorted(sites, protocol.stimulated)] += injected
    values[:, np.searchsorted(sites, recorded)] += strength_uS[:, None] * towards.transpose(0, 2, 1)
    stimulus = Stimulus(protocol.start_ms + protocol.step_ms * steps, values)
    return replace(problem, protocol=replace(protocol, stimulus=stimulus, stimulated=tuple(sites)), fixed=fixed)
