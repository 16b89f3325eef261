"""``gradevo bench --device cuda``: all that is to be known of a device's speed, within 8 minutes.

The model is `gradevo bench`'s: a random tree of squid axon membranes under random currents, every compartment recorded, a mean
square for a loss. Nothing is timed before voltages, gradients and tangents are the CPU kernel's. Then, each beside the limits of
memory and arithmetic (limits.py):

headline      96 simulations of 184 compartments, 200 steps, as in docs/benchmarks.md
large         10,000 simulations of 868 compartments, 800 steps of 0.025 ms: the size of Jaxley's published times
layouts       1 to 32,768 simulations in both layouts: where the one overtakes the other
populations   candidates under 4 stimuli, on the device and on two cores: where the device overtakes them
tangents      J^T J and J^T r of 368 densities under 16 stimuli, on the device and on the CPU
steps         a step of a method: what is around the kernels, beside the kernels alone

Each entry is a median over runs that end with the device's work, without compilation. torch tensors stay on the device; without
torch's CUDA build numpy arrays are copied there and back within the time. What the time does not reach is left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gradevo.bench.cells import HEADLINE
from gradevo.bench.model import Case
from gradevo.bench_gpu.entries import PRECISIONS, checks, least_squares, populations, steps, timed
from gradevo.bench_gpu.limits import measured_limits
from gradevo.cuda.device import require_device
from gradevo.provenance import describe_run
from gradevo.result import write_aside

SECONDS = 450.0


@dataclass(frozen=True)
class Sizes:
    """What is timed; ``probe``: bytes, threads and rounds of what measures the limits; ``runs`` of what is quick, half of them of
    what is not."""

    checked: Case
    headline: Case
    large: Case
    layouts: tuple[Case, ...]
    populations: tuple[int, ...]
    of_a_population: Case
    tangents: Case
    starts: int
    runs: int
    probe: tuple[int, int, int]


SIZES = Sizes(
    checked=Case(24, 4, 200, 48),
    headline=HEADLINE,
    large=Case(868, 10000, 800, 1736),
    layouts=tuple(replace(HEADLINE, simulations=s) for s in (1, 16, 128, 512, 1024, 2048, 4096, 8192, 32768)),
    populations=(1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096),
    of_a_population=replace(HEADLINE, simulations=4),
    tangents=replace(HEADLINE, simulations=16),
    starts=64,
    runs=5,
    probe=(2**30, 2**20, 8192),
)


def run_bench(out: Path, sizes: Sizes = SIZES, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Runs it and writes gpu.json into the folder ``out`` after every entry: a machine may be taken away.

    Raises:
        NoCudaError: without a device and without the simulator.
    """
    begin = time.perf_counter()
    require_device()
    limits = measured_limits(*sizes.probe)
    found: dict[str, Any] = {"machine": describe_run(device="cuda"), "limits": asdict(limits)}
    few = max(1, sizes.runs // 2)
    headline, large = sizes.headline, sizes.large
    work: list[tuple[str, Iterator[dict[str, Any]]]] = [
        ("checks", checks(sizes.checked)),
        ("headline", (timed(headline, limits, sizes.runs, p) for p in PRECISIONS)),
        ("large", (timed(large, limits, few, p) for p in PRECISIONS)),
        ("populations", populations(sizes.of_a_population, sizes.populations, sizes.runs)),
        ("tangents", least_squares(sizes.tangents, few)),
        ("steps", steps(headline, sizes.starts, sizes.runs)),
        ("layouts", (timed(c, limits, few, p, across) for c in sizes.layouts for p in PRECISIONS for across in (False, True))),
    ]
    for name, entries in work:
        found[name] = []
        say(name)
        for entry in entries:
            found[name].append(entry)
            found["seconds"] = time.perf_counter() - begin
            write_aside(out / "gpu.json", lambda aside: aside.write_text(json.dumps(found, indent=1) + "\n"))
            if found["seconds"] > SECONDS:
                return found
    return found
