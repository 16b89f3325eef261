"""What the timings of all sizes say together of gradevo's gradient: how many forward passes it costs, and whether few densities
make it cheaper or dearer than many."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

SIZE = ("compartments", "simulations", "steps")
HOW = ("precision", "threads")


def over_sizes(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """From rows of bench.json's ``timings``.

    Returns:
        gradient_per_forward: the spread of that ratio over sizes, precisions and threads, by median and by fastest runs.
        few_per_many_densities: that of a gradient by 2 densities to one by 2 per compartment, where both were timed.
    """
    timed = {
        tuple(row[key] for key in (*SIZE, "densities", *HOW, "what")): row
        for row in rows
        if row["simulator"] == "gradevo" and "median_s" in row
    }
    pairs, few_and_many = [], []
    for at, gradient in timed.items():
        *size, densities, precision, threads, what = at
        forward = timed.get((*size, densities, precision, threads, "forward"))
        if what != "gradient" or forward is None:
            continue
        pairs.append((gradient, forward))
        many = timed.get((*size, 2 * size[0], precision, threads, what))
        if densities == 2 and many is not None:
            few_and_many.append((gradient, many))
    return {
        "gradient_per_forward": {by: _spread(pairs, f"{by}_s") for by in ("median", "min")},
        "few_per_many_densities": {by: _spread(few_and_many, f"{by}_s") for by in ("median", "min")},
    }


def _spread(pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]], key: str) -> dict[str, Any] | None:
    """Of the first's time as a multiple of the second's, and where it is largest; None without any."""
    if not pairs:
        return None
    ratios = [one[key] / other[key] for one, other in pairs]
    largest = pairs[ratios.index(max(ratios))][0]
    return {
        "cells": len(ratios), "min": min(ratios), "median": statistics.median(ratios), "max": max(ratios),
        "max_at": {name: largest[name] for name in (*SIZE, "densities", *HOW)},
    }  # fmt: skip


def said(found: Mapping[str, Any]) -> list[str]:
    """A line for each that was measured, for people."""
    lines = []
    for key, subject in (
        ("gradient_per_forward", "a gradient costs so many forward passes"),
        ("few_per_many_densities", "a gradient by 2 densities takes so many times one by 2 per compartment"),
    ):
        spread = found[key]["median"]
        if spread is not None and spread["cells"] > 1:
            at = spread["max_at"]
            lines.append(
                f"{subject}: {spread['min']:.2g} to {spread['max']:.2g}, median {spread['median']:.2g}, over {spread['cells']} "
                f"cells (most with {at['compartments']} compartments x {at['simulations']} simulations x {at['steps']} steps, "
                f"{at['densities']} densities, {at['precision']}, cores: {at['threads']})"
            )
    return lines
