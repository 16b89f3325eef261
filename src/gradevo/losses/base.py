"""What a loss is, and what the losses share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradevo.kernels.comparison import Squares


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a loss may know of a recording: times_ms [samples], evenly spaced; numbers of recorded sites and compartments;
    observed [stimuli, samples, recorded], what was recorded (None: everything)."""

    times_ms: np.ndarray
    n_recorded: int
    n_compartments: int
    observed: np.ndarray | None = None

    @property
    def interval_ms(self) -> float:
        """Raises ValueError for fewer than two samples."""
        if len(self.times_ms) < 2:
            raise ValueError(f"this loss compares time courses, but {len(self.times_ms)} sample is recorded; record 2 or more")
        return float(self.times_ms[1] - self.times_ms[0])

    def site_weights(self) -> np.ndarray | None:
        """[stimuli, recorded] that turn a sum over sites into the mean over the recorded ones; None where all are.

        Raises ValueError for a trace with gaps, which a loss that follows traces through time cannot bridge.
        """
        if self.observed is None:
            return None
        whole = self.observed.all(axis=1)
        for s, r in np.argwhere(self.observed.any(axis=1) & ~whole):
            raise ValueError(
                f"this loss follows whole traces, but of recorded site {r} only {self.observed[s, :, r].sum()} of "
                f"{len(self.times_ms)} samples were recorded under stimulus {s}; record all or none of them, or use mse"
            )
        return whole / whole.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss between simulated and target voltages.

    terms : (voltages [..., stimuli, samples, recorded] mV, target [stimuli, samples, recorded] mV) -> [..., stimuli].
        The mean of the terms is the loss. NumPy arrays and torch tensors alike; with NumPy a candidate's terms do not depend,
        to the bit, on the others in the batch. NaN voltages (a diverged simulation) give NaN.
        Where something was not recorded, the target holds any finite number, which makes no difference.
    weights : [samples, recorded], or [stimuli, samples, recorded] where not all was recorded, if a term is the sum over samples
        and sites of weights * (voltages - target)^2, which is what methods of least squares need; None for any other loss
    numbers_per_sample : float64 numbers that terms and their gradient keep per recorded voltage, for sizing batches
    """

    name: str
    terms: Callable[[Any, Any], Any]
    weights: np.ndarray | None = None
    numbers_per_sample: float = 4.0

    @property
    def is_sum_of_squares(self) -> bool:
        return self.weights is not None

    def slopes(self, voltages: np.ndarray, target: np.ndarray) -> np.ndarray:
        """d loss / d voltages, in the shape of the voltages [..., stimuli, samples, recorded], by torch's automatic
        differentiation; of a sum of squares, `against` gives them sooner."""
        import torch

        at = torch.from_numpy(voltages).requires_grad_()
        terms = self.terms(at, torch.from_numpy(target)).mean(dim=-1)
        # a diverged simulation must not spoil the others' gradient
        terms[torch.isfinite(terms)].sum().backward()
        assert at.grad is not None
        return at.grad.numpy()

    def against(self, target: np.ndarray, dtype: type) -> Squares:
        """A sum of squares ready for voltages of one precision (float64 or float32) and target [stimuli, samples, recorded] mV.

        Raises:
            ValueError: if target and weights do not fit together.
        """
        assert self.weights is not None
        weights, one = self.weights, target.shape[1:]
        if weights.shape[-2:] != one or (weights.ndim == 3 and len(weights) != len(target)):
            raise ValueError(
                f"target {target.shape} cannot be compared with weights {weights.shape}: [stimuli, samples, recorded], and "
                "weights like it or [samples, recorded]"
            )
        aim, weights = (np.require(a, dtype, ["C", "W"]).reshape(-1, math.prod(one)) for a in (target, weights))
        return Squares(one, aim, weights)


def arrays_of(voltages: Any) -> Any:
    """The module (numpy or torch) whose functions apply to these voltages."""
    if isinstance(voltages, np.ndarray):
        return np
    import torch

    return torch


def by_trace(voltages: Any) -> Any:
    """[..., samples, recorded] -> [..., recorded, samples], contiguous: what is computed along a trace is then done in the same
    order, and so to the same bits, for every batch.
    """
    if isinstance(voltages, np.ndarray):
        return np.ascontiguousarray(np.swapaxes(voltages, -1, -2))
    return voltages.transpose(-1, -2).contiguous()


def like(voltages: Any, numbers: np.ndarray) -> Any:
    """The numbers as the voltages are: an array or a tensor, in their precision, where they are."""
    return arrays_of(voltages).asarray(numbers, dtype=voltages.dtype, device=voltages.device)


def mean_over_sites(values: Any, weights: np.ndarray | None) -> Any:
    """[..., stimuli, recorded] -> [..., stimuli]: with `Recorded.site_weights`, the mean over the sites that were recorded."""
    if weights is None:
        return values.sum(axis=-1) / values.shape[-1]
    return (values * like(values, weights)).sum(axis=-1)


def squares_loss(name: str, weights: np.ndarray) -> Loss:
    """The sum over samples and sites of weights ([samples, recorded] or [stimuli, samples, recorded]) times squared errors."""

    def terms(voltages: Any, target: Any) -> Any:
        errors = voltages - target
        return (errors * (errors * like(voltages, weights))).sum(axis=(-2, -1))

    return Loss(name, terms, weights)
