"""DEAP and BluePyOpt draw from global generators: here these are seeded from a method's own, and put back."""

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
    """Within, Python's global `random` and NumPy's follow from `rng`; afterwards they are as they were."""
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the libraries use this one
    seed = draw_seed(rng)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)  # noqa: NPY002
