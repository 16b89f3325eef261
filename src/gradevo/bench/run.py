"""The whole benchmark: agreement first, then timings, then the table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from gradevo.bench import extras
from gradevo.bench.cells import HEADLINE, Rates, physical_memory_bytes, sizes
from gradevo.bench.client import WorkerEnded
from gradevo.bench.contestants import TOLERANCE_MV, Running
from gradevo.bench.model import Case
from gradevo.bench.over_sizes import over_sizes
from gradevo.bench.rounds import field, passes, ratios, row, time_headline, time_size
from gradevo.bench.worker import as_request
from gradevo.kernels.threads import available_threads
from gradevo.provenance import describe_run
from gradevo.result import write_aside

Mode = Literal["quick", "normal", "full"]

WALL_LIMIT_S = 810.0
LIBRARIES = ("jaxley", "jax", "neuron")


def run_bench(mode: Mode, out: Path, headline: Case = HEADLINE, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Runs the benchmark and writes bench.json into the folder ``out``; returns what it holds.

    quick: the headline size alone, about a minute. normal: all sizes that begin in 13 and a half minutes. full: all sizes.

    Raises:
        ValueError: without Jaxley or NEURON, or if the simulators do not agree (Disagreement): then nothing is timed.
    """
    versions = peer_versions()
    begin = time.perf_counter()
    threads = available_threads()
    rounds = 3 if mode == "quick" else 7
    rates = Rates()
    found: dict[str, Any] = {
        "mode": mode,
        "machine": {**describe_run()["hardware"], "memory_bytes": physical_memory_bytes(), "threads": threads},
        "versions": {**describe_run()["versions"], **versions},
        "tolerance_mV": TOLERANCE_MV,
        "headline_case": as_request(headline),
    }
    with ExitStack() as stack:
        say("starting everyone")
        everyone = {c: Running(stack, c) for c in field(threads, quick=mode == "quick")}
        say(f"comparing voltages, then {rounds} rounds at the headline size")
        found["headline"], timings, found["timings"] = time_headline(headline, everyone, threads, rounds, rates)
        found["ratios"] = ratios(timings, found["headline"], threads)
    say("published channels")
    published = replace(headline, channels="jones2024")
    found["published_channels"] = extras.both_passes(published, threads, rounds)
    if mode != "quick":
        found |= gradevo_alone(threads, say)
        deadline = float("inf") if mode == "full" else begin + WALL_LIMIT_S
        found["timings"] += all_sizes(threads, rates, mode == "full", deadline, say)
    found["over_sizes"] = over_sizes(found["timings"])
    found["seconds"] = time.perf_counter() - begin
    write_aside(out / "bench.json", lambda aside: aside.write_text(json.dumps(found, indent=1) + "\n"))
    return found


def gradevo_alone(threads: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Tangents, a long simulation, a small problem, the second core, and the time to the first result."""
    say("tangents, memory, a small problem, the second core, the first result")
    return {
        "tangents": extras.tangents(threads, 5),
        "small": {"case": as_request(extras.SMALL), **extras.both_passes(extras.SMALL, threads, 20)},
        "second_core": extras.second_core(HEADLINE, 7) if threads > 1 else None,
        "first_result": extras.first_result(threads),
        "long_simulation": {"case": as_request(extras.LONG), **extras.long_simulation(threads, 3)},
    }


def all_sizes(threads: int, rates: Rates, full: bool, deadline: float, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Rows of every size but the headline's. A size at which a process ends (for want of memory, say) has rows that say so."""
    rows: list[dict[str, Any]] = []
    contestants = list(rates.seconds)
    with ExitStack() as stack:
        everyone = {c: Running(stack, c) for c in contestants}
        for case in sizes():
            say(f"{case.compartments} compartments x {case.simulations} simulations x {case.steps} steps")
            try:
                rows += time_size(case, everyone, threads, rates, full, deadline)
            except WorkerEnded as error:
                rows += [row(case, c, what) | {"skipped": str(error)} for c in contestants for what in passes(c)]
                stack.close()
                everyone = {c: Running(stack, c) for c in contestants}
    return rows


def peer_versions() -> dict[str, str]:
    """Versions of the other simulators. Raises ValueError naming one that is not installed, and how to get it."""
    try:
        return {name: version(name) for name in LIBRARIES}
    except PackageNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed, so there is nothing to compare with; `make bench` installs it, or "
            "pip install -r requirements-peers.lock"
        ) from None
