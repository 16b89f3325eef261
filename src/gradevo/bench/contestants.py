"""Who runs: gradevo in two precisions on one core and on all, Jaxley in two precisions, NEURON in one process and in two."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradevo.bench.client import Worker
from gradevo.bench.model import Case
from gradevo.bench.worker import as_request

TOLERANCE_MV = 1e-6
"""Voltages of two simulators of the same scheme may differ by this much at most; beyond, nothing is timed."""


class Disagreement(ValueError):
    """Two contestants do not simulate the same model."""


@dataclass(frozen=True)
class Contestant:
    """A simulator, its precision, and how many threads (gradevo), devices (Jaxley) or processes (NEURON) it has."""

    simulator: str
    precision: str
    threads: int

    @property
    def label(self) -> str:
        return f"{self.simulator} {self.precision} x{self.threads}"

    @property
    def has_gradient(self) -> bool:
        return self.simulator != "neuron"

    def options(self) -> list[dict[str, Any]]:
        """For each process."""
        if self.simulator == "gradevo":
            return [{"precision": self.precision, "threads": self.threads}]
        if self.simulator == "jaxley":
            return [{"precision": self.precision, "devices": self.threads}]
        return [{"share": share, "of": self.threads} for share in range(self.threads)]


class Running:
    """A contestant's processes, until ``stack`` ends."""

    def __init__(self, stack: ExitStack, contestant: Contestant) -> None:
        self._workers = [stack.enter_context(Worker(contestant.simulator, options)) for options in contestant.options()]
        self._baseline: int | None = None
        self.compile_s = 0.0

    def prepare(self, case: Case) -> None:
        """Gets ready for a case, in all processes at once."""
        self._baseline = self._baseline or self._peak_bytes()
        for worker in self._workers:
            worker.send("prepare", case=as_request(case))
        answers = [worker.receive() for worker in self._workers]
        self.compile_s = sum(value for key, value in answers[0].items() if key.startswith("compile"))

    def seconds(self, do: str) -> float:
        """Of one run; of several processes that start together, those of the slowest."""
        for worker in self._workers:
            worker.send(do)
        return max(worker.receive()["seconds"] for worker in self._workers)

    def array(self, do: str) -> np.ndarray:
        """What the method returns; of a contestant in one process."""
        (worker,) = self._workers
        return worker.array(do)

    def memory_bytes(self) -> int:
        """Peak memory so far, above what the processes took once they had loaded their libraries."""
        return self._peak_bytes() - (self._baseline or 0)

    def _peak_bytes(self) -> int:
        return sum(worker.ask("peak")["bytes"] for worker in self._workers)


def check_agreement(case: Case, ours: Running, neuron: Running | None, jaxley: Running | None) -> dict[str, float]:
    """Largest differences in mV between gradevo's voltages, in the other's mode, and NEURON's and Jaxley's (float64, one process
    each), and the relative difference in norm between gradevo's and Jaxley's gradients.

    Raises:
        Disagreement: if voltages differ by more than TOLERANCE_MV.
    """
    found: dict[str, float] = {}
    for name, other, method in (("neuron", neuron, "forward_as_neuron"), ("jaxley", jaxley, "forward")):
        if other is not None:
            difference = float(np.abs(ours.array(method) - other.array("forward")).max())
            found[f"max_abs_dv_{name}_mV"] = checked(difference, name, case)
    if jaxley is not None:
        found["gradient_rel_diff_jaxley"] = relative_difference(ours.array("gradient"), jaxley.array("gradient"))
    return found


def checked(difference_mV: float, name: str, case: Case) -> float:
    """The difference itself. Raises Disagreement if it is too large, or no number."""
    if not difference_mV <= TOLERANCE_MV:
        raise Disagreement(
            f"the voltages of gradevo and {name} differ by {difference_mV:.2g} mV at {case}; above {TOLERANCE_MV:g} mV "
            "they do not simulate the same model, and timing them would mean nothing"
        )
    return difference_mV


def relative_difference(values: np.ndarray, reference: np.ndarray) -> float:
    """|values - reference| / |reference|, in norm."""
    return float(np.linalg.norm(values.astype(float) - reference) / np.linalg.norm(reference))
