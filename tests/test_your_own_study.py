"""docs/your-own-study.md, followed to the letter: its commands and its config, in a copy of the repository."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradevo.channels import channel_set
from gradevo.figures.style import rows
from gradevo.measured.example import true_densities
from gradevo.morphology import read_morphology
from gradevo.neuron import Neuron
from tests.pages import ROOT, spans
from tests.workflow.running import copy_of_repository, environment

PAGE = ROOT / "docs/your-own-study.md"


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's commands were run. The environment is there, so that make is told not to set it up."""
    folder = copy_of_repository(tmp_path_factory.mktemp("own"))
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / ".venv").symlink_to(sys.prefix)
    text = PAGE.read_text()
    (config,) = re.findall(r"Write `config/mine.yaml`:\n\n```yaml\n(.*?)```", text, flags=re.DOTALL)
    (folder / "config/mine.yaml").write_text(config)
    commands = "".join(re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))
    script = f'set -e\nmake() {{ command make -o .venv/.ready "$@"; }}\n{commands}'
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(folder), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "1 problems, 9 fits: at most about" in done.stdout
    return folder


def test_everything_that_the_page_names_is_there(followed):
    named = [name for name in spans(PAGE) if re.match(r"(results|figures|data)/", name)]
    assert len(named) == 8
    for name in named:
        assert (followed / name).exists(), name


def test_the_page_shows_the_files_as_they_are(followed):
    (shown,) = re.findall(r"```csv\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert (followed / "data/example/recordings.csv").read_text().startswith(shown)


def test_what_nobody_knows_is_empty(followed):
    summary = pd.read_csv(followed / "results/mine/summary.csv")
    errors = [name for name in summary if name.startswith("density_error")]
    assert len(errors) == 5
    assert summary[[*errors, "success_density"]].isna().to_numpy().all()
    assert np.isfinite(summary["heldout_loss"].to_numpy(float)).all()
    statistics = pd.read_csv(followed / "results/mine/statistics.csv")
    assert statistics[["success_density", "success_loss_only", "success_density_rate"]].isna().to_numpy().all()
    findings = (followed / "results/mine/FINDINGS.md").read_text()
    assert "Nobody knows the true densities of cell fit" in findings
    assert "nan" not in findings
    assert "unknown" not in findings


def test_seeds_that_reach_the_noise_agree_on_the_densities(followed):
    """The example's neuron was made, so that here the answer is known after all."""
    neuron = Neuron("cell", read_morphology(followed / "data/example/cell.swc", 40.0), channel_set("hh"))
    truth = dict(zip(neuron.channel_names, true_densities(neuron), strict=True))
    spread = pd.read_csv(followed / "results/mine/spread.csv")
    gradient = rows(spread, method="lbfgs", reached=True)
    assert len(gradient) == 7
    assert gradient["highest_over_lowest"].to_numpy().max() < 1.02
    densities = pd.read_parquet(followed / "results/mine/densities.parquet")
    best = rows(densities, method="lbfgs", seed=0)
    where = zip(best["channel"], best["compartment"], best["fitted"], strict=True)
    errors = [abs(fitted / truth[channel][compartment] - 1) for channel, compartment, fitted in where]
    assert max(errors) < 0.1
    assert np.median(errors) < 0.03
