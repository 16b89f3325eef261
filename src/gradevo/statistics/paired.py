"""A test of paired costs of which some are infinite, and Holm's correction for many tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

SMALLEST_N = 6
"""Pairs below which no two-sided test of signs can reach 5 %: with n pairs the smallest p is 2 / 2^n."""


class Paired(NamedTuple):
    """pairs; wins, losses (the first cheaper, dearer), ties; p (two-sided; NaN where all are ties); rank_biserial
    (-1: the first always cheaper; 1: always dearer)."""

    pairs: int
    wins: int
    losses: int
    ties: int
    p: float
    rank_biserial: float

    @property
    def smallest_p(self) -> float:
        """The smallest p that this many pairs (ties aside) could have given."""
        return min(1.0, 2.0 * 0.5 ** (self.wins + self.losses))


def signed_rank(first: np.ndarray, second: np.ndarray) -> Paired:
    """Wilcoxon's signed-rank test of log(first / second) [n], costs of which infinite ones are failures.

    Against a success a failure differs by more than any two successes; all such differences share the highest rank. Two
    failures, or two equal costs, are a tie and say nothing. That the signs are a coin's holds for ranks with ties too, so the
    test is exact however many fail. The effect size is the matched-pairs rank-biserial correlation (Kerby 2014).
    """
    both_failed = np.isinf(first) & np.isinf(second)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.where(both_failed, 0.0, np.log(first) - np.log(second))
    told = difference[difference != 0]
    ranks = stats.rankdata(np.abs(told)) * np.sign(told)
    wins, losses = int((told < 0).sum()), int((told > 0).sum())
    total = np.abs(ranks).sum()
    return Paired(
        pairs=len(first),
        wins=wins,
        losses=losses,
        ties=len(first) - wins - losses,
        p=_p_value(ranks) if len(told) else float("nan"),
        rank_biserial=float(ranks.sum() / total) if len(told) else float("nan"),
    )


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down correction of p [m]. NaN (no pair differs) stays NaN, and counts as a test like any other: how many
    were planned does not depend on what came out."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")  # NaN last
    corrected = np.empty(p.shape)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return corrected


def _p_value(ranks: np.ndarray) -> float:
    """Two-sided, of signed ranks [n]: the share of the 2^n ways to sign them whose sum is as extreme.

    Enumerated rank by rank, as a distribution over sums of positive ranks (twice, so that shared ranks are whole numbers too):
    SciPy's exact distribution knows no shared ranks, and its permutations take a second per test.
    """
    doubled = np.rint(2 * np.abs(ranks)).astype(int)
    ways = np.ones(1)
    for rank in doubled:
        ways = np.pad(ways, (0, rank)) / 2 + np.pad(ways, (rank, 0)) / 2
    off_centre = np.abs(2 * np.arange(len(ways)) - doubled.sum())
    return float(min(1.0, ways[off_centre >= abs(2 * doubled[ranks > 0].sum() - doubled.sum())].sum()))
