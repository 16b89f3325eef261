"""DEAP and BluePyOpt draw from Python's global `random`: here it is seeded from a method's generator, and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for a library with a generator of its own."""
    return int(rng.integers(2**31))


@contextmanager
def seeded_random(rng: np.random.Generator) -> Iterator[None]:
    """Within, Python's global `random` follows from `rng`; afterwards it is as it was."""
    state = random.getstate()
    random.seed(draw_seed(rng))
    try:
        yield
    finally:
        random.setstate(state)
