"""The workflow itself, on a tiny study in a copy of the repository: what it makes, and what makes it run again."""

import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.workflow.running import CONFIG, copy_of_repository, snakemake, write_config


def planned(folder: Path) -> set[str]:
    """What a run would do now: fits as problem__method, other jobs as their rule."""
    text = snakemake(folder, "--dry-run", "--quiet", "host").stdout
    fits = set(re.findall(r"output: \S*/fits/(\w+)__s0\.parquet", text))
    others = set(re.findall(r"^(?:local)?rule (\w+):", text, flags=re.MULTILINE)) - {"fit", "all"}
    return fits | others


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = copy_of_repository(tmp_path_factory.mktemp("copy"))
    write_config(folder, CONFIG)
    return folder, snakemake(folder)


def test_makes_tables_figures_and_says_where(study):
    folder, run = study
    assert run.returncode == 0, run.stdout
    summary = pd.read_csv(folder / "results/tiny/summary.csv")
    assert len(summary) == 4
    assert set(summary["method"]) == {"lbfgs", "genetic"}
    # the budget is spent to the letter: at most one candidate of three stimuli is left
    spent = summary.loc[summary["status"] == "budget", "simulation_equivalents"]
    assert spent.between(300 - 7.5, 300).all()
    assert {path.stem for path in (folder / "figures/tiny").iterdir()} == {"question", "convergence", "profiles"}
    for name in ("question", "convergence", "profiles"):
        assert (folder / f"figures/tiny/{name}.png").stat().st_size > 10_000
        assert (folder / f"figures/tiny/{name}.pdf").stat().st_size > 5_000
        assert (folder / f"figures/tiny/{name}.svg").stat().st_size > 5_000
    table = (folder / "results/tiny/table.txt").read_text()
    assert "figures/tiny/convergence.png" in table
    assert table in run.stdout
    for name in ("statistics", "costs", "comparisons", "crossovers", "profiles", "fixed_budget"):
        assert (folder / f"results/tiny/{name}.csv").stat().st_size > 50
    assert "Fits: 4. Problems: 1. Methods: 2." in (folder / "results/tiny/FINDINGS.md").read_text()
    densities = pd.read_parquet(folder / "results/tiny/densities.parquet")
    assert len(densities) == 4 * 2 * 2  # fits x channels x compartments


def test_running_again_does_nothing(study):
    folder, _ = study
    assert "Nothing to be done" in snakemake(folder).stdout


def test_touching_a_file_changes_nothing(study):
    folder, _ = study
    (folder / "src/gradevo/methods/genetic.py").touch()
    assert planned(folder) == set()


def test_editing_a_method_reruns_its_fits_only(study):
    folder, _ = study
    path = folder / "src/gradevo/methods/genetic.py"
    before = path.read_text()
    path.write_text(f"{before}\n# edited\n")
    after_edit = planned(folder)
    path.write_text(before)
    assert "pair_all_all__genetic" in after_edit
    assert not after_edit & {"pair_all_all__lbfgs", "target", "neuron"}
    assert {"summary", "table", "figure_convergence"} <= after_edit


def test_changing_a_methods_settings_reruns_its_fits_only(study):
    folder, _ = study
    path = folder / "config/tiny.yaml"
    before = path.read_text()
    changed = CONFIG | {"methods": CONFIG["methods"] | {"lbfgs": {"starts": 3}}}
    path.write_text(yaml.safe_dump(changed))
    after_edit = planned(folder)
    path.write_text(before)
    assert "pair_all_all__lbfgs" in after_edit
    assert not after_edit & {"pair_all_all__genetic", "target", "neuron"}


def test_deleting_a_result_rebuilds_what_depends_on_it(study):
    folder, _ = study
    figure = folder / "figures/tiny/profiles.png"
    kept = figure.read_bytes()
    figure.unlink()
    assert planned(folder) == {"figure_profiles", "table", "check"}
    figure.write_bytes(kept)


def test_unknown_key_is_refused_by_name(study):
    folder, _ = study
    path = folder / "config/tiny.yaml"
    before = path.read_text()
    path.write_text(before.replace("budget_equivalents", "budget_equivalent"))
    run = snakemake(folder, "--dry-run")
    path.write_text(before)
    assert run.returncode != 0
    assert "budget_equivalent" in run.stdout


def test_a_failing_method_is_a_row_and_an_exit_status(study):
    """Last in this file: it leaves the copy with a broken method."""
    folder, _ = study
    path = folder / "src/gradevo/methods/genetic.py"
    broken = path.read_text() + "\n\ndef run(problem, meter, rng, **settings):\n    raise ArithmeticError('out of luck')\n"
    path.write_text(broken)
    run = snakemake(folder)
    assert run.returncode != 0
    summary = pd.read_csv(folder / "results/tiny/summary.csv")
    assert len(summary) == 4
    failed = summary[summary["method"] == "genetic"]
    assert set(failed["status"]) == {"error"}
    assert all("out of luck" in message for message in failed["message"])
    assert "2 of 4 fits ended in an error" in run.stdout
    assert (folder / "figures/tiny/convergence.png").exists()
    # and again: the error is not forgotten
    assert snakemake(folder).returncode != 0
