"""``gradevo identify``: its table, its CSV, and bad input."""

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gradevo.cli import app
from gradevo.config import load_config
from gradevo.identifiability.information import cramer_rao, fisher_information
from gradevo.study import make_problem

CI = Path(__file__).parents[2] / "config/ci.yaml"


def identify(*arguments: str):
    return CliRunner().invoke(app, ["identify", str(CI), *map(str, arguments)])


def test_the_csv_holds_the_bounds(tmp_path):
    run = identify("chain2_all_all", "--noise-mV", "0.1", "--csv", tmp_path / "out.csv")
    assert run.exit_code == 0, run.exception
    assert "numerical rank 4 of 4" in run.output
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    problem = make_problem(load_config(CI), "chain2_all_all")
    assert problem.truth is not None
    bounds = cramer_rao(fisher_information(problem, problem.truth, 0.1))
    np.testing.assert_allclose([float(row["bound_rel_percent"]) for row in rows], 100 * bounds)
    assert [row["parameter"] for row in rows] == list(problem.parameter_names)
    assert all(row["verdict"] in run.output for row in rows)


def test_a_seed_judges_elsewhere_and_the_problems_own_noise_serves():
    assert "independent noise of 0.5 mV" in identify("tree4_0_all").output
    assert identify("tree4_0_all").output == identify("tree4_0_all").output != identify("tree4_0_all", "--seed", "1").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chain2_all_all"], "has no noise"),
        (["chain2_all_all", "--noise-mV", "0"], "noise_mV is 0"),
        (["nowhere"], "no 'nowhere'"),
        (["chain2_all_all", "--noise-mV", "0.1", "--csv", "out.txt"], "must end in .csv"),
    ],
)
def test_bad_input(arguments, message):
    assert message in str(identify(*arguments).exception)
