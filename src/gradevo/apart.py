"""A fit in a process of its own, forked from a warm one: whatever ends that process, the fit is a row of the table.

Forking saves each fit the seconds that importing torch and loading kernels take. What does not survive a fork (threads,
a CUDA context) has to be begun in the child: the parent stays with one thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from gradevo.config import GRACE_S, Config
from gradevo.fit import Ended
from gradevo.kept import KILLED
from gradevo.meter import Meter
from gradevo.problem import Problem
from gradevo.result import Result, Status
from gradevo.study import run_fit
from gradevo.workplace import end_with_parent

JOB_OVERHEAD_MB = 500.0
"""What a cluster's job holds beside the fit's process: Snakemake twice, the job's script, and what forks have not shared."""

REPORT_S = 0.2
"""Between a fit's reports: what is lost of its history when its process is killed."""

POLL_S = 0.05
"""Between looks at a fit's memory and time."""


@dataclass(frozen=True)
class Limits:
    """Of a process: resident memory (MB, 1e6 bytes) and wall-clock time; None: without end. job_memory_MB: that of the
    cluster's job that the process is part of, where that is the narrower limit."""

    memory_MB: float | None = None
    time_s: float | None = None
    job_memory_MB: float | None = None


def fit_apart(
    config: Config,
    problem: Problem,
    method: str,
    seed: int,
    on_progress: Callable[[dict[str, Any]], Any] | None = None,
    job_memory_MB: float | None = None,
) -> Result:
    """As `study.run_fit`, in a process of its own, within the config's memory_limit_MB and wall_limit_s.

    on_progress : called with the counts of `Meter.progress` a few times a second
    job_memory_MB : of the cluster's job that this is part of; the fit is ended before the cluster would end the whole job

    Returns
    -------
    Result; of a process that died or was ended: status "error" (or "budget", if it was for time and a loss had been
    seen), what happened as its message, and the history that it had reported.

    Raises
    ------
    ValueError : unknown method or setting
    """
    reports: list[dict[str, Any]] = []

    def receive(message: Any) -> bool:
        if isinstance(message, dict):
            reports.append(message)
            if on_progress is not None:
                on_progress(message["counts"])
        return not isinstance(message, dict)

    limits = process_limits(config, job_memory_MB)
    outcome = _outcome(Child(_fit, config, problem, method, seed, None), receive, limits)
    if isinstance(outcome, Result):
        return outcome
    seen = bool(reports) and reports[-1]["counts"]["best_densities"] is not None
    status = Status.budget if outcome.of_time and seen else Status.error
    ended = Ended(status, outcome.message, tuple(reports))
    # scoring runs simulations: apart too, and given up if they end that process as well
    scored = _outcome(Child(_fit, config, problem, method, seed, ended), lambda message: True, limits)
    return scored if isinstance(scored, Result) else run_fit(config, problem, method, seed, ended=replace(ended, progress=()))


def process_limits(config: Config, job_memory_MB: float | None = None) -> Limits:
    """Of the process of one of the study's fits, in a job with so much memory (None: as much as the machine has)."""
    wall_s, memory_MB = config.get("wall_limit_s"), config.get("memory_limit_MB")
    time_s = None if wall_s is None else wall_s + GRACE_S
    left_MB = None if job_memory_MB is None else max(job_memory_MB - JOB_OVERHEAD_MB, 0.0)
    if left_MB is None or (memory_MB is not None and memory_MB <= left_MB):
        return Limits(memory_MB, time_s)
    return Limits(left_MB, time_s, job_memory_MB)


def _outcome(child: Child, receive: Callable[[Any], bool], limits: Limits) -> Result | Death:
    outcome = child.follow(receive, limits)
    child.end(kill=True)
    if isinstance(outcome, ValueError):
        raise outcome
    return outcome


def _fit(connection: Connection, config: Config, problem: Problem, method: str, seed: int, ended: Ended | None) -> None:
    sent, rows, improvements = time.monotonic(), 0, 0

    def report(meter: Meter) -> None:
        nonlocal sent, rows, improvements
        if rows > 0 and time.monotonic() - sent < REPORT_S:
            return
        connection.send(meter.progress(rows, improvements))
        sent, rows, improvements = time.monotonic(), len(meter.rows), len(meter.improvements)

    try:
        connection.send(run_fit(config, problem, method, seed, on_event=report, ended=ended))
    except ValueError as mistake:
        connection.send(mistake)


@dataclass(frozen=True)
class Death:
    """A child that ended without its last word. of_time: because of its time limit."""

    message: str
    of_time: bool = False


class Child:
    """target(connection, *arguments) in a forked process that dies with this one; it sends its messages through the
    connection."""

    def __init__(self, target: Callable[..., Any], *arguments: Any) -> None:
        context = multiprocessing.get_context("fork")
        self.receiver, sender = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(target=_begin, args=(os.getpid(), target, sender, *arguments))
        self.process.start()
        self.begun = time.monotonic()
        sender.close()

    def follow(self, receive: Callable[[Any], bool], limits: Limits = Limits()) -> Any:
        """Hand each message to `receive` until it returns True for the last, which is returned; else a `Death`."""
        reason = None
        while True:
            alive = self.process.is_alive()
            # read after that: whatever a dead process had sent is there by now
            for message in self._messages():
                if receive(message):
                    return message
            if not alive:
                return reason or Death(_cause(self.process))
            if reason is None:
                reason = self._over(limits)
                if reason is not None:
                    self.process.kill()
            wait([self.receiver, self.process.sentinel], POLL_S)

    def end(self, kill: bool = False) -> int:
        """Wait for the process, or make an end of it; returns its exit code (negative: the signal that it died of)."""
        if kill:
            self.process.kill()
        self.process.join()
        self.receiver.close()
        return self.process.exitcode or 0

    def _messages(self) -> Iterator[Any]:
        with suppress(EOFError, ConnectionError):
            while self.receiver.poll():
                yield self.receiver.recv()

    def _over(self, limits: Limits) -> Death | None:
        """Why it must be ended now, if it must."""
        seconds = time.monotonic() - self.begun
        if limits.time_s is not None and seconds > limits.time_s:
            return Death(f"hard stop: its process was ended after {seconds:.0f} s (wall_limit_s and {GRACE_S:g} s more)", True)
        if limits.memory_MB is None:
            return None
        with suppress(psutil.NoSuchProcess):
            held_MB = psutil.Process(self.process.pid).memory_info().rss / 1e6
            if held_MB > limits.memory_MB and limits.job_memory_MB is not None:
                return Death(f"{KILLED} want of memory: it held {held_MB:.0f} MB in a job of {limits.job_memory_MB:g} MB")
            if held_MB > limits.memory_MB:
                return Death(f"its process held {held_MB:.0f} MB, over memory_limit_MB ({limits.memory_MB:g}), and was ended")
        return None


def _begin(parent: int, target: Callable[..., Any], connection: Connection, *arguments: Any) -> None:
    # Ctrl-C is the parent's to answer; this process ends with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)
    target(connection, *arguments)


def _cause(process: BaseProcess) -> str:
    process.join()
    code = process.exitcode or 0
    if code >= 0:
        return f"its process ended without a result (exit status {code}); its log says more"
    name = signal.Signals(-code).name
    guess = {"SIGKILL": " (by hand, or for want of memory)", "SIGSEGV": " (a crash in compiled code)"}.get(name, "")
    return f"{KILLED} {name}{guess}"
