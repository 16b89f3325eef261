"""All seeds of one method on one problem: one job of the workflow. A fit that fails is a result like any other."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import numpy as np

from gradevo.apart import Child, Death, Limits, fit_apart, process_limits
from gradevo.config import Config
from gradevo.devices import resolved
from gradevo.fit import Ended
from gradevo.kept import KILLED, fit_key, jobs_before, keep, kept_folder, take_over
from gradevo.kernels.compiling import compile_seconds
from gradevo.kernels.threads import available_threads
from gradevo.meter import TANGENT_WEIGHT
from gradevo.methods import get_method
from gradevo.problem import Problem
from gradevo.result import Result, Status, write_result
from gradevo.study import make_problems, run_fit

Files = Mapping[int, tuple[str, str]]
"""Of each seed: its history (.parquet) and the rest (.json)."""

JOBS = 3
"""On a cluster, a fit that so many jobs could not finish is given up: it becomes a row. Memory grows up to the attempt with
this number, and where that is too little, no other fit of the same job has to wait for more.
"""

_WARM = "warm"

POPULATION = 64
"""Simulations of a batch that is surely laid out side by side (kernels/layout.py)."""


def run_seeds(
    config: Config,
    problem: str,
    method: str,
    targets: str | Path,
    files: Files,
    threads: int | None = None,
    job_memory_MB: float | None = None,
    attempt: int = 1,
) -> None:
    """Make every seed's fit, or take it over from an earlier, killed job, and write its files.

    A process between this one and the fits' is warmed up first, by a fit of one candidate that is thrown away: loading a
    method's libraries and the kernels takes seconds, and no seed's clock should pay for it. If that process does not live
    through it, the fits are made in cold processes, where whatever went wrong becomes their result. On a GPU nothing is warmed
    up, and each fit gets it ready before its clock starts: a process that has begun CUDA cannot fork others that use it.

    threads: at most so many, unless GRADEVO_THREADS says otherwise.
    job_memory_MB: of the cluster's job that this is; None where it is not one. Fits that would outgrow it, or that are killed
    in it, are left to the next job, which has more memory; the JOBS-th of them makes them rows.
    attempt: the how manieth job this is, 1 for the first.

    Raises SystemExit, naming the file and the way out, where files cannot be written; naming the fits that are left. Raises
    ValueError where the config's device is not there.
    """
    config = {**config, "device": resolved(config.get("device", "cpu"))}
    if threads is not None:
        os.environ.setdefault("GRADEVO_THREADS", str(min(threads, available_threads())))
    keys = {seed: fit_key(config, problem, method, seed, targets, available_threads()) for seed in files}
    folder = kept_folder(config["study"])
    posed = make_problems(config, problem, targets)
    status = 0
    for warm in (True, False):
        missing = {}
        for seed, paths in files.items():
            if take_over(folder, keys[seed], paths):
                _say(f"{problem} {method} seed {seed}: finished before, taken over")
            else:
                missing[seed] = paths
        if not missing:
            return
        child = Child(_make, config, posed, method, missing, keys, warm, job_memory_MB, attempt)
        # cold, nothing is done before the fits' own processes, which have their limits
        limits = process_limits(config, job_memory_MB) if warm else Limits()
        outcome = child.follow(lambda message: message == _WARM, limits)
        if isinstance(outcome, Death):
            _say(f"{problem} {method}: warming up failed: {outcome.message}")
        status = child.end()
        if status == 0:
            return
        if status > 0:
            sys.exit(status)  # it has said why
    sys.exit(f"{problem} {method}: the process that runs the fits died twice (signal {-status}); run the same command again")


def _make(
    connection: Connection,
    config: Config,
    problems: Mapping[int, Problem],
    method: str,
    files: Files,
    keys: Mapping[int, str],
    warm: bool,
    job_memory_MB: float | None,
    attempt: int,
) -> None:
    name, first = next((problem.name, problem) for problem in problems.values())
    compile_s = _warm_up(config, first, method) if warm and config["device"] == "cpu" else 0.0
    # what is loaded stays: fits need not look through it, nor copy its pages by doing so
    gc.enable()
    gc.freeze()
    connection.send(_WARM)
    folder = kept_folder(config["study"])
    left: list[str] = []
    try:
        for seed, paths in files.items():
            problem = problems[seed]
            before = jobs_before(folder, keys[seed]) if job_memory_MB is not None else 0
            if before >= (JOBS if attempt <= JOBS else 1):
                result = _given_up(config, problem, method, seed, before)
            else:
                result = fit_apart(config, problem, method, seed, job_memory_MB=job_memory_MB)
            if job_memory_MB is not None and result.message.startswith(KILLED) and max(before + 1, attempt) < JOBS:
                left.append(f"{problem.name} {method} seed {seed}: {result.message}; left to a job with more memory")
                _say(left[-1])
                continue
            result.totals["compile_s"] += compile_s
            compile_s = 0.0
            write_result(result, *paths)
            if not result.message.startswith(KILLED):
                keep(folder, keys[seed], paths)
            _say(f"{problem.name} {method} seed {seed}: {result.status}, loss {result.best_loss:.3g}, {result.message}")
    except OSError as error:
        sys.exit(f"{name} {method}: {error.strerror}")
    if left:
        sys.exit("\n".join(left))


def _given_up(config: Config, problem: Problem, method: str, seed: int, jobs: int) -> Result:
    """The row of a fit whose jobs all died."""
    message = (
        f"{KILLED} the end of its job ({jobs} jobs): killed, or over its memory or time; the cluster's accounting says which"
    )
    return run_fit(config, problem, method, seed, ended=Ended(Status.error, message))


def _warm_up(config: Config, problem: Problem, method: str) -> float:
    """Seconds that this process has spent on compiling. In one thread, and no more are begun: threads do not survive the forks
    to come."""
    # one candidate, whatever the method asks of it
    weight = max(config["gradient_weight"], 1.0 + config.get("tangent_weight", TANGENT_WEIGHT) * problem.n_parameters)
    one_candidate = weight * problem.n_simulations
    threads, torch = os.environ.get("GRADEVO_THREADS"), _torch_if_needed(problem, method)
    torch_threads = torch.get_num_threads() if torch else 0
    os.environ["GRADEVO_THREADS"] = "1"
    if torch:
        torch.set_num_threads(1)
    # whatever the method's first batch, a whole population's kernel is there
    problem.loss(problem.sample_initial(np.random.default_rng(0), -(-POPULATION // problem.n_simulations)))
    run_fit({**config, "budget_equivalents": one_candidate}, replace(problem, name="warm_up"), method, seed=0)
    if torch:
        torch.set_num_threads(torch_threads)
    if threads is None:
        del os.environ["GRADEVO_THREADS"]
    else:
        os.environ["GRADEVO_THREADS"] = threads
    return compile_seconds()


def _torch_if_needed(problem: Problem, method: str) -> ModuleType | None:
    """torch where the method or the loss computes with it; loading it takes seconds, which all other fits are spared."""
    chosen = get_method(method)
    assert chosen.run  # imports the method's libraries
    if chosen.gradient and not problem.loss_function.is_sum_of_squares:
        import torch

        return torch
    return sys.modules.get("torch")


def _say(line: str) -> None:
    logging.info(line)
    print(line, flush=True)
