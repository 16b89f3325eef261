"""Fits, their files, studies and the command line."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from threadpoolctl import threadpool_info, threadpool_limits
from typer.testing import CliRunner

from gradevo import cli, fit_rows, study
from gradevo.config import check_config, load_config, methods_of
from gradevo.fit import fit
from gradevo.methods import METHODS
from gradevo.problem import Problem
from gradevo.result import Status, history_columns, read_result, write_result
from tests.fitting import toy_config, toy_problem


@pytest.fixture(scope="module")
def problem() -> Problem:
    return toy_problem()


def quick_fit(problem: Problem, **options):
    given = {"seed": 0, "budget_equivalents": 400, "gradient_weight": 2.5} | options
    return fit(problem, given.pop("method", "lbfgs"), **given)


def test_history_and_totals(problem):
    result = quick_fit(problem, study="s")
    history = result.history
    assert list(history.columns) == history_columns(problem.parameters.error_columns)
    assert (history[["study", "problem", "method", "seed"]] == ["s", "toy", "lbfgs", 0]).to_numpy().all()
    for column in ("event", "simulations", "gradients", "simulation_equivalents", "wall_s", "cpu_s"):
        assert history[column].is_monotonic_increasing
    assert history["best_loss"].is_monotonic_decreasing
    np.testing.assert_array_equal(history["best_loss"], history["loss"].cummin())
    last = history.iloc[-1]
    assert last["best_loss"] == result.best_loss == problem.loss_of_densities(result.best_densities[None])[0]
    assert last["heldout_loss"] == problem.heldout_loss(result.best_densities[None])[0]
    assert last["density_error_max_rel"] == problem.density_errors(result.best_densities)["density_error_max_rel"]
    assert result.totals["gradients"] == last["gradients"] == 160
    assert result.totals["simulations"] == 0
    assert result.status == Status.budget


def test_heldout_losses_are_few_and_end_with_the_last(problem):
    losses = np.asarray(quick_fit(problem, heldout_points=3).history["heldout_loss"], dtype=float)
    assert len(np.unique(losses[~np.isnan(losses)])) == 3
    assert np.isfinite(losses[-1])


def test_same_seed_same_result(problem):
    one, two = quick_fit(problem, method="cma_es"), quick_fit(problem, method="cma_es")
    np.testing.assert_array_equal(one.best_densities, two.best_densities)
    timed = ["wall_s", "cpu_s"]
    pd.testing.assert_frame_equal(one.history.drop(columns=timed), two.history.drop(columns=timed))


@pytest.mark.parametrize("diverging", [False, True])
def test_failure_is_a_row(problem, diverging, monkeypatch, tmp_path):
    def broken(problem, meter, rng, **settings):
        if diverging:
            meter.loss(problem.view("identity"), np.full((2, problem.n_parameters), np.inf))
            return Status.stagnated, "gave up"
        meter.loss(problem, problem.sample_initial(rng, 2))
        raise ZeroDivisionError("in the method")

    monkeypatch.setitem(sys.modules, "gradevo.methods.lbfgs", SimpleNamespace(run=broken))
    result = quick_fit(problem)
    write_result(result, tmp_path / "fit.parquet")
    again = read_result(tmp_path / "fit.parquet")
    row = fit_rows.summary_row(toy_config(), problem, again)
    if diverging:
        assert result.status == again.status == Status.diverged
        assert "gave up" in result.message
        assert np.isnan(again.best_densities).all()
        assert again.best_loss == np.inf
        assert not row["success_loss"]
        assert not row["success_density"]
    else:
        assert result.status == again.status == Status.error
        assert result.message == "ZeroDivisionError: in the method"
        assert np.isfinite(result.best_loss)
    assert len(again.history) == 1
    assert row["simulations"] == 8
    assert np.isnan(row["simulation_equivalents_to_target"])


def test_a_budget_below_one_evaluation_was_spent(problem):
    result = quick_fit(problem, budget_equivalents=9)  # a gradient of four stimuli is 10
    assert (result.status, result.message) == (Status.budget, "spent 0 of 9 simulation-equivalents")
    assert np.isnan(result.best_densities).all()
    row = fit_rows.summary_row(toy_config(), problem, result)
    assert not row["success_loss"]
    assert row["simulation_equivalents"] == 0


def test_files_hold_everything(problem, tmp_path):
    result = quick_fit(problem)
    write_result(result, tmp_path / "a" / "fit.parquet")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["fit.json", "fit.parquet"]
    again = read_result(tmp_path / "a" / "fit.parquet")
    np.testing.assert_array_equal(again.best_densities, result.best_densities)
    assert (again.best_loss, again.status, again.message) == (result.best_loss, result.status, result.message)
    pd.testing.assert_frame_equal(again.history, result.history)
    document = json.loads((tmp_path / "a" / "fit.json").read_text())
    assert {"settings", "limits", "versions", "hardware", "peak_memory_bytes", "source_sha256"} <= set(document["metadata"])


def test_mistakes_of_the_caller_are_raised_before_computing(problem):
    with pytest.raises(ValueError, match="unknown method"):
        quick_fit(problem, method="newton")
    with pytest.raises(ValueError, match="unknown setting of lbfgs"):
        quick_fit(problem, settings={"step": 1})
    with pytest.raises(ValueError, match="budget_equivalents is -1"):
        quick_fit(problem, budget_equivalents=-1)


def test_success_and_cost_to_target(problem):
    config = toy_config()
    result = study.run_fit(config, problem, "lbfgs", 0)
    row = fit_rows.summary_row(config, problem, result)
    assert row["status"] == "converged"
    assert row["success_loss"]
    assert row["success_density"]
    first = result.history[result.history["best_loss"] <= 1e-3].iloc[0]
    assert row["gradients_to_target"] == first["gradients"]
    assert row["wall_s_to_target"] == first["wall_s"] <= row["wall_s"]
    assert fit_rows.loss_target(config, replace(problem, noise_mV=0.5)) == pytest.approx(1.0)
    rows = pd.DataFrame(fit_rows.density_rows(problem, result))
    assert list(rows["channel"]) == ["Na", "Na", "K", "K"]
    np.testing.assert_array_equal(rows["true"], problem.truth)


def test_targets_round_trip_and_follow_from_seeds(tmp_path):
    config = toy_config(noise_mV=0.5, noise_seed=3)
    arrays = study.make_targets(config, "toy")
    study.write_arrays(tmp_path / "toy.npz", arrays)
    problem = study.make_problem(config, "toy", tmp_path / "toy.npz")
    np.testing.assert_array_equal(problem.target, study.make_problem(config, "toy").target)
    clean = study.make_targets(toy_config(), "toy")
    assert np.std(problem.target - clean["target_mV"]) == pytest.approx(0.5, rel=0.1)
    np.testing.assert_array_equal(arrays["heldout_mV"], clean["heldout_mV"])
    neuron, _ = study.make_neuron(config, "two")
    area = neuron.morphology.areas_um2[0]
    # 20 uA/cm2 at most, in nA
    assert 0.9 < arrays["current_nA"].max() / (20 * area * 1e-5) <= 1
    config["neurons"]["two"]["densities"]["seed"] = 2
    with pytest.raises(ValueError, match="make them anew"):
        study.make_problem(config, "toy", tmp_path / "toy.npz")


def broken(change) -> dict:
    config = toy_config()
    change(config)
    return config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c.update(budget_equivalent=3),
            "unknown key 'budget_equivalent' .*did you mean 'budget_equivalents'",
        ),
        (lambda c: c["problems"]["toy"].update(stimulate=1), r"'stimulate' in problems.toy; did you mean 'stimulated'"),
        (lambda c: c["problems"]["toy"].update(neuron="tow"), "problems.toy.neuron is 'tow'; did you mean 'two'"),
        (lambda c: c["problems"]["toy"].update(bounds=[3, 0.3]), "problems.toy.bounds cross"),
        (lambda c: c["problems"]["toy"].update(methods=["adm"]), "problems.toy.methods names 'adm'.*did you mean 'adam'"),
        (lambda c: c["problems"]["toy"].update(dt_ms=0), "problems.toy.dt_ms: 0"),
        (lambda c: c["problems"]["toy"]["stimuli"].update(low_uA_cm2=30), "low_uA_cm2 is above high_uA_cm2"),
        (
            lambda c: c["problems"]["toy"].update(sample_interval_ms=9),
            "problems.toy.sample_interval_ms is 9, longer than duration",
        ),
        (lambda c: c.update(seeds=[0, 101]), "neurons.two.densities.seed is 101, which is one of the study's seeds too"),
        (lambda c: c["methods"].update(nelder={}), "methods.nelder: unknown method 'nelder'"),
        (lambda c: c["methods"].update(adam={"rate": 1}), "methods.adam: unknown setting of adam 'rate'"),
        (lambda c: c["neurons"]["two"]["morphology"].update(section=1), "'section' in neurons.two.morphology"),
        (lambda c: c["neurons"]["two"]["morphology"].update(diameter_um=-2), "neurons.two.morphology.diameter_um: -2"),
    ],
)
def test_a_bad_config_is_refused_with_the_place(change, message):
    with pytest.raises(ValueError, match=message):
        check_config(broken(change))


def test_a_method_has_one_thread_of_blas(monkeypatch):
    """More would round differently, and a fit's result would depend on its job's cores."""
    seen = []

    def run(problem, meter, rng, **settings):
        seen.extend(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return Status.stagnated, "seen"

    monkeypatch.setitem(sys.modules, "gradevo.methods.lbfgs", SimpleNamespace(run=run))
    with threadpool_limits(2, user_api="blas"):
        study.run_fit(toy_config(), toy_problem(), "lbfgs", 0)
    assert set(seen) == {1}


def test_a_problem_may_name_its_methods():
    config = check_config(broken(lambda c: c["problems"]["toy"].update(methods=["lbfgs", "adam"])))
    assert methods_of(config, "toy") == ["lbfgs", "adam"]
    assert methods_of(check_config(toy_config()), "toy") == list(METHODS)


def test_sites_out_of_range_are_named():
    with pytest.raises(ValueError, match="stimulated site 5 does not exist"):
        study.make_problem(toy_config(stimulated=[5]), "toy")
    with pytest.raises(ValueError, match="does not divide"):
        study.make_problem(toy_config(dt_ms=0.03), "toy")
    with pytest.raises(ValueError, match="no 'roy' among the config's problems: toy"):
        study.make_problem(toy_config(), "roy")


def test_numbers_without_a_dot_are_numbers(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(toy_config()).replace("1.0e-07", "1e-7"))
    assert "1e-7" in path.read_text()
    assert load_config(path)["stop_loss"] == 1e-7


@pytest.fixture
def config_file(tmp_path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toy_config()))
    return path


def test_command_fit(config_file, tmp_path):
    out = tmp_path / "x.parquet"
    run = CliRunner().invoke(cli.app, ["fit", str(config_file), "toy", "lbfgs", "--seed", "1", "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "converged" in run.output
    assert read_result(out).status == Status.converged


def test_command_fit_judges_what_was_found(config_file, tmp_path):
    run = CliRunner().invoke(cli.app, ["fit", str(config_file), "toy", "lbfgs", "--judge-mV", "0.1"])
    assert run.exit_code == 0, run.output
    assert "at 0.1 mV of noise, recovered" in run.output
    assert "4 identified: 4 within 1 %" in run.output

    refused = CliRunner().invoke(cli.app, ["fit", str(config_file), "toy", "lbfgs", "--judge-mV", "0"])
    assert refused.exit_code != 0
    assert "noise above 0 mV" in str(refused.exception)
    mixed = toy_config(regions=1)
    mixed["neurons"]["two"]["densities"]["kind"] = "uniform"
    config_file.write_text(yaml.safe_dump(mixed))
    refused = CliRunner().invoke(cli.app, ["fit", str(config_file), "toy", "lbfgs", "--judge-mV", "0.1"])
    assert "leave --judge-mV out" in str(refused.exception)


def test_command_methods():
    run = CliRunner().invoke(cli.app, ["methods"])
    assert run.exit_code == 0
    assert all(name in run.output for name in METHODS)


def test_a_mistake_is_one_line(config_file, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gradevo", "fit", str(config_file), "toy", "lbfg"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.strip().startswith("gradevo: unknown method 'lbfg'; did you mean 'lbfgs'")


def test_help_does_not_import_torch():
    script = (
        "import sys, gradevo, gradevo.cli\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(gradevo.cli.app, ['--help']).exit_code == 0\n"
        "assert 'torch' not in sys.modules and 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
