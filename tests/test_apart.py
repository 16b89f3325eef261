"""Fits in processes of their own: however a process ends, its fit is a row."""

import faulthandler
import os
import signal
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest

from gradevo import apart, fit_rows, study
from gradevo.apart import fit_apart
from gradevo.kept import KILLED
from gradevo.methods import OWN
from gradevo.problem import Problem
from gradevo.result import Status
from tests.fitting import toy_config, toy_problem

TIMED = ["wall_s", "cpu_s"]


@pytest.fixture(scope="module")
def problem() -> Problem:
    return toy_problem()


def config(**limits) -> dict:
    return toy_config() | {"budget_equivalents": 400} | limits


def install(monkeypatch: pytest.MonkeyPatch, end) -> None:
    """A method that asks for one batch of two candidates, reports it, and then comes to this end."""

    def run(problem, meter, rng, **settings):
        meter.loss(problem, problem.sample_initial(rng, 2))
        end(meter)

    monkeypatch.setitem(sys.modules, "gradevo.methods.lbfgs", SimpleNamespace(run=run))


def hang(meter) -> None:
    while True:
        time.sleep(1)


def hoard(meter) -> None:
    held = []
    while True:
        held.append(np.ones(2_000_000))  # 16 MB
        time.sleep(0.002)


def test_the_same_as_in_this_process(problem):
    here, there = study.run_fit(config(), problem, "cma_es", 3), fit_apart(config(), problem, "cma_es", 3)
    np.testing.assert_array_equal(here.best_densities, there.best_densities)
    assert (here.best_loss, here.status, here.message) == (there.best_loss, there.status, there.message)
    pd.testing.assert_frame_equal(here.history.drop(columns=TIMED), there.history.drop(columns=TIMED))


def test_progress_is_reported(problem):
    seen = []
    result = fit_apart(config(), problem, "adam", 0, on_progress=seen.append)
    assert seen
    assert all(counts["best_loss"] >= result.best_loss for counts in seen)
    assert seen[-1]["gradients"] <= result.totals["gradients"]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_death_by_a_signal_is_a_row_with_what_was_done_before(problem, monkeypatch, name):
    def end(meter):
        faulthandler.disable()  # pytest's, which would print a traceback
        os.kill(os.getpid(), signal.Signals[name])

    install(monkeypatch, end)
    result = fit_apart(config(), problem, "lbfgs", 0)
    assert result.status == Status.error
    assert result.message.startswith(f"{KILLED} {name}")
    assert result.totals["simulations"] == 8
    assert len(result.history) == 1
    assert np.isfinite(result.best_loss)
    assert result.best_loss == problem.loss_of_densities(result.best_densities[None])[0]
    assert np.isfinite(result.totals["heldout_loss"])
    row = fit_rows.summary_row(config(), problem, result)
    assert row["status"] == "error"
    assert row["simulations"] == 8


def test_an_exit_is_a_row(problem, monkeypatch):
    install(monkeypatch, lambda meter: os._exit(3))
    result = fit_apart(config(), problem, "lbfgs", 0)
    assert result.status == Status.error
    assert "exit status 3" in result.message


def test_over_its_memory_is_a_row(problem, monkeypatch):
    held_MB = psutil.Process().memory_info().rss / 1e6
    install(monkeypatch, hoard)
    result = fit_apart(config(memory_limit_MB=held_MB + 300), problem, "lbfgs", 0)
    assert result.status == Status.error
    assert "over memory_limit_MB" in result.message
    assert result.totals["simulations"] == 8
    # never far beyond, so that nobody else's memory is taken
    assert float(result.message.split()[3]) < held_MB + 800


def test_over_its_time_is_a_row(problem, monkeypatch):
    monkeypatch.setattr(apart, "GRACE_S", 0.5)
    install(monkeypatch, hang)
    begun = time.monotonic()
    result = fit_apart(config(wall_limit_s=1), problem, "lbfgs", 0)
    assert result.status == Status.budget
    assert "hard stop" in result.message
    assert result.totals["simulations"] == 8
    assert time.monotonic() - begun < 10


def test_a_mistake_of_the_caller_is_raised_here(problem):
    with pytest.raises(ValueError, match="unknown setting of lbfgs 'step'"):
        fit_apart(config(methods={"lbfgs": {"step": 1}}), problem, "lbfgs", 0)


def wait_for_ever(connection) -> None:
    time.sleep(100)


def be_a_parent(connection) -> None:
    connection.send(apart.Child(wait_for_ever).process.pid)
    time.sleep(100)


def test_a_child_dies_with_its_parent():
    parent = apart.Child(be_a_parent)
    child = psutil.Process(parent.follow(lambda pid: True))
    assert child.is_running()
    parent.end(kill=True)
    assert psutil.wait_procs([child], timeout=5)[1] == []


@pytest.mark.parametrize("method", OWN)
def test_one_thread_or_two_are_the_same(problem, monkeypatch, method):
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("GRADEVO_THREADS", threads)
        results.append(study.run_fit(config(), problem, method, 1))
    one, two = results
    np.testing.assert_array_equal(one.best_densities, two.best_densities)
    pd.testing.assert_frame_equal(one.history.drop(columns=TIMED), two.history.drop(columns=TIMED), check_exact=True)
