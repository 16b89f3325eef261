"""A verdict per density: what the data can tell of it, whatever the optimiser.

The rules, with the bound of a density the smallest standard deviation of its logarithm that an unbiased estimate can have:

- structurally unidentifiable: more than NULL_SHARE of the density's unit vector (squared norm) lies in the numerical null
  space of the scaled information (spectrum.py), so that it can change, alone or along with others, while no voltage does;
- identified: the bound is below IDENTIFIED, 1 %;
- practically unidentifiable: the bound is finite, but not below it.

The unit vectors are those of the scaled matrix, in which every density alone has information 1, so that the share does not
depend on how strongly it acts on the voltages. NULL_SHARE, a component of 1 %, is far above what rounding mixes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from gradevo.identifiability.information import Information

IDENTIFIED = 0.01
NULL_SHARE = IDENTIFIED**2


class Verdict(StrEnum):
    identified = "identified"
    practical = "practically unidentifiable"
    structural = "structurally unidentifiable"


@dataclass(frozen=True, eq=False)
class Verdicts:
    """verdicts [P], in the order of the parameters; bounds [P] relative standard deviations, infinite for the structurally
    unidentifiable. With a singular matrix, the others' bounds hold whatever the null directions do."""

    information: Information
    threshold: float = IDENTIFIED

    def __post_init__(self) -> None:
        if not (np.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(f"threshold is {self.threshold}; it must be a positive relative deviation, such as 0.01")

    @cached_property
    def bounds(self) -> np.ndarray:
        found = self.information.spectrum
        return np.where(found.null_share > NULL_SHARE, np.inf, np.sqrt(found.variances))

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(
            Verdict.structural if np.isinf(bound) else Verdict.identified if bound < self.threshold else Verdict.practical
            for bound in self.bounds
        )

    @property
    def counts(self) -> dict[Verdict, int]:
        return {verdict: self.verdicts.count(verdict) for verdict in Verdict}

    @property
    def identified(self) -> np.ndarray:
        """Boolean [P]."""
        return np.array([verdict is Verdict.identified for verdict in self.verdicts])

    def rows(self) -> list[dict[str, object]]:
        """One row per parameter, for a table."""
        info = self.information
        return [
            {
                "parameter": info.parameters.names[i],
                "value": float(info.densities[i]),
                "unit": info.parameters.units[i],
                "noise_mV": info.noise_mV,
                "bound_rel_percent": 100 * float(self.bounds[i]),
                "null_share": float(info.spectrum.null_share[i]),
                "verdict": str(verdict),
            }
            for i, verdict in enumerate(self.verdicts)
        ]
