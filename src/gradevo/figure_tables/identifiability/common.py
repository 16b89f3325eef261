"""A problem whose truth is known, as every table needs it."""

from __future__ import annotations

import numpy as np

from gradevo.config import Config
from gradevo.problem import Problem
from gradevo.study import make_problem


def posed(config: Config, name: str) -> tuple[Problem, np.ndarray]:
    """The problem and its true parameters [P]. Raises ValueError where they are not known."""
    problem = make_problem(config, name)
    if problem.truth is None:
        raise ValueError(
            f"problem {name!r} has no true parameters (unknown, or varying within its regions) at which its information could be "
            "taken; name another under `identifiability`"
        )
    return problem, problem.truth
