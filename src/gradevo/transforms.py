"""Invertible views of bounded densities: the coordinates that a method searches in.

A density lives in a box [low, high] with 0 < low < high. Channel densities are scale parameters (and so are a capacitance and
an axial resistivity, which are treated alike, each in its unit), so the box is measured on a logarithmic scale:
u = ln(density / low) / ln(high / low) runs from 0 to 1. The views:

=========  ==========================  =======================================================
unit       u in [0, 1]                 for searches that need a box
log        ln density                  bounds are finite, but a search may ignore them
logit      ln(u / (1 - u))             unconstrained: every point lies inside the box
identity   density itself              reproduces published settings; a search may ignore bounds
=========  ==========================  =======================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

VIEWS = ("unit", "log", "logit", "identity")

# A density on the box's very edge has no finite logit; it is moved inside by this much of the unit box (1e-12 of the
# log-range is far below any density error reported).
_EDGE = 1e-12


@dataclass(frozen=True, eq=False)
class Transform:
    """One view of the box [low, high] of P densities.

    Parameters
    ----------
    name : one of VIEWS
    low, high : [P], 0 < low < high

    Raises
    ------
    ValueError : unknown view, bounds of different shape, not finite, not positive, or crossing
    """

    name: str
    low: np.ndarray
    high: np.ndarray

    def __post_init__(self) -> None:
        if self.name not in VIEWS:
            raise ValueError(f"unknown view {self.name!r}; use one of {', '.join(VIEWS)}")
        check_bounds(self.low, self.high)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The box in this view's coordinates: lower [P], upper [P] (infinite for "logit")."""
        if self.name == "unit":
            return np.zeros_like(self.low), np.ones_like(self.low)
        if self.name == "log":
            return np.log(self.low), np.log(self.high)
        if self.name == "logit":
            return np.full_like(self.low, -np.inf), np.full_like(self.low, np.inf)
        return self.low.copy(), self.high.copy()

    def to_density(self, theta: np.ndarray) -> np.ndarray:
        """Coordinates [..., P] to densities [..., P]."""
        theta = np.asarray(theta, dtype=float)
        if self.name == "identity":
            return theta.copy()
        if self.name == "log":
            return np.exp(theta)
        unit = _special().expit(theta) if self.name == "logit" else theta
        return self.low * np.exp(unit * self._log_range)

    def from_density(self, density: np.ndarray) -> np.ndarray:
        """Densities [..., P] to coordinates [..., P]. Raises ValueError where the view cannot express them."""
        density = np.asarray(density, dtype=float)
        if self.name == "identity":
            return density.copy()
        if not np.all(density > 0):
            raise ValueError(f"a density of {np.min(density)} has no {self.name} coordinate; densities must be > 0")
        if self.name == "log":
            return np.log(density)
        unit = np.log(density / self.low) / self._log_range
        if self.name == "unit":
            return unit
        if np.any((unit < -_EDGE) | (unit > 1 + _EDGE)):
            raise ValueError("a density outside its bounds has no logit coordinate; widen the bounds")
        return _special().logit(np.clip(unit, _EDGE, 1 - _EDGE))

    def slope(self, theta: np.ndarray) -> np.ndarray:
        """d density / d theta, [..., P] at coordinates [..., P]: the chain-rule factor of a gradient."""
        theta = np.asarray(theta, dtype=float)
        if self.name == "identity":
            return np.ones_like(theta)
        density = self.to_density(theta)
        if self.name == "log":
            return density
        if self.name == "unit":
            return density * self._log_range
        expit = _special().expit
        return density * self._log_range * expit(theta) * expit(-theta)

    @property
    def _log_range(self) -> np.ndarray:
        return np.log(self.high / self.low)


def check_bounds(low: np.ndarray, high: np.ndarray) -> None:
    """Raise ValueError, naming the first offender, unless 0 < low < high everywhere, finite and alike in shape."""
    if np.ndim(low) != 1 or np.shape(low) != np.shape(high):
        raise ValueError(f"bounds low {np.shape(low)} and high {np.shape(high)} must be vectors of one length")
    for name, values in (("low", low), ("high", high)):
        if not np.all(np.isfinite(values)):
            where = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"bound {name}[{where}] is {values[where]}; bounds must be finite")
    if np.any(low <= 0):
        where = int(np.flatnonzero(low <= 0)[0])
        raise ValueError(f"bound low[{where}] is {low[where]}; densities are searched on a log scale: use low > 0")
    if np.any(low >= high):
        where = int(np.flatnonzero(low >= high)[0])
        raise ValueError(f"bounds cross at parameter {where}: low {low[where]} >= high {high[where]}; swap or widen them")


def _special() -> ModuleType:
    """scipy.special, loaded when a view needs it: it takes longer than loading a kernel."""
    import scipy.special

    return scipy.special
