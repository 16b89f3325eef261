"""Numbers and lists in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable


def number(value: float) -> str:
    """Three digits: 1,230; 0.0123; 1.2e-08; infinite, unknown for what is missing."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinite"
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e9:
        return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
    return f"{value:.1e}"


def percent(share: float) -> str:
    return f"{number(100 * share)} %" if math.isfinite(share) else number(share)


def between(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"


def listed(words: Iterable[str]) -> str:
    """a, b and c"""
    words = list(words)
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def p_value(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"
