"""How long simulations and gradients take on a device: ``python -m gradevo.cuda.bench OUT.json``, ended after 7 minutes.

The model is `gradevo bench`'s: a random tree of squid axon membranes under random currents, every compartment recorded, a mean
square for a loss. Voltages and gradients are compared with the CPU kernel's before anything is timed. Each entry is a median over
runs that end with the device's work, without compilation; torch tensors stay on the device, and without torch's CUDA build numpy
arrays are copied there and back within the time. Sizes go from small to large; those that the time does not reach are left out.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numba import cuda

from gradevo.bench.model import TARGET_MV, Case
from gradevo.cuda import backend
from gradevo.cuda.device import require_device, simulated
from gradevo.kernels import cpu

SECONDS = 420.0
RUNS = 5
CHECKED = Case(24, 4, 200, 48)
TIMED = (
    *(Case(184, simulations, 200, 368) for simulations in (1, 16, 96, 512, 2048, 8192, 32768)),
    Case(868, 96, 800, 1736),
    Case(868, 10000, 800, 1736),
)


class OnDevice:
    """A case with its densities and target where the kernels read them."""

    def __init__(self, case: Case, precision: str, across: bool) -> None:
        self.plan = cpu.make_plan(case.neuron, case.protocol(first_gate_step=1.0))
        self.across = across
        self.densities: Any = case.full_densities[None].astype(precision)
        if not simulated():
            import torch

            if torch.cuda.is_available():
                self.densities = torch.from_numpy(self.densities).cuda()

    def forward(self) -> Any:
        return backend.forward(self.plan, self.densities, keep=False, across=self.across)[0]

    def gradient(self) -> Any:
        def slopes(simulations: slice, stimuli: np.ndarray, voltages: Any) -> Any:
            return (voltages - TARGET_MV) * (2.0 / np.prod(voltages.shape))

        return backend.gradient(self.plan, self.densities, slopes, across=self.across).densities


def checked(case: Case, precision: str, across: bool) -> dict[str, float]:
    """Largest differences from the CPU's kernel in float64, relative to its largest number."""
    there = OnDevice(case, precision, across)
    voltages, _, run = cpu.forward(there.plan, case.full_densities[None], keep=True)
    gradient = cpu.adjoint(run, (voltages - TARGET_MV) * (2.0 / voltages.size)).densities
    found = {}
    for name, ours, law in (("voltages", there.forward(), voltages), ("gradient", there.gradient(), gradient)):
        ours = ours if isinstance(ours, np.ndarray) else ours.cpu().numpy()
        found[name] = float(np.abs(ours - law).max() / np.abs(law).max())
    return found


def seconds(work: Callable[[], Any], runs: int) -> float:
    """The median of so many runs, after one that is not counted."""
    taken = []
    for _ in range(runs + 1):
        begin = time.perf_counter()
        work()
        cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken[1:]))


def timings(cases: tuple[Case, ...], until: float, runs: int) -> Iterator[dict[str, Any]]:
    """An entry for each case, precision and layout, until the clock says so."""
    for case in cases:
        for precision in ("float32", "float64"):
            for across in (False, True):
                if time.perf_counter() > until:
                    return
                entry: dict[str, Any] = {**asdict(case), "precision": precision, "across": across}
                try:
                    there = OnDevice(case, precision, across)
                    entry["forward_s"] = seconds(there.forward, runs)
                    entry["gradient_s"] = seconds(there.gradient, runs)
                except MemoryError as error:
                    entry["error"] = str(error)
                yield entry


def main(out: Path, cases: tuple[Case, ...] = TIMED, check: Case = CHECKED, runs: int = RUNS) -> None:
    until = time.perf_counter() + SECONDS
    require_device()
    found: dict[str, Any] = {"checks": [], "timings": []}
    for precision in ("float32", "float64"):
        for across in (False, True):
            found["checks"].append({"precision": precision, "across": across, **checked(check, precision, across)})
            print(found["checks"][-1], flush=True)
    for entry in timings(cases, until, runs):
        print(entry, flush=True)
        found["timings"].append(entry)
        # whole after each entry: the machine may be taken away
        out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
