"""The fits of one condition: a row per method, as the tables have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gradevo.fit import fit
from gradevo.identifiability.information import fisher_information
from gradevo.identifiability.verdicts import Verdicts
from gradevo.jones2024.cases import DRAWN, Case, Config
from gradevo.jones2024.recordings import recordings, shaped, simulated
from gradevo.meter import Meter
from gradevo.methods import get_method
from gradevo.problem import Problem
from gradevo.protocol import resolve_sites
from gradevo.provenance import source_hash
from gradevo.reproduce import Condition, make_protocol
from gradevo.result import Result
from gradevo.simulate import warm_up
from gradevo.units import MS_PER_CM2_TO_S_PER_CM2

PUBLISHED_ADAM = "adam_published"
"""The study's optimiser: Adam on the raw densities, learning rate 0.5, and what it ends with, not the best it saw."""

FINER = 8
"""The integration error is judged against steps this many times shorter."""


@dataclass(frozen=True, eq=False)
class Posed:
    """A condition with the problem made of it, and how far its targets are from exact ones.

    trace_rms_mV, trace_max_mV: of drawn targets, against steps FINER times shorter; of stored ones, between them and the fitted
    neuron at the true densities.
    """

    case: Case
    condition: Condition
    problem: Problem
    trace_rms_mV: float
    trace_max_mV: float


def pose(case: Case, config: Config) -> Posed:
    """Reads or draws the recordings, and asks for the densities of the fitted shape. Raises ValueError as what it calls does."""
    condition = recordings(case, config)
    assert condition.truth is not None
    neuron = shaped(condition, case.fitted)
    warm_up(neuron)
    steps = config["tables"][case.table]["steps_per_sample"]
    recorded = resolve_sites(case.recorded, condition.n_compartments, "recorded site")
    start = neuron.default_densities()[list(neuron.channels.free_indices)].ravel()
    low, high = config["bounds"]
    problem = Problem(
        name=case.name,
        neuron=neuron,
        protocol=make_protocol(condition, neuron, recorded, steps),
        target=condition.voltage.transpose(0, 2, 1)[:, :, list(recorded)],
        low=low * start,
        high=high * start,
        free=neuron.channels.free,
        truth=condition.truth.ravel() * MS_PER_CM2_TO_S_PER_CM2,
        start=start,
        loss_declared="published_mse",
    )
    if case.source == DRAWN:
        other = simulated(condition, shaped(condition, case.targets), FINER * steps)
    else:
        other = simulated(condition, neuron, steps)
    off = other - condition.voltage.transpose(0, 2, 1)
    return Posed(case, condition, problem, float(np.sqrt((off**2).mean())), float(np.abs(off).max()))


def fit_case(case: Case, config: Config) -> pd.DataFrame:
    """A row per method.

    Columns: those of `tables.COLUMNS` and `tables.SHAPE_COLUMNS` but for what was published, and table, case, status, message,
    dt_ms, trace_rms_mV, trace_max_mV (see `Posed`) and source_sha256. Errors are means over compartments of absolute ones,
    mS/cm2; losses the study's, mV2; loss_of_truth that of the fitted neuron at the true densities.
    """
    posed = pose(case, config)
    problem = posed.problem
    assert problem.truth is not None
    found = Verdicts(fisher_information(problem, problem.truth, config["noise_mV"]))
    common: dict[str, Any] = {
        "table": case.table,
        "case": case.name,
        "source": case.source,
        "stimulated": case.stimulated,
        "recorded": case.recorded,
        "targets": case.targets,
        "fitted": case.fitted,
        "identified_fraction": float(found.identified.mean()),
        "loss_of_truth": float(problem.loss_of_densities(problem.truth[None])[0]),
        "dt_ms": problem.protocol.step_ms,
        "trace_rms_mV": posed.trace_rms_mV,
        "trace_max_mV": posed.trace_max_mV,
    }
    return pd.DataFrame([common | {"method": method} | _fitted(posed, config, method) for method in case.methods])


def _fitted(posed: Posed, config: Config, method: str) -> dict[str, Any]:
    """One fit's part of a row."""
    problem = posed.problem
    settings: dict[str, Any] = config["methods"][method]
    as_published = method == PUBLISHED_ADAM
    name = "adam" if as_published else method
    evaluations = config["published_steps"] + 1  # the densities after the last step are evaluated too
    if as_published:
        settings = {"preset": "published", "steps": evaluations} | settings
    last: list[np.ndarray] = []

    def follow(meter: Meter) -> None:
        assert meter.latest_densities is not None
        last[:] = [meter.latest_densities[0]]

    result = fit(
        problem,
        name,
        seed=config["seed"],
        budget_equivalents=config["gradient_weight"] * problem.n_simulations * evaluations,
        gradient_weight=config["gradient_weight"],
        tangent_weight=config["tangent_weight"],
        settings=settings,
        stop_loss=None if as_published else config["stop_loss_mV2"],
        wall_limit_s=None if as_published else config["wall_limit_s"],
        heldout_points=0,
        on_event=follow,
    )
    densities = last[0] if as_published and last else result.best_densities
    return {
        **_errors(posed.condition, densities),
        "loss": _loss(result, as_published),
        "simulations": int(result.totals["simulations"]),
        "gradients": int(result.totals["gradients"]),
        "wall_s": float(result.totals["wall_s"]),
        "status": str(result.status),
        "message": result.message,
        "source_sha256": source_hash(get_method(name).module),
    }


def _loss(result: Result, at_the_end: bool) -> float:
    if at_the_end and len(result.columns["loss"]):
        return float(np.asarray(result.columns["loss"])[-1])
    return float(result.best_loss)


def _errors(condition: Condition, densities: np.ndarray) -> dict[str, float]:
    """densities: [2 compartments] S/cm2."""
    assert condition.truth is not None
    found = densities.reshape(2, -1) / MS_PER_CM2_TO_S_PER_CM2
    na, k = np.abs(found - condition.truth).mean(axis=1)
    return {
        "g_Na_error": float(na),
        "g_K_error": float(k),
        "max_rel_density_error": float(np.abs(found / condition.truth - 1).max()),
    }
