"""Losses and gradients of whole populations without leaving the device: thetas may come as a tensor that is there, the gradient
goes back as one, and in between densities, voltages, the loss and the sums over regions are torch's on the device. What the host
sees is a loss per candidate.

As `Problem` computes it with numpy; only the order of sums differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradevo.cuda import backend
from gradevo.cuda.arrays import arrays_for, torch_device
from gradevo.cuda.batch import USED_OF_FREE
from gradevo.cuda.tangents import stream_jacobian
from gradevo.sensitivity import ResidualProducts, directions

if TYPE_CHECKING:
    from gradevo.problem import Problem

FILLS_THE_DEVICE = 16384
"""Simulations: with fewer at once most of a large device would idle, and it is better to keep checkpoints. Reasoned, not
measured."""


def population_on_device(problem: Problem) -> Population | None:
    """None where torch has no access to the device, or candidates differ in the kernels' matrix, which the host prepares."""
    place = torch_device()
    if place is None or any(q.name not in problem.neuron.channel_names for q in problem.parameters.quantities):
        return None
    return Population(problem, place)


class Population:
    """A problem on the torch device ``place``."""

    def __init__(self, problem: Problem, place: str) -> None:
        import torch

        self.problem, self.place, self.torch = problem, place, torch
        parameters, view = problem.parameters, problem.coordinates
        names = parameters.neuron.channel_names
        self.low, self.range = self.tensor(view.low), self.tensor(np.log(view.high / view.low))
        self.fixed = self.tensor(parameters.fixed)
        self.targets = [self.tensor(target) for _, target, _ in problem._recordings]
        self.parts = [
            (names.index(q.name), q.values, torch.tensor(q.labels, device=place), self.tensor(np.eye(q.n_regions)[q.labels]))
            for q in parameters.quantities
        ]  # fmt: skip

    def tensor(self, values: Any) -> Any:
        return self.torch.tensor(np.asarray(values, float), device=self.place)

    def loss_and_gradient(self, thetas: Any) -> tuple[np.ndarray, Any]:
        """Losses [K], and d loss / d theta [K, P] as an array or a tensor, whichever thetas are; as `Problem` has it.

        Raises:
            ValueError: for a wrong shape, or a NaN.
        """
        tensor = not isinstance(thetas, np.ndarray)
        at = thetas if tensor else self.tensor(self.problem._batch(thetas))
        if tensor and (tuple(at.shape[1:]) != (self.problem.n_parameters,) or bool(self.torch.isnan(at).any())):
            raise ValueError(f"thetas has shape {tuple(at.shape)}, or a NaN; take numbers [K, {self.problem.n_parameters}]")
        values, slope = self._densities(at)
        losses, gradient = self.torch.full((len(at),), np.inf, dtype=at.dtype, device=self.place), self.torch.zeros_like(at)
        for rows in self._chunks(len(at), 0, gradient=True):
            terms, bars = self._terms_and_bars(self._full(values[rows]))
            found = terms.mean(dim=1)
            finite = self.torch.isfinite(found)
            losses[rows] = self.torch.where(finite, found, np.inf)
            gradient[rows] = self.torch.where(finite[:, None], self._to_parameters(bars) * slope[rows], 0.0)
        return losses.cpu().numpy(), gradient if tensor else gradient.cpu().numpy()

    def terms(self, densities: np.ndarray, heldout: bool = False) -> np.ndarray:
        """The loss's terms [K, stimuli] of densities [K, P]; inf where a simulation diverged."""
        plan, loss, target = self.problem._plans[heldout], self.problem._losses[heldout], self.targets[heldout]
        values = self.tensor(densities)
        terms = np.empty((len(densities), plan.protocol.n_stimuli))
        for rows in self._chunks(len(densities), heldout, gradient=False):
            voltages = backend.forward(plan, self._full(values[rows]), keep=False)[0]
            terms[rows] = loss.terms(voltages, target).cpu().numpy()
        return np.where(np.isfinite(terms), terms, np.inf)

    def residual_products(self, weights: np.ndarray, values: np.ndarray) -> ResidualProducts:
        """As `gradevo.sensitivity.residual_products`, for parameters [P]: the Jacobian stays on the device, too."""
        plan, target, torch = self.problem._plans[0], self.targets[0], self.torch
        count, n_stimuli = self.problem.n_parameters, plan.protocol.n_stimuli
        root = torch.sqrt(self.tensor(weights) / n_stimuli).expand(target.shape)
        normal, half = self.tensor(np.zeros((count, count))), self.tensor(np.zeros(count))

        def add(_group: int, stimulus: int, first: int, part: Any, simulated: Any) -> None:
            rows = slice(first, first + len(part))
            weighted = (part * root[stimulus, rows, :, None]).reshape(-1, count)
            residual = (root[stimulus, rows] * (simulated - target[stimulus, rows])).reshape(-1)
            normal.addmm_(weighted.T, weighted)
            half.add_(residual @ weighted)

        every = directions(self.problem.parameters, plan, values)
        voltages = stream_jacobian(plan, self._full(self.tensor(values[None]))[0], every, add)
        loss = float((root * (voltages - target)).square().sum())
        if not np.isfinite(loss):
            return ResidualProducts(np.inf, np.zeros(count), np.zeros((count, count)))
        return ResidualProducts(loss, half.cpu().numpy(), normal.cpu().numpy())

    def _densities(self, thetas: Any) -> tuple[Any, Any]:
        """Densities and their slopes in theta [K, P] (transforms.py)."""
        view, torch = self.problem.transform, self.torch
        if view == "identity":
            return thetas, torch.ones_like(thetas)
        if view == "log":
            return torch.exp(thetas), torch.exp(thetas)
        unit = torch.sigmoid(thetas) if view == "logit" else thetas
        densities = self.low * torch.exp(unit * self.range)
        slope = densities * self.range
        return densities, slope * torch.sigmoid(thetas) * torch.sigmoid(-thetas) if view == "logit" else slope

    def _full(self, values: Any) -> Any:
        """[K, P] -> [K, channels, compartments] S/cm2."""
        full = self.fixed.repeat(len(values), 1, 1)
        for channel, own, labels, _ in self.parts:
            full[:, channel] = values[:, own][:, labels]
        return full

    def _to_parameters(self, bars: Any) -> Any:
        """d/d densities [K, channels, compartments] -> d/d parameters [K, P]. A product sums in one order; scattered additions
        would not."""
        return self.torch.cat([bars[:, channel] @ regions for channel, _, _, regions in self.parts], dim=1)

    def _terms_and_bars(self, densities: Any) -> tuple[Any, Any]:
        """The loss's terms [K, stimuli], NaN where diverged, and derivatives of the loss [K, channels, compartments]."""
        plan, loss, target = self.problem._plans[0], self.problem.loss_function, self.targets[0]
        voltages, _, run = backend.forward(plan, densities, keep=True)
        if loss.weights is not None:
            errors = voltages - target
            slopes = errors * self.tensor(loss.weights)
            terms = (errors * slopes).sum(dim=(-2, -1))
            slopes *= 2 / len(target)
        else:
            at = voltages.detach().requires_grad_()
            terms = loss.terms(at, target)
            mean = terms.mean(dim=1)
            # a diverged simulation must not spoil the others' gradient
            (slopes,) = self.torch.autograd.grad(mean[self.torch.isfinite(mean)].sum(), at)
        return terms.detach(), backend.adjoint(run, slopes).densities

    def _chunks(self, count: int, heldout: int, gradient: bool) -> list[slice]:
        """Slices of a population that the device's memory holds, with every state if that leaves it full."""
        plan, loss = self.problem._plans[heldout], self.problem._losses[heldout]
        p, numbers = plan.protocol, plan.neuron.n_compartments * plan.initial_state.size
        of_records = loss.numbers_per_sample * p.n_samples * plan.recorded.size
        room = USED_OF_FREE**2 * arrays_for(self.fixed).free_bytes() / (8 * p.n_stimuli)
        size = room / (of_records + numbers * (p.n_steps + 2 if gradient else 2))
        if gradient and size * p.n_stimuli < FILLS_THE_DEVICE:
            sparse = room / (of_records + numbers * 2 * (np.sqrt(p.n_steps) + 2))
            size = max(size, min(sparse, FILLS_THE_DEVICE / p.n_stimuli))
        size = int(max(1, min(size, max(count, 1))))
        return [slice(first, min(count, first + size)) for first in range(0, count, size)]
