"""Contestants taking turns at one size."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from gradevo.bench.cells import Rates, physical_memory_bytes
from gradevo.bench.contestants import Contestant, Disagreement, Running, check_agreement, relative_difference
from gradevo.bench.model import Case
from gradevo.bench.timing import Timing, alternate

Timings = Mapping[tuple[Contestant, str], Timing]

ROUNDS = 3
SERIES_LIMIT_S = 20.0
"""A pass of one contestant at one size may take this long in all its runs, unless all sizes are asked for."""
SHARE_OF_MEMORY = 0.6
FULL_ONLY = "not needed for the picture; --full runs it"


def passes(contestant: Contestant) -> tuple[str, ...]:
    return ("forward",) if contestant.simulator == "neuron" else ("forward", "gradient")


def field(threads: int, quick: bool) -> list[Contestant]:
    """Who is timed: gradevo and NEURON with one thread or process and with all, Jaxley with one device and with all (the faster
    counts). The quick run leaves out what the headline does not need."""
    few = sorted({1, threads})
    ours = [Contestant("gradevo", precision, t) for precision in ("float64", "float32") for t in few]
    if quick:
        return [*ours, Contestant("jaxley", "float64", threads), Contestant("neuron", "float64", 1)]
    jaxley = [*(Contestant("jaxley", "float64", t) for t in few), Contestant("jaxley", "float32", threads)]
    return [*ours, *jaxley, *(Contestant("neuron", "float64", t) for t in few)]


def time_headline(
    case: Case, everyone: Mapping[Contestant, Running], threads: int, rounds: int, rates: Rates
) -> tuple[dict[str, float], Timings, list[dict[str, Any]]]:
    """Agreement, then timings of everyone in turns; teaches ``rates``. Returns the headline, the timings, and their rows.

    Raises:
        Disagreement: before anything is timed.
    """
    ours, single = Contestant("gradevo", "float64", threads), Contestant("gradevo", "float32", threads)
    neuron, jaxley = Contestant("neuron", "float64", 1), Contestant("jaxley", "float64", threads)
    for running in everyone.values():
        running.prepare(case)
    agreement = check_agreement(case, everyone[ours], everyone[neuron], everyone[jaxley])
    error = relative_difference(everyone[single].array("gradient"), everyone[ours].array("gradient"))
    timings = alternate(series_of(everyone), rounds)
    memory = {c: running.memory_bytes() for c, running in everyone.items()}
    rows = [
        row(case, c, what) | timing._asdict() | {"peak_memory_bytes": memory[c], "compile_s": everyone[c].compile_s}
        for (c, what), timing in timings.items()
    ]
    for contestant, running in everyone.items():
        medians = {what: timings[contestant, what].median_s for what in passes(contestant)}
        rates.learn(case, contestant, medians, memory[contestant], running.compile_s)
    best = {w: min(t.median_s for (c, what), t in timings.items() if is_double_jaxley(c) and what == w) for w in passes(jaxley)}
    headline = {
        "gradevo_forward_s": timings[ours, "forward"].median_s,
        "gradevo_gradient_s": timings[ours, "gradient"].median_s,
        "jaxley_forward_s": best["forward"],
        "jaxley_gradient_s": best["gradient"],
        "neuron_forward_s": timings[neuron, "forward"].median_s,
        **agreement,
        "gradevo_float32_gradient_rel_diff": error,
    }
    return headline, timings, rows


def is_double_jaxley(contestant: Contestant) -> bool:
    return contestant.simulator == "jaxley" and contestant.precision == "float64"


def series_of(everyone: Mapping[Contestant, Running]) -> dict[tuple[Contestant, str], Callable[[], float]]:
    """What `alternate` takes, for all passes."""
    return {(c, what): (lambda c=c, what=what: everyone[c].seconds(what)) for c in everyone for what in passes(c)}


def row(case: Case, contestant: Contestant, what: str) -> dict[str, Any]:
    """What was or was not timed."""
    return {
        "compartments": case.compartments,
        "simulations": case.simulations,
        "steps": case.steps,
        "densities": case.densities,
        "simulator": contestant.simulator,
        "precision": contestant.precision,
        "threads": contestant.threads,
        "what": what,
    }


def ratios(timings: Timings, headline: Mapping[str, float], threads: int) -> dict[str, float]:
    """How many times faster, or dearer."""
    double, single = Contestant("gradevo", "float64", threads), Contestant("gradevo", "float32", threads)
    one = Contestant("gradevo", "float64", 1)
    found = {
        "gradient_per_forward": headline["gradevo_gradient_s"] / headline["gradevo_forward_s"],
        "jaxley_per_gradevo_forward": headline["jaxley_forward_s"] / headline["gradevo_forward_s"],
        "jaxley_per_gradevo_gradient": headline["jaxley_gradient_s"] / headline["gradevo_gradient_s"],
        "neuron_per_gradevo_forward": headline["neuron_forward_s"] / headline["gradevo_forward_s"],
    }
    for what in passes(double):
        found[f"float64_per_float32_{what}"] = timings[double, what].median_s / timings[single, what].median_s
        found[f"one_thread_per_all_{what}"] = timings[one, what].median_s / timings[double, what].median_s
    return found


def time_size(
    case: Case, everyone: Mapping[Contestant, Running], threads: int, rates: Rates, full: bool, deadline: float
) -> list[dict[str, Any]]:
    """Rows of one size: timings of all that fit, and a row with the reason for each pass that does not."""
    rows: list[dict[str, Any]] = []
    fit: dict[Contestant, Running] = {}
    for contestant, running in everyone.items():
        reason = why_not(case, contestant, threads, rates, full, deadline)
        if reason is None:
            fit[contestant] = running
        else:
            rows += [row(case, contestant, what) | {"skipped": reason} for what in passes(contestant)]
    ours, neuron = Contestant("gradevo", "float64", threads), Contestant("neuron", "float64", 1)
    try:
        for running in fit.values():
            running.prepare(case)
        found: dict[str, float] = {}
        if ours in fit:
            jaxley = next((running for c, running in fit.items() if is_double_jaxley(c)), None)
            found = check_agreement(case, fit[ours], fit.get(neuron), jaxley)
        long = sum(sum(rates.run_s(case, c).values()) for c in fit) > 60.0
        timings = alternate(series_of(fit), 1 if long else ROUNDS)
    except Disagreement as error:
        return rows + [row(case, c, what) | {"skipped": str(error)} for c in fit for what in passes(c)]
    for (contestant, what), timing in timings.items():
        compiled = {"compile_s": fit[contestant].compile_s} if contestant.simulator == "jaxley" else {}
        rows.append(row(case, contestant, what) | timing._asdict() | compiled | agreement_of(contestant, found))
    return rows


def agreement_of(contestant: Contestant, found: Mapping[str, float]) -> dict[str, float]:
    """Of what `check_agreement` found, the part that concerns this contestant."""
    if contestant.simulator == "gradevo" or contestant.precision != "float64":
        return {}
    return {key: value for key, value in found.items() if contestant.simulator in key}


def why_not(case: Case, contestant: Contestant, threads: int, rates: Rates, full: bool, deadline: float) -> str | None:
    """Why a contestant is not timed at a size, or None if it is."""
    needed = rates.memory_bytes(case, contestant)
    if needed > SHARE_OF_MEMORY * physical_memory_bytes():
        return f"would need about {needed / 2**30:.0f} GB of memory"
    if full:
        return None
    main = contestant == Contestant("gradevo", "float64", threads)
    if (case.densities == 2 and not main) or (contestant.simulator == "jaxley" and contestant != rates.fastest_jaxley()):
        return FULL_ONLY
    expected = rates.run_s(case, contestant)
    if max(expected.values()) * (ROUNDS + 1) > SERIES_LIMIT_S:
        return f"a run would take about {max(expected.values()):.2g} s; --full runs it"
    # once to compare, once to warm up
    whole = rates.compile_s[contestant] + sum(expected.values()) * (ROUNDS + 2)
    if time.perf_counter() + whole > deadline:
        return "the time was up; --full runs it"
    return None
