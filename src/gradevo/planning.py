"""How many fits a study has, and what they will cost, before any of them runs (`gradevo plan`).

A fit's cost is its budget times the wall-clock time of a simulation-equivalent, at most wall_limit_s. That time is measured now,
in short fits of every method, with its own arithmetic and the scoring, on the problem of middle size in parameters of each
membrane and morphology, and grows with the compartment-steps of a simulation. Fits that stop early cost less. Competitors have
simulators of their own, which are not measured: they count as wall_limit_s.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from gradevo.config import GRACE_S, Config, methods_of
from gradevo.kernels.threads import available_threads
from gradevo.methods import get_method

JOB_S = 5.0
"""What a job (all seeds of a method on a problem) takes beside its fits: Python, libraries, loading kernels, Snakemake. Measured:
from one job to the first fit of the next."""

FIT_S = 0.3
"""What a fit takes beside its method: a process, hashes of the sources, held-out scores, writing. Measured in jobs of ten fits of
the full study on an AMD EPYC: 0.2 s with L-BFGS or CMA-ES, 0.35 s with Adam."""

TRIAL_S = 0.3
"""A timed fit is made longer until it takes this."""


@dataclass(frozen=True)
class Row:
    """Of one method: jobs, fits, and the hours that they take at most."""

    method: str
    jobs: int
    fits: int
    hours: float
    measured: bool


Rate = Callable[[str, str], float | None]
"""(problem, method) -> seconds per simulation-equivalent, None where it is not measured."""


def plan(config: Config, rate: Rate) -> list[Row]:
    """A row per method. Raises ValueError where a fit's time is neither measured nor limited."""
    rows: dict[str, Row] = {}
    for problem, declared in config["problems"].items():
        budget = declared.get("budget_equivalents", config["budget_equivalents"])
        for method in methods_of(config, problem):
            each, limit = rate(problem, method), config.get("wall_limit_s")
            if each is None and limit is None:
                raise ValueError(f"what {method} costs is not measured, and the config has no wall_limit_s; give one")
            seconds = min(s for s in (None if each is None else each * budget, limit) if s is not None)
            fits = len(config["seeds"])
            row = rows.get(method, Row(method, 0, 0, 0.0, each is not None))
            hours = row.hours + (JOB_S + fits * (FIT_S + seconds)) / 3600
            rows[method] = replace(row, jobs=row.jobs + 1, fits=row.fits + fits, hours=hours)
    return list(rows.values())


def left_for_cluster(config: Config, whole: Config) -> Config | None:
    """Of the same study at its full scale, what `config` leaves out; None where that is nothing."""
    left = {name: declared for name, declared in whole["problems"].items() if name not in config["problems"]}
    return {**whole, "problems": left} if left else None


def plan_lines(config: Config, rows: Iterable[Row], cores: int) -> list[str]:
    """The plan as text: fits run one after another, each on all cores, or as many at once as there are cores for."""
    per_fit = min(config.get("cores_per_fit", cores), cores)
    rows = sorted(rows, key=lambda row: -row.hours)
    fits, hours = sum(row.fits for row in rows), sum(row.hours for row in rows)
    lines = [f"{'method':24} {'jobs':>5} {'fits':>6} {'wall h':>8} {'core h':>8}"]
    at_once = cores // per_fit
    for row in rows:
        said = "" if row.measured else "  (at wall_limit_s; not measured)"
        lines.append(f"{row.method:24} {row.jobs:5d} {row.fits:6d} {row.hours / at_once:8.2f} {row.hours * per_fit:8.2f}{said}")
    cost = f"at most about {hours / at_once:.2f} h on {cores} cores, {hours * per_fit:.2f} core hours"
    return [*lines, f"{len(config['problems'])} problems, {fits} fits: {cost}"]


def measured_rate(config: Config) -> Rate:
    """Seconds per simulation-equivalent and compartment-step, measured where it is first asked for. From then on this process
    computes in as many threads as a fit has cores."""
    from gradevo.study import make_problem, run_fit

    if "cores_per_fit" in config:
        os.environ.setdefault("GRADEVO_THREADS", str(min(config["cores_per_fit"], available_threads())))

    posed: dict[str, Any] = {}
    found: dict[tuple[str, str], float] = {}

    def kind_of(name: str) -> str:
        neuron = config["neurons"][config["problems"][name]["neuron"]]
        return json.dumps([neuron["channels"], neuron["morphology"]])

    def problem_of(name: str) -> Any:
        if name not in posed:
            posed[name] = make_problem(config, name)
        return posed[name]

    def rate(name: str, method: str) -> float | None:
        chosen = get_method(method)
        if chosen.simulator != "gradevo":
            return None
        kind = kind_of(name)
        if (kind, method) not in found:
            names = [n for n in config["problems"] if kind_of(n) == kind and method in methods_of(config, n)]
            alike = sorted(map(problem_of, names), key=lambda problem: (problem.n_parameters, problem.compartment_steps))
            middle = alike[len(alike) // 2]
            found[kind, method] = _seconds_per_equivalent(config, middle, method, run_fit) / middle.compartment_steps
        return found[kind, method] * problem_of(name).compartment_steps

    return rate


def _seconds_per_equivalent(config: Config, problem: Any, method: str, run_fit: Callable[..., Any]) -> float:
    """Of a longer fit against a short one, after one that compiles: what every fit takes is FIT_S."""
    one = config["gradient_weight"] * problem.n_simulations
    limits = {**config, "problems": {}, "stop_loss": None, "wall_limit_s": GRACE_S}

    def timed(budget: float) -> tuple[float, float]:
        begin = time.perf_counter()
        result = run_fit({**limits, "budget_equivalents": budget}, problem, method, config["seeds"][0])
        return time.perf_counter() - begin, float(result.totals["simulation_equivalents"])

    timed(4 * one)
    first_s, first = timed(4 * one)
    budget = 32 * one
    while True:
        seconds, spent = timed(budget)
        if seconds - first_s >= TRIAL_S or budget >= config["budget_equivalents"] or spent < budget / 2:
            return max(seconds - first_s, 0.0) / max(spent - first, one)
        budget *= 4
