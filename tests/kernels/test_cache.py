"""Jobs that compile the same kernel at once, and a cache folder in which a file was cut short. Each for real, in processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# a membrane without gates compiles soonest
JOB = """
import hashlib
import sys
import numpy as np
from gradevo.channels.base import Channel, ChannelSet
from gradevo.kernels import cpu
from gradevo.morphology import chain
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.simulate import warm_up
from gradevo.stimulus import Stimulus

leak = ChannelSet("leak", (Channel("Leak", -65.0, 3e-4),), 1.0, -60.0, ("Leak",), "a test")
neuron = Neuron("pair", chain(2, coupling_S_cm2=0.5e-3), leak)
if "gradient" in sys.argv:
    warm_up(neuron)
stimulus = Stimulus(np.array([0.0, 1.0]), np.full((1, 1, 1), 0.01))
plan = cpu.make_plan(neuron, Protocol(stimulus, (0,), (0, 1), 0.1, 11, 0.025))
voltages, _, run = cpu.forward(plan, neuron.default_densities()[None], keep=True)
assert np.isfinite(voltages).all() and np.ptp(voltages) > 0.1
print(hashlib.sha256(voltages.tobytes()).hexdigest())
if "gradient" in sys.argv:
    gradients, _ = cpu.adjoint(run, voltages)
    assert gradients.all()
    print(hashlib.sha256(gradients.tobytes()).hexdigest())
"""


def start(cache: Path, *arguments: str) -> subprocess.Popen[str]:
    # the optimiser takes a third of the time, and is not the matter here
    environment = os.environ | {"GRADEVO_CACHE": str(cache), "NUMBA_OPT": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", JOB, *arguments], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def outcome(job: subprocess.Popen[str]) -> list[str]:
    """What the job printed and nothing else: the hashes of its voltages and, if it was to take it, of its gradient."""
    said, _ = job.communicate(timeout=400)
    assert job.returncode == 0, said
    assert all(len(line) == 64 for line in said.splitlines()), said
    return said.splitlines()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def outcomes(cache: Path) -> list[list[str]]:
    """Of four jobs that begin at once with an empty cache; two take the gradient, too, so that they compile in other orders."""
    jobs = [start(cache, *what) for what in (("gradient",), (), ("gradient",), ())]
    return [outcome(job) for job in jobs]


def files(cache: Path) -> list[str]:
    return sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())


def test_four_jobs_at_once_on_an_empty_cache(cache: Path, outcomes: list[list[str]]) -> None:
    assert len({voltages for voltages, *_ in outcomes}) == 1
    assert outcomes[0] == outcomes[2]
    assert len(outcomes[0]) == 2
    assert sorted(path.name.split("_")[0] for path in cache.rglob("*.py")) == ["kernel"]
    assert not [name for name in files(cache) if "tmp" in name]
    assert all(
        any(f".{function}-" in name for name in files(cache))
        for function in ("compare", "forward", "adjoint", "run_steps", "weighted_squares")
    )


def test_files_that_are_not_whole_are_made_again(cache: Path, outcomes: list[list[str]]) -> None:
    before = files(cache)
    (source,) = cache.rglob("kernel_*.py")
    (forward,) = cache.rglob("*.forward-*.nbc")
    whole = {path: path.read_bytes() for path in (source, forward)}
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    for path in cache.rglob("*.run_steps-*.nbc"):
        path.write_bytes(b"")
    assert outcome(start(cache, "gradient")) == outcomes[0]
    assert files(cache) == before
    assert source.read_bytes() == whole[source]
    assert len(forward.read_bytes()) > len(whole[forward]) / 2
