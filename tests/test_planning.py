"""What a study costs, said before it runs."""

import time

import pytest
import yaml
from typer.testing import CliRunner

from gradevo.cli import app
from gradevo.config import check_config, load_config, methods_of
from gradevo.grids import FULL
from gradevo.planning import FIT_S, JOB_S, left_for_cluster, measured_rate, plan, plan_lines
from gradevo.statistics.settings import read_settings
from gradevo.study import make_neuron, make_problem, run_fit
from tests.fitting import toy_config
from tests.workflow.running import ROOT

PAPER = load_config(ROOT / "config/paper.yaml")


def two_methods(**changes) -> dict:
    config = toy_config() | {"methods": {"lbfgs": {}, "bluepyopt_neuron_mse": {}}, "seeds": [0, 1, 2]}
    return check_config(config | {"wall_limit_s": 20, "budget_equivalents": 3000} | changes)


def test_a_plan_is_budgets_times_rates_up_to_the_limit():
    rows = plan(two_methods(), lambda problem, method: 1e-3 if method == "lbfgs" else None)
    assert [(row.method, row.jobs, row.fits, row.measured) for row in rows] == [
        ("lbfgs", 1, 3, True),
        ("bluepyopt_neuron_mse", 1, 3, False),
    ]
    assert rows[0].hours * 3600 == pytest.approx(JOB_S + 3 * (FIT_S + 3))
    assert rows[1].hours * 3600 == pytest.approx(JOB_S + 3 * (FIT_S + 20))
    slow = plan(two_methods(), lambda problem, method: 1.0)
    assert [row.hours * 3600 for row in slow] == pytest.approx([JOB_S + 3 * (FIT_S + 20)] * 2)
    assert plan_lines(two_methods(), rows, 2)[-1].startswith("1 problems, 6 fits: at most about 0.02 h on 2 cores, ")


def test_a_cost_that_nothing_limits_is_refused():
    config = two_methods()
    del config["wall_limit_s"]
    with pytest.raises(ValueError, match="no wall_limit_s"):
        plan(config, lambda problem, method: None)


def test_a_measured_rate_tells_what_a_fit_takes():
    """Within a factor of four: machines are busy. The rate of another problem grows with its compartment-steps."""
    config = toy_config(methods=["cma_es"], grid={"dt_ms": {"fine": 0.005, "coarse": 0.05}}) | {"stop_loss": 0.0}
    config = check_config(config)
    rate = measured_rate(config)
    each = rate("toy_fine", "cma_es")
    assert each is not None
    assert rate("toy_coarse", "cma_es") == pytest.approx(each / 10)
    posed = make_problem(config, "toy_fine")
    begin = time.perf_counter()
    spent = run_fit(config, posed, "cma_es", 1).totals["simulation_equivalents"]
    assert 0.25 < (time.perf_counter() - begin) / (each * spent) < 4


def test_the_command(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text((ROOT / "config/ci.yaml").read_text().replace("lbfgs_fd: { starts: 1 }", "lbfgs_fd: {}"))
    said = CliRunner().invoke(app, ["plan", str(study)])
    assert said.exit_code == 0, said.output
    assert "2 problems, 52 fits: at most about" in said.output


def test_what_is_left_for_a_cluster_is_planned_beside(tmp_path):
    """Without it, a study is planned as before; a problem of full scale is not among what runs here."""
    study = tmp_path / "study.yaml"
    config = yaml.safe_load((ROOT / "config/ci.yaml").read_text())
    config["methods"] = {"lbfgs": {}, "sobol": {}}
    config["problems"]["more"] = config["problems"]["tree4_0_all"] | {"scale": "full", "methods": ["sobol"]}
    study.write_text(yaml.safe_dump(config))
    here, left = CliRunner().invoke(app, ["plan", str(study)]).output.split("\nLeft for a cluster (scale: full); ")
    assert "2 problems, 8 fits: at most about" in here
    assert "1 problems, 2 fits: at most about" in left
    assert "lbfgs" not in left


def test_the_paper_is_whole_with_what_it_leaves_for_a_cluster():
    whole = load_config(ROOT / "config/paper.yaml", scale=FULL)
    left = left_for_cluster(PAPER, whole)
    assert left is not None
    rows = plan(left, lambda problem, method: 1e-3)
    assert sum(row.fits for row in rows) == 1900, "docs/full_study.md says so"
    assert len(left["problems"]) == 42
    assert left_for_cluster(whole, whole) is None


def test_the_paper_has_what_its_statistics_need():
    assert len(PAPER["seeds"]) >= 10
    assert PAPER["neuron_per_seed"]
    pairs = read_settings(PAPER["statistics"]).pairs
    assert pairs is not None
    assert len(pairs) <= 25
    # every planned pair is fitted somewhere, on a cluster at the latest, and every problem of two cores has one
    full = check_config(yaml.safe_load((ROOT / "config/paper.yaml").read_text()) | {"scale": "full"})
    everywhere = [set(methods_of(full, problem)) for problem in full["problems"]]
    here = [set(methods_of(PAPER, problem)) for problem in PAPER["problems"]]
    assert all(any(set(pair) <= methods for methods in everywhere) for pair in pairs)
    assert all(any(set(pair) <= methods for pair in pairs) for methods in here)


def test_the_paper_spans_its_factors():
    counts = [make_problem(PAPER, name).n_parameters for name in PAPER["problems"] if name.startswith("count_")]
    assert counts == [2, 6, 12, 24, 48, 96, 192, 368]
    assert {make_problem(PAPER, name).neuron.n_compartments for name in ("tree61_r61", "cortex_r1")} == {61}


def test_the_paper_fits_no_density_outside_its_bounds():
    """Of any seed: one neuron too many would end the study where its targets are made."""
    for name, problem in PAPER["problems"].items():
        low, high = problem["bounds"]
        for seed in PAPER["seeds"]:
            neuron, densities = make_neuron(PAPER, problem["neuron"], seed)
            free = list(neuron.channels.free_indices)
            relative = densities[free] / neuron.default_densities()[free]
            assert low < relative.min() < relative.max() < high, f"{name}, seed {seed}"


def test_a_cluster_runs_what_two_cores_run_and_more(tmp_path):
    larger = tmp_path / "full.yaml"
    larger.write_text((ROOT / "config/paper.yaml").read_text() + "scale: full\n")
    full = load_config(larger)
    assert PAPER["problems"].items() < full["problems"].items()
    sites = [name for name in full["problems"] if name.startswith("sites")]
    assert len(sites) == 19, "5 recorded x 4 stimulated, of which one is tree61_r61"
