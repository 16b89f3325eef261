"""The device of a study: what its fits ask a cluster for, what is refused, and what is said."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.workflow.running import CONFIG, copy_of_repository, snakemake, write_config

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU, and this one has one")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_repository(tmp_path_factory.mktemp("copy"))


@pytest.fixture(autouse=True)
def no_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)


def jobs_of(text: str, fits: bool) -> list[str]:
    """What a dry run says of each fit, or of each other job."""
    jobs = re.split(r"^(?:local)?rule (?=\w+:)", text, flags=re.MULTILINE)[1:]
    return [job for job in jobs if job.startswith("fit:") == fits]


def test_fits_ask_for_a_gpu(folder):
    """As the resource that the SLURM executor turns into a request, and no other job does."""
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    write_config(folder, {**CONFIG, "device": "cuda"})
    text = snakemake(folder, "--dry-run", "--quiet", "host").stdout
    assert len(jobs_of(text, fits=True)) == 2
    assert all("gpu=1" in fit for fit in jobs_of(text, fits=True))
    assert not any("gpu=1" in job for job in jobs_of(text, fits=False))
    job: Any = SimpleNamespace(resources={"gpu": 1})
    assert set_gres_string(job) == " --gpus=1"


def test_a_gpu_that_is_not_here_is_refused_before_anything_runs(folder):
    write_config(folder, {**CONFIG, "device": "cuda"})
    run = snakemake(folder)
    assert run.returncode != 0
    assert "gradevo[cuda]" in run.stdout
    assert not list(folder.glob("results/tiny/**/*.npz"))


def test_auto_is_the_cpu_here_and_says_so(folder):
    write_config(folder, {**CONFIG, "device": "auto"})
    text = snakemake(folder, "--dry-run", "--quiet", "host").stdout
    assert "device auto: there is no GPU here; computing on the CPU" in text
    assert len(jobs_of(text, fits=True)) == 2
    assert not any("gpu=1" in fit for fit in jobs_of(text, fits=True))
