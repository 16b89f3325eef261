"""The question in one example: a neuron, its stimuli and traces, and one fit by each family of methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gradevo.config import Config
from gradevo.figure_tables.problems import counts_series
from gradevo.methods import METHODS
from gradevo.problem import Problem
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy
from gradevo.study import make_problem
from gradevo.units import DENSITY_UNIT

FAMILIES = ("gradient", "evolution")

TABLES = ("example", "example_compartments", "example_traces")


def example_tables(
    config: Config, problems: pd.DataFrame, summary: pd.DataFrame, densities: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """TABLES by name.

    The problem is the middle one of the series with the most numbers of parameters. Of each family it is the method with the
    lowest median loss, and of the neurons (seeds) the one on which the evolutionary method ended at its own median: nothing
    is picked by eye.
    """
    chosen = chosen_fits(problems, summary)
    name, seed = chosen["problem"].iloc[0], int(chosen["seed"].iloc[0])
    problem = make_problem(config, name, seed=seed)
    fitted: dict[str, Any] = {
        row["family"]: densities[
            (densities["problem"] == name) & (densities["method"] == row["method"]) & (densities["seed"] == seed)
        ]
        for row in chosen.to_dict("records")
    }
    return dict(zip(TABLES, (chosen, _compartments(problem, fitted), _traces(problem, fitted)), strict=True))


def chosen_fits(problems: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """example.csv: a row per family that has a method with gradevo's simulator on the example's problem."""
    family: Any = {name: method.family for name, method in METHODS.items() if method.simulator == "gradevo"}
    own: Any = summary.assign(family=summary["method"].map(family))
    own = own[own["family"].isin(FAMILIES)]
    of: Any = own if len(own) else summary.assign(family=FAMILIES[0])
    both = of.groupby("problem")["family"].nunique()
    names = [name for name in counts_series(problems, summary) if name in both.index and both[name] == both.max()]
    names = names or list(both.index[both == both.max()])
    on = of[of["problem"] == names[len(names) // 2]]
    best = on.groupby(["family", "method"], sort=False)["best_loss"].median().sort_values(kind="stable")
    methods = {f: next(m for g, m in best.index if g == f) for f in FAMILIES if f in set(on["family"])}
    leading = on[on["method"] == list(methods.values())[-1]].sort_values("best_loss", kind="stable")
    seed = leading["seed"].iloc[(len(leading) - 1) // 2]
    columns = ["problem", "method", "seed", "n_parameters", "simulation_equivalents", "wall_s", "best_loss", "heldout_loss"]
    columns += ["density_error_median_rel", "density_error_max_rel"]
    rows: list[Any] = [on[(on["method"] == method) & (on["seed"] == seed)].assign(family=f) for f, method in methods.items()]
    table: Any = pd.concat(rows)
    return table[["family", *columns]].reset_index(drop=True)


def _compartments(problem: Problem, fitted: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per compartment and fitted channel: where it is, and its densities."""
    shape, parts = problem.neuron.morphology, []
    for quantity in problem.parameters.quantities:
        if quantity.unit != DENSITY_UNIT:
            continue
        part = pd.DataFrame({"compartment": np.arange(problem.neuron.n_compartments), "channel": quantity.name})
        for end, at in (("start", shape.start_um), ("end", shape.end_um)):
            for i, axis in enumerate("xy"):
                part[f"{end}_{axis}_um"] = at[:, i]
        part["diameter_um"], part["path_distance_um"] = shape.diameters_um, shape.path_distance_um
        for key in ("stimulated", "recorded"):
            part[key] = part["compartment"].isin(getattr(problem.protocol, key))
        part["region"] = quantity.labels
        for name, column in (("true", "true"), *((family, "fitted") for family in fitted)):
            table = next(iter(fitted.values())) if name == "true" else fitted[name]
            own: Any = table[table["channel"] == quantity.name].set_index("compartment")[column]
            part[f"{name}_S_cm2"] = own.reindex(part["compartment"]).to_numpy()
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["compartment", "channel"])


def _traces(problem: Problem, fitted: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per time: the first stimulus of those that were fitted and of those held out, and the voltages at the recorded site
    nearest to the root and at the farthest one. Currents are those of the stimulated site nearest to the root."""
    values = {family: fitted_parameters(problem, table) for family, table in fitted.items()}
    shown: list[tuple[str, Protocol, np.ndarray]] = [("fitted", problem.protocol, np.asarray(problem.target))]
    if problem.heldout is not None:
        shown.append(("held out", *problem.heldout))
    distance = problem.neuron.morphology.path_distance_um
    parts = []
    for which, protocol, target in shown:
        first = int(np.argmin(distance[list(protocol.stimulated)]))
        current_nA, edges_ms = protocol.stimulus.values_nA[0, first], protocol.stimulus.edges_ms
        labels: dict[str, Any] = {"stimuli": which, "quantity": "current", "compartment": protocol.stimulated[first]}
        parts.append(pd.DataFrame(labels | {"time_ms": edges_ms, "data": np.append(current_nA, current_nA[-1])}))
        answers = {family: _voltages(problem, protocol, own) for family, own in values.items()}
        of_recorded = distance[list(protocol.recorded)]
        for position in dict.fromkeys([int(np.argmin(of_recorded)), int(np.argmax(of_recorded))]):
            labels = {"stimuli": which, "quantity": "voltage", "compartment": protocol.recorded[position]}
            traces = {"data": target[0, :, position]} | {family: mV[0, :, position] for family, mV in answers.items()}
            parts.append(pd.DataFrame(labels | {"time_ms": protocol.sample_times_ms} | traces))
    table = pd.concat(parts, ignore_index=True)
    table.insert(3, "path_distance_um", distance[table["compartment"].to_numpy()])
    return table


def fitted_parameters(problem: Problem, fit: pd.DataFrame) -> np.ndarray:
    """A fit's parameters [P] from its rows of densities.parquet; NaN where it has no finite loss."""
    regions = fit.drop_duplicates(["channel", "region"])
    by_region: Any = regions.set_index(["channel", "region"])["fitted"]
    return np.concatenate(
        [
            by_region[quantity.name].reindex(range(quantity.n_regions)).to_numpy(float)
            for quantity in problem.parameters.quantities
        ]
    )


def _voltages(problem: Problem, protocol: Protocol, values: np.ndarray) -> np.ndarray:
    """[stimuli, samples, recorded] mV; NaN for values that are none."""
    if not np.isfinite(values).all():
        return np.full((protocol.n_stimuli, protocol.n_samples, len(protocol.recorded)), np.nan)
    inputs = problem.parameters.inputs(values[None])
    return simulate_numpy(problem.neuron, inputs.densities, protocol, **inputs.passive())[0]
