"""The workflow itself, on a tiny study in a copy of the repository: what it makes, and what makes it run again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
COPIED = ("Snakefile", "environment.yml", "config", "profiles", "workflow", "src", "figures/matplotlibrc")

CONFIG = {
    "study": "tiny",
    "gradient_weight": 2.5,
    "budget_equivalents": 300,
    "stop_loss": 1e-8,
    "seeds": [0, 1],
    "success": {"loss": 1e-3, "noise_factor": 4, "density_rel": 0.01},
    "neurons": {
        "pair": {
            "morphology": {"kind": "chain", "compartments": 2, "coupling_S_cm2": 0.5e-3},
            "channels": "jones2024",
            "densities": {"kind": "uniform", "fraction": 0.3, "seed": 1},
        }
    },
    "problems": {
        "pair_all_all": {
            "neuron": "pair",
            "stimuli": {
                "kind": "random_steps", "count": 3, "every_ms": 0.5, "low_uA_cm2": 0, "high_uA_cm2": 20, "seed": 5,
            },
            "stimulated": "all",
            "recorded": "all",
            "duration_ms": 3,
            "sample_interval_ms": 0.1,
            "dt_ms": 0.05,
            "heldout": {"count": 2, "seed": 105},
        }
    },
    "methods": {"lbfgs": {"starts": 2}, "genetic": {"population": 16}},
}  # fmt: skip


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`snakemake --cores 2` in the folder, with the folder's own sources."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "config/tiny.yaml", *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400
    )


def planned(folder: Path) -> set[str]:
    """What a run would do now: fits as problem__method, other jobs as their rule."""
    text = snakemake(folder, "--dry-run", "--quiet", "host").stdout
    fits = set(re.findall(r"output: \S*/fits/(\w+)__s0\.parquet", text))
    others = set(re.findall(r"^(?:local)?rule (\w+):", text, flags=re.MULTILINE)) - {"fit", "all"}
    return fits | others


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, target)
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(CONFIG))
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
    for name in ("neurons", "convergence", "cost", "densities"):
        assert (folder / f"figures/tiny/{name}.png").stat().st_size > 10_000
        assert (folder / f"figures/tiny/{name}.pdf").stat().st_size > 5_000
    table = (folder / "results/tiny/table.txt").read_text()
    assert "figures/tiny/convergence.png" in table
    assert table in run.stdout
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
    figure = folder / "figures/tiny/cost.png"
    kept = figure.read_bytes()
    figure.unlink()
    assert planned(folder) == {"figure_cost", "table", "check"}
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
