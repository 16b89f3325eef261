"""What is measured of gradevo alone: tangents, checkpoints and memory, small problems, other channels, the first result; and
what the machine's second core is worth."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gradevo.bench.cells import HEADLINE
from gradevo.bench.client import Worker
from gradevo.bench.model import Case
from gradevo.bench.timing import alternate

TINY = Case(6, 8, 200, 12)
LONG = Case(184, 8, 40000, 368, samples=10000)
"""1000 ms at 0.025 ms, recorded every 0.1 ms."""
SMALL = Case(6, 100, 400, 12)
PASSES = ("forward", "gradient")


def gradevo(threads: int, precision: str = "float64", **options: Any) -> Worker:
    return Worker("gradevo", {"precision": precision, "threads": threads, **options})


def both_passes(case: Case, threads: int, rounds: int) -> dict[str, Any]:
    """Median seconds of forward and gradient, and all their timings."""
    with gradevo(threads) as worker:
        worker.prepare(case)
        timings = alternate({what: lambda w=what: worker.seconds(w) for what in PASSES}, rounds)
    return {
        "gradevo_forward_s": timings["forward"].median_s,
        "gradevo_gradient_s": timings["gradient"].median_s,
        "timings": {what: timing._asdict() for what, timing in timings.items()},
    }


def tangents(threads: int, rounds: int) -> dict[str, Any]:
    """A direction's cost as a share of a forward simulation, and J^T J with J^T r, at the headline size."""
    counts = (min(64, HEADLINE.densities), HEADLINE.densities)
    series: dict[str, Callable[[], float]] = {}
    with gradevo(threads) as worker:
        worker.prepare(HEADLINE)
        for count in counts:
            series[f"tangents_{count}"] = partial(worker.seconds, "tangents", count)
        series["forward"] = partial(worker.seconds, "forward")
        series["least_squares"] = partial(worker.seconds, "least_squares")
        timings = alternate(series, rounds)
    forward = timings["forward"].median_s
    return {
        "direction_per_forward": {str(c): timings[f"tangents_{c}"].median_s / c / forward for c in counts},
        "least_squares_s": timings["least_squares"].median_s,
        "timings": {what: timing._asdict() for what, timing in timings.items()},
    }


def second_core(case: Case, rounds: int) -> dict[str, Any]:
    """How many times the work of one thread two threads get done; and two processes of one thread each at once, which is what
    the machine gives to any program on two cores: 2 where they do not slow each other."""
    with gradevo(1) as one, gradevo(1) as other, gradevo(2) as threaded:
        for worker in (one, other, threaded):
            worker.prepare(case)

        def both(what: str) -> float:
            for worker in (one, other):
                worker.send(what)
            return sum(worker.receive()["seconds"] for worker in (one, other)) / 2

        series: dict[str, Callable[[], float]] = {}
        for what in PASSES:
            series |= {what: partial(one.seconds, what), f"{what}_threads": partial(threaded.seconds, what)}
            series[f"{what}_processes"] = partial(both, what)
        timings = alternate(series, rounds)
    median = {what: timing.median_s for what, timing in timings.items()}
    return {
        "two_threads_per_one": {what: median[what] / median[f"{what}_threads"] for what in PASSES},
        "two_processes_per_one": {what: 2 * median[what] / median[f"{what}_processes"] for what in PASSES},
        "timings": {what: timing._asdict() for what, timing in timings.items()},
    }


def long_simulation(threads: int, rounds: int) -> dict[str, Any]:
    """Peak memory of the gradient through LONG above that of a tiny one, and time against keeping every state."""
    found: dict[str, Any] = {}
    with gradevo(threads) as checkpointed, gradevo(threads, keep_all=True) as kept:
        series = {}
        for name, worker in (("checkpoints", checkpointed), ("every_state", kept)):
            worker.prepare(TINY)
            worker.seconds("gradient")
            before = worker.ask("peak")["bytes"]
            worker.prepare(LONG)
            worker.seconds("gradient")
            found[f"{name}_bytes_above_baseline"] = worker.ask("peak")["bytes"] - before
            series[name] = lambda worker=worker: worker.seconds("gradient")
        forward = alternate({"forward": lambda: checkpointed.seconds("forward")}, rounds)["forward"]
        timings = {**alternate(series, rounds), "forward": forward}
    found["checkpoints_per_every_state"] = timings["checkpoints"].median_s / timings["every_state"].median_s
    found["gradient_per_forward_checkpoints"] = timings["checkpoints"].median_s / forward.median_s
    found["gradient_per_forward_every_state"] = timings["every_state"].median_s / forward.median_s
    found["timings"] = {name: timing._asdict() for name, timing in timings.items()}
    return found


def first_result(threads: int) -> dict[str, float]:
    """Seconds from the start of Python to the first gradient at the headline size, without and with compiled kernels on disk;
    and what ``import gradevo`` takes."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold_s", "cached_s"):
            begin = time.perf_counter()
            with Worker("gradevo", {"precision": "float64", "threads": threads}, {"GRADEVO_CACHE": cache}) as worker:
                worker.prepare(HEADLINE)
                # once, and not as often as a timing is repeated
                worker.array("gradient")
                found[name] = time.perf_counter() - begin
    code = "import time; t = time.perf_counter(); import gradevo; print(time.perf_counter() - t)"
    found["import_gradevo_s"] = float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    return found
