"""Whether two problems are one, seen in different coordinates: a meter charges for the fit's own alone."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gradevo.problem import Problem


def same_problem(a: Problem, b: Problem) -> bool:
    """Whether they are the same but for the view that their thetas are in."""
    asked = (field.name for field in fields(a) if field.name != "transform")
    return all(_equal(getattr(a, name), getattr(b, name)) for name in asked)


def _equal(a: Any, b: Any) -> bool:
    """Of fields of a problem: arrays by their numbers, neurons and protocols by being the same object."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a is b or (type(a) is type(b) and bool(a == b))
