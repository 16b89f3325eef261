"""The findings say what the tables say, and nothing else."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gradevo.findings import findings
from gradevo.statistics.latex import escape, latex_table
from gradevo.statistics.settings import Settings
from gradevo.statistics.tables import all_tables
from gradevo.wording import between, listed, number
from tests.statistics.fits import summary

SIZES = (2, 12, 48)
SEEDS = 10

# Expected costs at 2, 12 and 48 parameters: evolution is cheaper at 2, L-BFGS from sqrt(2 x 12) on.
CONFIG = {"study": "planted", "success": {"density_rel": 0.01}}
PROBLEMS = pd.DataFrame(
    {
        "problem": [f"tree{size}_all_all" for size in SIZES],
        "compartments": 60, "stimulated": 60, "recorded": 11, "noise_mV": [0, 0, 0.1], "loss_target": 1.0,
        "loss_target_high": 1.0, "loss_unit": "mV²",
    }
)  # fmt: skip

MEANS = {"lbfgs": (20.0, 20.0, 20.0), "cma_es": (10.0, 40.0, np.nan)}


def fits() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A study of ten neurons at three sizes, as its two tables."""
    spread = np.linspace(0.9, 1.1, SEEDS)
    parts = [
        summary(means[i] * spread, np.full(SEEDS, 100.0), method=method, problem=f"tree{size}_all_all").assign(n_parameters=size)
        for i, size in enumerate(SIZES)
        for method, means in MEANS.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    reached = np.isfinite(table["wall_s_to_target"])
    history = table[["problem", "method", "seed"]].assign(best_loss=np.where(reached, 0.5, 2.0), heldout_loss=1.0)
    history = history.assign(density_error_median_rel=0.02, density_error_max_rel=0.3)
    for axis in ("simulations", "gradients", "tangents", "simulation_equivalents", "wall_s", "cpu_s"):
        history[axis] = np.where(reached, table[f"{axis}_to_target"], 100.0)
    return table, history


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """As they are read from their files."""
    series = {f"tree{size}_all_all": "tree2_all_all" for size in SIZES}
    made, _ = all_tables(*fits(), series, Settings(resamples=200))
    made |= {"problems": PROBLEMS}
    return {name: pd.read_csv(io.StringIO(table.to_csv(index=False, float_format="%.6g"))) for name, table in made.items()}


def test_what_was_planted_is_said(tables):
    page = findings(CONFIG, tables)
    for said in (
        "Fits: 60. Problems: 3. Methods: 2. Seeds of each method on a problem: 10, each another start on the same neuron.",
        "(2 parameters; 60 compartments, 60 stimulated, 11 recorded; loss target 1 mV²)",
        "(48 parameters; 60 compartments, 60 stimulated, 11 recorded; noise 0.1 mV; loss target 1 mV²)",
        "L-BFGS reached the target in 10 of 10 fits, at 20 simulation-equivalents (",
        "CMA-ES reached the target in 0 of 10 fits, which spent 1,000 simulation-equivalents and 1,000 s of wall-clock time",
        "Medians at the end of its fits: loss 2 mV², held-out loss 2 mV², largest density error 200 %.",
        "an evolutionary method is cheaper, with a corrected p below 5 %, in 1 of 3 planned comparisons of",
        "On tree2, all | all, L-BFGS is dearer than CMA-ES (10 of 10 seeds; ratio 2, ",
        "; p = 0.002)",
        "has the lowest expected cost in simulation-equivalents on tree2, all | all (CMA-ES, 10 ",
        "a gradient method is cheaper, with a corrected p below 5 %, in 2 of 3 planned comparisons of",
        "0 of 0 other planned comparisons",
        "In simulation-equivalents, 0 of all 3 planned comparisons cannot be told apart.",
        "In simulation-equivalents: L-BFGS is cheaper than CMA-ES above 4.9 parameters (4.",
        "50 fits reached the loss target; of these, 50 missed the study's criterion for the densities, an error of at most 1 %",
        "largest density error 5 % or less: reached by no method.",
    ):
        assert said in page


def test_a_method_that_never_reached_the_target_bounds_the_ratio(tables):
    """L-BFGS needs 20; the ten fits of CMA-ES spent 100 each, in vain: no ratio of 0, and no interval."""
    page = findings(CONFIG, tables)
    assert "On tree48, all | all, L-BFGS is cheaper than CMA-ES (10 of 10 seeds; ratio at most 0.02; p = 0.002)." in page
    assert "with 0 of 10 fits, a success rate of 27.8 % is still within Wilson's 95 % interval" in page
    assert "ratio 0" not in page.replace("ratio 0.", "")
    swapped = tables["comparisons"].rename(columns={"method": "compared_with", "compared_with": "method"})
    swapped = swapped.assign(verdict="dearer", expected_ratio=1 / swapped["expected_ratio"], wins=swapped["losses"], losses=10)
    page = findings(CONFIG, tables | {"comparisons": swapped})
    assert "On tree48, all | all, CMA-ES is dearer than L-BFGS (10 of 10 seeds; ratio at least 50; p = 0.002)." in page


def test_seeds_that_tell_nothing_or_the_contrary_are_said(tables):
    few = tables["comparisons"].assign(wins=7, losses=1, ties=2)
    page = findings(CONFIG, tables | {"comparisons": few})
    assert "(7 of 10 seeds, dearer on 1, tied on 2; ratio " in page


def test_losses_below_that_at_which_fits_stop_are_equal(tables):
    assert "at 100, L-BFGS and CMA-ES (0.5)" in findings(CONFIG, tables)  # equal without it, too
    budget = tables["fixed_budget"].assign(best_loss=np.where(tables["fixed_budget"]["method"] == "lbfgs", 1e-8, 1e-7))
    assert "to 100, L-BFGS (1.0e-08)" in findings(CONFIG, tables | {"fixed_budget": budget})
    page = findings(CONFIG | {"stop_loss": 1e-6}, tables | {"fixed_budget": budget})
    assert "to 100, L-BFGS and CMA-ES (1.0e-08)" in page
    assert "Fits end at a loss of 1.0e-06" in page


@pytest.mark.parametrize(
    ("table", "column", "value", "before", "after"),
    [
        ("statistics", "success_loss", 7, "in 10 of 10 fits, at 20 ", "in 7 of 10 fits, at 20 "),
        ("statistics", "expected_wall_s_to_target_high", 98.7, "", " to 98.7)"),
        ("statistics", "median_heldout_loss", 0.123, "", "held-out loss 0.123 mV²"),
        ("statistics", "spent_simulation_equivalents", 4321.0, "which spent 1,000 ", "which spent 4,320 "),
        ("comparisons", "wins", 9, "", "CMA-ES (9 of 10 seeds"),
        ("comparisons", "verdict", "cannot be told apart", "0 of all 3 planned", "3 of all 3 planned"),
        ("comparisons", "p_corrected", 0.0123, "; p = 0.002)", "; p = 0.012)"),
        ("crossovers", "crossover", 7.7, "above 4.9 parameters", "above 7.7 parameters"),
        ("crossovers", "crossover_high", np.inf, "", " to above 48;"),
        ("crossovers", "outcome", "no single crossing", "above 4.9 parameters", "there is no single crossing"),
        ("crossovers", "untold", "96", "", "; neither reached the target at 96."),
        ("problems", "loss_target", 0.03, "loss target 1 mV²", "loss target 0.03 mV²"),
        ("problems", "loss_target_high", 7.0, "", "loss target 1 mV² to 7 mV², each neuron's own"),
        ("fixed_budget", "best_loss", 0.777, "L-BFGS (0.5)", "(0.777)"),
        ("costs", "reached", 3, "reached by no method", "L-BFGS (3 of 10"),
    ],
)  # fmt: skip
def test_another_number_is_another_sentence(tables, table, column, value, before, after):
    page = findings(CONFIG, tables)
    assert before in page
    assert after not in page
    changed: Any = findings(CONFIG, tables | {table: tables[table].assign(**{column: value})})
    assert after in changed
    assert not before or changed.count(before) < page.count(before)


def test_few_seeds_are_said_to_tell_nothing():
    table, history = fits()
    few: list[Any] = [part[part["seed"] < 3] for part in (table, history)]
    series = {name: name for name in table["problem"]}
    made, _ = all_tables(few[0], few[1], series, Settings(resamples=100, pairs=()))
    made |= {"problems": PROBLEMS}
    assert "0 of all 0 planned comparisons cannot be told apart" in findings(CONFIG, made)
    made, _ = all_tables(few[0], few[1], series, Settings(resamples=100))
    made |= {"problems": PROBLEMS}
    page = findings(CONFIG, made)
    assert "3 of all 3 planned comparisons cannot be told apart" in page
    assert "L-BFGS and CMA-ES (pairs that differ: 3; with fewer than 6 no test of pairs reaches 5 %)" in page
    assert "No two problems of this study differ in nothing but the number of regions." in page


def test_latex_has_every_cell_and_no_bare_sign(tables):
    lines = latex_table(tables["statistics"]).splitlines()
    body = [line for line in lines if line.endswith(r"\\")][2:]
    assert len(body) == len(tables["statistics"])
    assert all(line.count("&") == 8 for line in body)
    assert body[0].startswith(r"tree2, all \textbar{} all (2) & L-BFGS & 10/10 & 0/10 & 20 {\small [")
    assert "$>$ 1,000" in body[-1]
    assert escape("a_b 5 % & #1") == r"a\_b 5 \% \& \#1"
    assert lines[0] == r"\begin{tabular}{llrrrrrrr}"


def test_words():
    assert [number(x) for x in (1234.5, 0.01234, 1.2e-8, 0.0, np.inf, np.nan)] == [
        "1,230",
        "0.0123",
        "1.2e-08",
        "0",
        "infinite",
        "unknown",
    ]
    assert between(1.0, np.inf) == "1 to infinite"
    assert [listed(words) for words in ([], ["a"], ["a", "b", "c"])] == ["", "a", "a, b and c"]
