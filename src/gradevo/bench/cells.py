"""Which sizes are timed, and what that would take: cells that would not fit are recorded as skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from gradevo.bench.contestants import Contestant
from gradevo.bench.model import Case

HEADLINE = Case(184, 96, 200, 368)
COMPARTMENTS, SIMULATIONS, STEPS = (6, 24, 184, 868), (1, 96, 1000), (200, 4000)

# Fewer simulations than this take as long: lanes and vector operations do not get cheaper by being empty.
_LEAST_SIMULATIONS = {"gradevo": 8, "jaxley": 24, "neuron": 1}


def sizes() -> Iterator[Case]:
    """All sizes, least work first, with 2 densities per compartment and with 2 in all."""
    every = [
        Case(n, s, t, densities) for n in COMPARTMENTS for s in SIMULATIONS for t in STEPS for densities in (2 * n, 2)
    ]  # fmt: skip
    yield from sorted((case for case in every if case != HEADLINE), key=lambda case: (case.work, -case.densities))


def effective_work(case: Case, contestant: Contestant) -> int:
    """Compartment-steps, empty lanes included."""
    least = _LEAST_SIMULATIONS[contestant.simulator] * contestant.threads
    return case.compartments * case.steps * max(case.simulations, least)


@dataclass
class Rates:
    """What was measured at one size: seconds per compartment-step by contestant and pass, bytes per compartment-step, and seconds
    of compiling."""

    seconds: dict[Contestant, dict[str, float]] = field(default_factory=dict)
    bytes_per_step: dict[Contestant, float] = field(default_factory=dict)
    compile_s: dict[Contestant, float] = field(default_factory=dict)

    def learn(self, case: Case, contestant: Contestant, median_s: dict[str, float], memory_bytes: int, compile_s: float) -> None:
        """From the passes' median seconds at a size."""
        work = effective_work(case, contestant)
        self.seconds[contestant] = {what: seconds / work for what, seconds in median_s.items()}
        self.bytes_per_step[contestant] = memory_bytes / work
        self.compile_s[contestant] = compile_s

    def run_s(self, case: Case, contestant: Contestant) -> dict[str, float]:
        """Expected seconds of a run of each pass at another size."""
        work = effective_work(case, contestant)
        return {what: seconds * work for what, seconds in self.seconds[contestant].items()}

    def memory_bytes(self, case: Case, contestant: Contestant) -> float:
        """Expected at another size: as much per step where every state is kept; gradevo takes checkpoints before 2 GB, Jaxley
        here beyond 4 GB (jaxley_runner), and then about an eighth."""
        expected = self.bytes_per_step[contestant] * effective_work(case, contestant)
        if contestant.simulator == "gradevo":
            return min(expected, 2.0 * 2**30)
        return max(expected / 8, min(expected, 4.0 * 2**30))

    def fastest_jaxley(self) -> Contestant:
        """The float64 one whose gradient was fastest."""
        every = {c: passes for c, passes in self.seconds.items() if c.simulator == "jaxley" and c.precision == "float64"}
        return min(every, key=lambda c: every[c]["gradient"])


def physical_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
