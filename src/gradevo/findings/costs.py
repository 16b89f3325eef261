"""Who reaches a target at what cost, and with which densities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from gradevo.figures.style import problem_label, rows
from gradevo.findings.phrases import UNITS, Labels, Row, Tables, begun, cost
from gradevo.wording import listed, number, percent


def costs_to_loss(tables: Tables, label: Labels) -> Iterator[str]:
    """Per problem, every method, cheapest first."""
    problems: dict[Any, Any] = tables["problems"].set_index("problem").to_dict("index")
    for problem, cell in tables["statistics"].groupby("problem", sort=False):
        ordered: list[Row] = cell.sort_values("expected_simulation_equivalents_to_target", kind="stable").to_dict("records")
        about = problems[problem]
        yield f"\n**{problem_label(str(problem))}** ({_about(about, ordered[0]['n_parameters'])})\n"
        for row in ordered:
            said = f"{label[row['method']]} reached the target in {row['success_loss']} of {row['fits']} fits, "
            if row["success_loss"]:
                said += f"at {listed(cost(row, f'expected_{axis}_to_target', unit) for axis, unit in UNITS.items())}."
            else:
                spent = listed(f"{number(row[f'spent_{axis}'])} {unit}" for axis, unit in UNITS.items())
                said += f"which spent {spent} together."
            yield f"- {begun(said)} {_ended(row, about['loss_unit'])}"


def _about(about: Row, n_parameters: int) -> str:
    """A problem's size, sites, noise and target."""
    noise = [f"noise {number(about['noise_mV'])} mV"] if about["noise_mV"] else []
    sites = f"{about['compartments']} compartments, {about['stimulated']} stimulated, {about['recorded']} recorded"
    lowest, highest = about["loss_target"], about["loss_target_high"]
    target = f"loss target {_loss(lowest, about['loss_unit'])}"
    if highest > lowest:
        target += f" to {_loss(highest, about['loss_unit'])}, each neuron's own"
    return "; ".join([f"{n_parameters} parameters", sites, *noise, target])


def _loss(value: float, unit: str) -> str:
    return number(value) if unit == "none" or not math.isfinite(value) else f"{number(value)} {unit}"


def _ended(row: Row, unit: str) -> str:
    """What a method's fits end with, of what is known."""
    said = [f"loss {_loss(row['median_best_loss'], unit)}"]
    if not math.isnan(row["median_heldout_loss"]):
        said.append(f"held-out loss {_loss(row['median_heldout_loss'], unit)}")
    if not math.isnan(row["median_density_error_max_rel"]):
        said.append(f"largest density error {percent(row['median_density_error_max_rel'])}")
    return f"Medians at the end of its fits: {', '.join(said)}."


def wrong_densities(statistics: pd.DataFrame, label: Labels, config: Mapping[str, Any]) -> Iterator[str]:
    """Fits whose loss is a success and whose densities are not: what the recordings do not tell, or not to this method."""
    for problem in statistics.loc[statistics["success_density"].isna(), "problem"].unique():
        yield (
            f"- Nobody knows the true densities of {problem_label(str(problem))}: no error of a density can be given. How far "
            "the fitted ones differ between seeds is in spread.csv."
        )
    known = statistics.dropna(subset=["success_density"])
    if known.empty:
        return
    reached, missed = (int(known[name].to_numpy(float).sum()) for name in ("success_loss", "success_loss_only"))
    yield (
        f"- {reached} fits reached the loss target; of these, {missed} missed the study's criterion for the densities, an error "
        f"of at most {percent(config['success']['density_rel'])} in every one. In brackets: the largest error, the median over "
        "all fits of the method."
    )
    for problem, cell in known.groupby("problem", sort=False):
        said = [
            f"{row['success_loss_only']:.0f} of {row['success_loss']} by {label[row['method']]} "
            f"({percent(row['median_density_error_max_rel'])})"
            for row in cell.to_dict("records")
            if row["success_loss_only"]
        ]
        if said:
            yield f"  - On {problem_label(str(problem))}: {listed(said)}."


def costs_to_densities(costs: pd.DataFrame, label: Labels) -> Iterator[str]:
    """Per problem and target on the densities, who reaches it and at what cost."""
    if not costs["target"].str.contains("density error").any():
        yield "- Nobody knows the true densities of any problem of this study."
    of_axis = rows(costs, axis="simulation_equivalents")
    for (problem, target), cell in of_axis.groupby(["problem", "target"], sort=False):  # pyright: ignore[reportGeneralTypeIssues]
        if "density error" not in target:
            continue
        reached = [
            f"{label[row['method']]} ({row['reached']} of {row['fits']}, {cost(row, 'expected', 'simulation-equivalents')})"
            for row in cell.sort_values("expected", kind="stable").to_dict("records")
            if row["reached"]
        ]
        kind = target.replace("max", "largest")
        yield f"- On {problem_label(str(problem))}, {kind} or less: {listed(reached) if reached else 'reached by no method'}."
