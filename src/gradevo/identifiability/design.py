"""Which k sites tell most: greedy placement by D- and A-optimality, against uniform and random placement.

With few sites the information is singular. Therefore every criterion is that of the information plus 1 / prior_sd2 on the
diagonal: what is known of every density beforehand, stated, as a standard deviation of its logarithm. Then

- D: half the logarithm of the determinant, relative to the prior's: nats that the recordings tell of the densities;
- A: the mean variance of the logarithms of the densities; as the square root, a typical relative error.

Greedy adds the site that improves the criterion most, so that the first k of any longer choice are the choice of k. For D, a
submodular function, it reaches at least 1 - 1/e of the best possible value (Nemhauser, Wolsey and Fisher 1978,
doi 10.1007/BF01588971; Krause, Singh and Guestrin 2008 for sensors); for A there is no such promise.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve

Criterion = Literal["D", "A"]

_TIE = 1e-9
"""Sites within this relative difference are alike, of which the first is taken: rounding decides nothing."""


def design_value(sites: np.ndarray, chosen: list[int] | np.ndarray, criterion: Criterion, prior_sd: float) -> float:
    """Of the chosen ones of the sites' matrices [n, P, P] (log-density units): nats for "D" (more is better), the root of the
    mean variance for "A" (less is better)."""
    _check(sites, criterion, prior_sd)
    for site in chosen:
        if not 0 <= site < len(sites):
            raise ValueError(f"site {site} does not exist; there are candidates 0 to {len(sites) - 1}")
    total = np.eye(sites.shape[1]) / prior_sd**2 + sites[np.asarray(chosen, dtype=int)].sum(axis=0)
    return _value(total, criterion, prior_sd)


def greedy(sites: np.ndarray, k: int, criterion: Criterion, prior_sd: float) -> list[int]:
    """k of the candidates, in the order of their choice; the same on every machine, up to ties within rounding.

    Raises ValueError for an unknown criterion, a prior that is not positive, or more sites than there are candidates.
    """
    _check(sites, criterion, prior_sd)
    _check_budget(k, len(sites))
    total = np.eye(sites.shape[1]) / prior_sd**2
    chosen: list[int] = []
    sign = 1.0 if criterion == "D" else -1.0
    for _ in range(k):
        left = [site for site in range(len(sites)) if site not in chosen]
        values = sign * np.array([_value(total + sites[site], criterion, prior_sd) for site in left])
        best = values.max()
        chosen.append(left[int(np.argmax(values >= best - _TIE * abs(best)))])
        total = total + sites[chosen[-1]]
    return chosen


def uniform_sites(n: int, k: int) -> list[int]:
    """k of n candidates at even distances in their order, the middles of k equal parts."""
    _check_budget(k, n)
    return [int((2 * i + 1) * n // (2 * k)) for i in range(k)]


def random_sites(n: int, k: int, draws: int, seed: int) -> np.ndarray:
    """[draws, k] of n candidates; the first sites of a draw are its choice for a smaller k."""
    _check_budget(k, n)
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(n)[:k] for _ in range(draws)])


def _value(total: np.ndarray, criterion: Criterion, prior_sd: float) -> float:
    factor = cho_factor(total, lower=True)
    if criterion == "D":
        return float(np.log(np.diagonal(factor[0])).sum() + len(total) * np.log(prior_sd))
    return float(np.sqrt(np.trace(cho_solve(factor, np.eye(len(total)))) / len(total)))


def _check(sites: np.ndarray, criterion: str, prior_sd: float) -> None:
    if sites.ndim != 3 or sites.shape[1] != sites.shape[2] or not len(sites):
        raise ValueError(f"sites are {sites.shape}; they must be one information matrix per candidate [n, P, P]")
    if criterion not in ("D", "A"):
        raise ValueError(f"unknown criterion {criterion!r}; use D or A")
    if not (np.isfinite(prior_sd) and prior_sd > 0):
        raise ValueError(f"prior_sd is {prior_sd}; few sites have a singular information: state a positive prior, such as 0.3")


def _check_budget(k: int, n: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}; choose 1 to {n} of {n} candidates")
