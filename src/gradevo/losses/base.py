"""What a loss is, and what the losses share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a loss may know of a recording: times_ms [samples], evenly spaced; numbers of recorded sites and compartments."""

    times_ms: np.ndarray
    n_recorded: int
    n_compartments: int

    @property
    def interval_ms(self) -> float:
        """Raises ValueError for fewer than two samples."""
        if len(self.times_ms) < 2:
            raise ValueError(f"this loss compares time courses, but {len(self.times_ms)} sample is recorded; record 2 or more")
        return float(self.times_ms[1] - self.times_ms[0])


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss between simulated and target voltages.

    terms : (voltages [..., stimuli, samples, recorded] mV, target [stimuli, samples, recorded] mV) -> [..., stimuli].
        The mean of the terms is the loss. NumPy arrays and torch tensors alike; with NumPy a candidate's terms do not depend,
        to the bit, on the others in the batch. NaN voltages (a diverged simulation) give NaN.
    weights : [samples, recorded] if a term is the sum over samples and sites of weights * (voltages - target)^2, which is what
        methods of least squares need; None for any other loss
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
        """d loss / d voltages, in the shape of the voltages [..., stimuli, samples, recorded]: written out for sums of squares,
        by torch's automatic differentiation for any other loss."""
        if self.weights is not None:
            return (voltages - target) * (2 * self.weights / voltages.shape[-3])
        import torch

        at = torch.from_numpy(voltages).requires_grad_()
        terms = self.terms(at, torch.from_numpy(target)).mean(dim=-1)
        # a diverged simulation must not spoil the others' gradient
        terms[torch.isfinite(terms)].sum().backward()
        assert at.grad is not None
        return at.grad.numpy()


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
