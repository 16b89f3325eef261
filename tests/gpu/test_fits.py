"""Fits on a GPU: in processes of their own, as studies make them, and with kernels that the process before has compiled."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]

_LAUNCH = """
import time
from gradevo.bench.model import Case
from gradevo.cuda import backend
from gradevo.kernels import cpu
case = Case(6, 2, 50, 12)
plan = cpu.make_plan(case.neuron, case.protocol(1.0))
_, _, run = backend.forward(plan, case.full_densities[None], keep=True)
stats = run.batch.module.forward_across.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def test_a_study_is_fitted_in_forked_processes():
    """Nothing begins CUDA in the process that forks."""
    code = """
from gradevo.apart import fit_apart
from gradevo.config import load_config
from gradevo.study import make_problem
from gradevo.devices import resolved
config = {**load_config("config/ci.yaml"), "device": resolved("cuda")}
problem = make_problem(config, "chain2_all_all")
for device in ("cuda", "cuda", "cpu"):
    result = fit_apart({**config, "device": device, "budget_equivalents": 200}, problem, "adam", 0)
    print(result.status, result.best_loss, result.metadata["device"])
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-2000:]
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert [line[-1] for line in lines] == ["cuda", "cuda", "cpu"]
    losses = [float(line[1]) for line in lines]
    assert losses[0] == losses[1]
    assert np.isclose(losses[0], losses[2], rtol=1e-5)


def test_kernels_are_kept_on_disk(tmp_path):
    environment = os.environ | {"GRADEVO_CACHE": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", _LAUNCH], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        for _ in range(2)
    )
    assert first.stdout.split() == ["0", "1"], first.stderr[-2000:]
    assert second.stdout.split() == ["1", "0"], second.stderr[-2000:]
