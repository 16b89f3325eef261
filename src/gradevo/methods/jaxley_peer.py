"""Jaxley in a process of its own: JAX's threads do not survive the forks that fits are made by. Neither JAX nor Jaxley is
imported here."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Any

import numpy as np

from gradevo.export import step_means_nA
from gradevo.kernels.cpu import available_threads
from gradevo.methods.squares import weighted_squares
from gradevo.neuron import Neuron
from gradevo.parameters import Parameters, make_parameters
from gradevo.problem import Problem

SERVER = "gradevo.methods.jaxley_server"

NOTHING = 3e-7
"""The share of a child's resistance that stands for none, which Jaxley would divide by. A smaller one costs by rounding in its
solver what it gains: voltages are off by about 1e-5 mV."""


@dataclass(frozen=True, eq=False)
class Task:
    """What Jaxley is told of a problem. low, high [P]; currents_nA [stimuli, stimulated, steps]; weights and target [stimuli,
    samples, recorded] of `weighted_squares`; stride: steps from sample to sample; transform and solver: see `jaxley_adam`."""

    neuron: Neuron
    free: tuple[str, ...]
    regions: dict[str, int]
    fixed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stimulated: tuple[int, ...]
    recorded: tuple[int, ...]
    step_ms: float
    stride: int
    currents_nA: np.ndarray
    weights: np.ndarray
    target: np.ndarray
    transform: str
    solver: str
    devices: int

    @property
    def parameters(self) -> Parameters:
        return make_parameters(self.neuron, self.free, self.regions, self.fixed)


def make_task(problem: Problem, transform: str, solver: str | None = None) -> Task:
    """Raises ValueError for a neuron that Jaxley cannot hold."""
    attachments(problem.neuron)
    protocol, parameters = problem.protocol, problem.parameters
    weights, target = weighted_squares(problem)
    sites = protocol.stimulated or (0,)
    currents = step_means_nA(protocol) if protocol.stimulated else np.zeros((protocol.n_stimuli, 1, protocol.n_steps))
    return Task(
        problem.neuron,
        tuple(quantity.name for quantity in parameters.quantities),
        {quantity.name: quantity.n_regions for quantity in parameters.quantities},
        parameters.fixed,
        problem.low,
        problem.high,
        sites,
        protocol.recorded,
        protocol.step_ms,
        protocol.steps_per_sample,
        currents,
        np.array(weights),
        target,
        transform,
        solver or ("bwd_euler" if protocol.implicitness == 1.0 else "crank_nicolson"),
        available_threads(),
    )


def attachments(neuron: Neuron) -> tuple[np.ndarray, np.ndarray]:
    """Resistances [n], [n] MOhm of each compartment's half towards its parent and of its half towards its children.

    In Jaxley all children of a compartment meet at its end. Where gradevo couples several to the centre, that half has (nearly)
    no resistance, and each child's has all.

    Raises ValueError for a neuron with a cycle, of several parts, or with children at different places of one compartment.
    """
    m, n = neuron.morphology, neuron.n_compartments
    cannot = (
        f"neuron {neuron.name!r} cannot be built in Jaxley, which takes one tree, numbered from the root outwards, with all "
        "children of a compartment at one place"
    )
    if (m.parents < 0).sum() != 1 or (m.parents >= np.arange(n)).any() or len(m.edges) != m.n_nodes - 1:
        raise ValueError(f"{cannot}: it has a cycle, separate parts, or another order")
    into, out = np.ones(n), np.ones(n)  # of halves that lead nowhere, any number
    places: dict[int, list[list[tuple[int, float]]]] = {}
    meetings: dict[int, list[tuple[int, float]]] = {}
    centres: dict[int, list[tuple[int, float]]] = {}
    for ends, resistance in zip(m.edges.tolist(), (1.0 / m.conductances_uS).tolist(), strict=True):
        i, j = sorted(ends)
        if j >= n:
            meetings.setdefault(j, []).append((i, resistance))
        else:
            child = j if m.parents[j] == i else i
            centres.setdefault(int(m.parents[child]), []).append((child, resistance))
    for members in meetings.values():
        compartments = {c for c, _ in members}
        parent = next(c for c in compartments if m.parents[c] not in compartments)
        places.setdefault(parent, []).append(members)
    for parent, children in centres.items():
        if len(children) == 1:
            (child, resistance) = children[0]
            members = [(parent, resistance / 2), (child, resistance / 2)]
        else:
            members = [(parent, NOTHING * min(resistance for _, resistance in children)), *children]
        places.setdefault(parent, []).append(members)
    for parent, groups in places.items():
        if len(groups) > 1:
            raise ValueError(f"{cannot}: compartment {parent} has them at {len(groups)} places")
        for c, resistance in groups[0]:
            (out if c == parent else into)[c] = resistance
    return into, out


class JaxleyError(RuntimeError):
    """Jaxley's process raised, or died; the message holds its last words."""


class Jaxley:
    """Jaxley's process, while the context lasts."""

    def __init__(self, task: Task) -> None:
        """Raises ModuleNotFoundError without Jaxley, naming the way to it."""
        if find_spec("jaxley") is None:
            raise ModuleNotFoundError(
                "Jaxley is not installed; `make bench` installs it, or pip install --no-deps -r requirements-peers.lock"
            )
        flags = f"--xla_force_host_platform_device_count={task.devices}"
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", SERVER, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1", "XLA_FLAGS": flags},
        )
        self._send(task)

    def __enter__(self) -> Jaxley:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def ask(self, name: str, *arguments: Any) -> tuple[Any, float]:
        """What the trainer's method of that name returns, and the processor seconds it took. Raises JaxleyError."""
        self._send((name, arguments))
        assert self._process.stdout is not None
        try:
            kind, answer, cpu_s = pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError):
            raise JaxleyError(self._last_words()) from None
        if kind == "error":
            raise JaxleyError(answer)
        return answer, cpu_s

    def _send(self, thing: Any) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(thing, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise JaxleyError(self._last_words()) from None

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().strip().splitlines()
        return f"Jaxley's process ended with {code}: {words[-1] if words else 'no message (killed, perhaps for memory)'}"
