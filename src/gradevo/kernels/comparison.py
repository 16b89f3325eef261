"""Voltages compared with a target by compiled code, where the loss is a sum of weighted squares."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradevo.kernels.compiling import call
from gradevo.kernels.modules import compiled_squares


@dataclass(frozen=True, eq=False)
class Squares:
    """What voltages are compared with: ``one``, [samples, recorded] of a simulation; target and weights, contiguous and in the
    precision of the voltages, [stimuli, numbers], or one row of weights for all. `losses.Loss.against` makes it."""

    one: tuple[int, ...]
    target: np.ndarray
    weights: np.ndarray

    @cached_property
    def scale(self) -> Any:
        """The loss is the mean over stimuli: d loss / d voltages is this times the weighted errors."""
        return self.target.dtype.type(2 / len(self.target))

    def __call__(self, stimuli: np.ndarray, voltages: np.ndarray, slopes: np.ndarray | None = None) -> np.ndarray:
        """The sums [k] of some simulations, voltages [k, samples, recorded] mV under stimuli [k]; NaN of those that are NaN.
        ``slopes``, perhaps the voltages themselves, becomes d loss / d voltages.

        Raises:
            ValueError: for shapes that do not fit, a stimulus without a target, or slopes that are not contiguous.
        """
        self._check_fit(stimuli, voltages, slopes)
        n, dtype = self.target.shape[1], self.target.dtype
        terms, out = np.empty(len(voltages)), np.empty((0, n), dtype) if slopes is None else slopes.reshape(-1, n)
        # arrays that are read-only or have gaps are of another type to the compiler
        call(
            compiled_squares(dtype.name).weighted_squares, np.require(stimuli, np.int64, ["C", "W"]),
            np.require(voltages, dtype, ["C", "W"]).reshape(-1, n), self.target, self.weights, self.scale, terms, out,
        )  # fmt: skip
        return terms

    def check_made_for(self, stimuli: int, one: tuple[int, ...], dtype: type) -> None:
        """Raises ValueError unless it compares voltages of so many stimuli, each [samples, recorded], in this precision."""
        if (len(self.target), self.one, self.target.dtype) != (stimuli, one, dtype):
            raise ValueError(
                f"voltages of {stimuli} stimuli, {np.dtype(dtype)} {one}, cannot be compared with a target of "
                f"{len(self.target)}, {self.target.dtype} {self.one}"
            )

    def _check_fit(self, stimuli: np.ndarray, voltages: np.ndarray, slopes: np.ndarray | None) -> None:
        """Compiled code looks at no bounds."""
        if stimuli.shape != voltages.shape[:1] or voltages.shape[1:] != self.one or voltages.dtype != self.target.dtype:
            raise ValueError(
                f"voltages {voltages.dtype} {voltages.shape} of stimuli {stimuli.shape} cannot be compared with a target of "
                f"{self.target.dtype} {self.one} for each stimulus; give [simulations, samples, recorded] and [simulations]"
            )
        if stimuli.size and not 0 <= stimuli.min() <= stimuli.max() < len(self.target):
            last = len(self.target) - 1
            raise ValueError(f"stimulus {stimuli.max()} (or {stimuli.min()}) is not among the target's 0 to {last}")
        if slopes is None:
            return
        if (slopes.shape, slopes.dtype) != (voltages.shape, voltages.dtype) or not slopes.flags.carray:
            raise ValueError(
                f"slopes are {slopes.dtype} {slopes.shape}; give contiguous {voltages.dtype} {voltages.shape} to fill"
            )
