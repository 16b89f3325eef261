"""Timings of contestants that take turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

Name = TypeVar("Name")


class Timing(NamedTuple):
    """Seconds of several runs."""

    min_s: float
    median_s: float
    max_s: float
    runs: int

    @staticmethod
    def of(seconds: list[float]) -> Timing:
        return Timing(min(seconds), statistics.median(seconds), max(seconds), len(seconds))


def alternate(series: Mapping[Name, Callable[[], float]], rounds: int) -> dict[Name, Timing]:
    """Runs every series once (unmeasured), then all of them in turn, ``rounds`` times; each returns the seconds it took.

    Whatever disturbs the machine for a while then disturbs all of them.
    """
    for run in series.values():
        run()
    seconds: dict[Name, list[float]] = {name: [] for name in series}
    for _ in range(rounds):
        for name, run in series.items():
            seconds[name].append(run())
    return {name: Timing.of(each) for name, each in seconds.items()}
