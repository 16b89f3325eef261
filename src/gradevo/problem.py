"""What a fitting method sees: a loss over densities, in the coordinates of a view, for whole populations at once.

Parameters are the free quantities, a value per region of the neuron (`gradevo.parameters`): channels' densities in S/cm2,
capacitance in uF/cm2, axial resistivity in ohm cm. What is called densities here, [..., P], are the values of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradevo.devices import resolved
from gradevo.kernels import cpu
from gradevo.losses import Loss, Recorded, make_loss
from gradevo.neuron import Neuron
from gradevo.observations import checked_observed, checked_trace, comparable
from gradevo.parameters import Inputs, Parameters, make_parameters
from gradevo.protocol import Protocol
from gradevo.sensitivity import ResidualProducts, residual_products
from gradevo.simulate import gradient_numpy, terms_numpy
from gradevo.starts import middle_of_box, near_truth, off_the_bounds
from gradevo.stimulus import first_shared
from gradevo.transforms import Transform, check_bounds

# What is held of one chunk of a population stays below this.
CHUNK_BYTES = 512 * 2**20


@dataclass(frozen=True, eq=False)
class Problem:
    """A neuron whose free densities are sought from recorded voltages.

    Parameters
    ----------
    name : what tables and messages call it
    neuron, protocol : what is simulated
    target : [stimuli, samples, recorded] mV; of what was not recorded, anything goes in and NaN comes out
    low, high : [P], the box
    free : what is fitted: names of channels, "capacitance", "axial_resistivity"
    noise_mV : standard deviation of the observation noise already in the target
    truth : [P] or None when unknown, or when the parameters cannot express it
    start : [P] or None; the first of the initial candidates
    transform : the view that thetas are in (transforms.VIEWS)
    heldout : (Protocol, target) on which a fit is judged but not fitted, or None
    loss_declared : one of losses.LOSSES, or a mapping with its name as `kind` and its settings
    regions : contiguous regions of a free quantity; see `make_parameters` for those not named
    fixed : [channels, n] S/cm2, densities of the channels that are not free; None for the channel set's
    true_values : [quantities, n] the truth in every compartment, where it varies within the regions that are fitted
    observed, heldout_observed : boolean [stimuli, samples, recorded], what was recorded of target and of the held-out target,
        where sweeps differ in sites or times; None for everything
    device : where it is computed: "cpu", "cuda", or "auto" for the GPU where there is one (docs/gpu.md)
    start_factor : random starts lie at this distance from the truth, as a factor: the root mean square over parameters of
        |log(start / truth)| is log(start_factor). None: they are anywhere in the middle of the box

    Raises
    ------
    ValueError : names the argument, its value and the way out
    """

    name: str
    neuron: Neuron
    protocol: Protocol
    target: np.ndarray
    low: np.ndarray
    high: np.ndarray
    free: tuple[str, ...]
    noise_mV: float = 0.0
    truth: np.ndarray | None = None
    start: np.ndarray | None = None
    transform: str = "logit"
    heldout: tuple[Protocol, np.ndarray] | None = None
    loss_declared: str | Mapping[str, Any] = "mse"
    regions: Mapping[str, int] | None = None
    true_values: np.ndarray | None = None
    fixed: np.ndarray | None = None
    observed: np.ndarray | None = None
    heldout_observed: np.ndarray | None = None
    start_factor: float | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", resolved(self.device))
        for field in ("low", "high", "truth", "start"):
            value = getattr(self, field)
            if value is not None:
                object.__setattr__(self, field, self._vector(field, value))
        check_bounds(self.low, self.high)
        for field in ("truth", "start"):
            value = getattr(self, field)
            if value is not None:
                self._check_inside(field, value)
        self._check_true_values()
        if self.start_factor is not None:
            if not (np.isfinite(self.start_factor) and self.start_factor >= 1):
                raise ValueError(f"start_factor is {self.start_factor}; it must be 1 or more")
            if self.nearest_truth is None:
                raise ValueError("start_factor is a distance from the truth, which is not known; leave it out, or give truth")
        if not (np.isfinite(self.noise_mV) and self.noise_mV >= 0):
            raise ValueError(f"noise_mV is {self.noise_mV}; it must be 0 or more")
        self.protocol.validate(self.neuron)
        object.__setattr__(self, "observed", checked_observed("observed", self.observed, self.protocol))
        object.__setattr__(self, "target", checked_trace("target", self.target, self.protocol, self.observed))
        if self.heldout is None:
            if self.heldout_observed is not None:
                raise ValueError("heldout_observed is given, but nothing is held out; give heldout too, or leave it out")
        else:
            protocol, target = self.heldout
            protocol.validate(self.neuron)
            observed = checked_observed("heldout_observed", self.heldout_observed, protocol)
            object.__setattr__(self, "heldout_observed", observed)
            object.__setattr__(self, "heldout", (protocol, checked_trace("heldout target", target, protocol, observed)))
            _check_unseen(self.protocol, protocol)
        _ = self._losses  # a target that the loss cannot compare with is refused now
        Transform(self.transform, self.low, self.high)

    @property
    def n_parameters(self) -> int:
        return self.parameters.n_parameters

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """[P] such as "Na[3]": the density of Na in region 3."""
        return self.parameters.names

    @cached_property
    def parameters(self) -> Parameters:
        """How parameters map to compartments."""
        return make_parameters(self.neuron, self.free, self.regions, self.fixed)

    @cached_property
    def compartment_truth(self) -> np.ndarray | None:
        """[quantities, n] the truth in every compartment, or None when unknown."""
        return self.true_values if self.truth is None else self.parameters.per_compartment(self.truth)

    @cached_property
    def nearest_truth(self) -> np.ndarray | None:
        """[P] the truth, its means over the regions that are fitted where it varies within them, or None when unknown."""
        return self.truth if self.true_values is None else self.parameters.means(self.true_values)

    @property
    def n_simulations(self) -> int:
        """Simulations that one candidate costs: one per stimulus."""
        return self.protocol.n_stimuli

    @property
    def compartment_steps(self) -> int:
        """Compartments times time steps of one simulation."""
        return self.neuron.n_compartments * self.protocol.n_steps

    def view(self, name: str) -> Problem:
        """The same problem with its thetas in another view."""
        return self if name == self.transform else replace(self, transform=name)

    @cached_property
    def coordinates(self) -> Transform:
        """The current view: `bounds`, `to_density`, `from_density`, `slope`."""
        return Transform(self.transform, self.low, self.high)

    def densities(self, thetas: np.ndarray) -> np.ndarray:
        """[..., P] in the view's coordinates to [..., P] in the parameters' units."""
        return self.coordinates.to_density(thetas)

    def sample_initial(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """n starting points [n, P] in the view's coordinates: `start` (off the bounds) first if there is one, the others random.

        Random ones are uniform in the middle half of the box on its log scale, or at `start_factor` from the truth.
        They depend on the generator alone, not on the view, and the first k of n are the same for every n: all methods begin at
        the same densities.
        """
        if n < 1:
            raise ValueError(f"asked for {n} starting points; ask for at least 1")
        points = np.empty((n, self.n_parameters))
        first = 0
        if self.start is not None:
            points[0] = off_the_bounds(self.start, self.low, self.high)
            first = 1
        points[first:] = self.sample_random(rng, n - first, as_density=True)
        return self.coordinates.from_density(points)

    def sample_random(self, rng: np.random.Generator, n: int, as_density: bool = False) -> np.ndarray:
        """n random starting points [n, P], without `start`: for restarts. In the view's coordinates, or as densities."""
        if self.start_factor is None:
            points = middle_of_box(rng, n, self.low, self.high)
        else:
            assert self.nearest_truth is not None
            points = near_truth(rng, n, self.nearest_truth, self.start_factor, self.low, self.high)
        return points if as_density else self.coordinates.from_density(points)

    def full_densities(self, densities: np.ndarray) -> np.ndarray:
        """Densities [K, P] -> all channels' densities [K, channels, compartments] S/cm2."""
        return self.parameters.inputs(densities).densities

    def loss(self, thetas: np.ndarray) -> np.ndarray:
        """Losses [K] of thetas [K, P]; inf where a simulation diverged."""
        return self.objectives(thetas).mean(axis=1)

    def objectives(self, thetas: np.ndarray) -> np.ndarray:
        """The loss as a term per stimulus [K, n_stimuli]; inf for a stimulus under which it diverged."""
        thetas = self._batch(thetas)
        return self._terms(self.densities(thetas))

    def loss_and_gradient(self, thetas: Any) -> tuple[np.ndarray, np.ndarray]:
        """Losses [K] and d loss / d theta [K, P]. A diverged candidate has loss inf and gradient zero.

        Of thetas that are a tensor (see ``tensors``), the gradient is one too.
        """
        if self._on_device is not None:
            return self._on_device.loss_and_gradient(thetas)
        thetas = self._batch(thetas)
        losses = np.empty(len(thetas))
        gradients = np.zeros(thetas.shape)
        loss, target = self.loss_function, self._recordings[0][1]
        for rows in self._chunks(len(thetas), gradient=True):
            inputs, possible = self._inputs(self.densities(thetas[rows]))
            terms, found = gradient_numpy(
                self.neuron, inputs.densities, self._plans[0], loss, target, **inputs.passive(), device=self.device
            )  # fmt: skip
            values = terms.mean(axis=1)
            finite = np.isfinite(values) & possible
            losses[rows] = np.where(finite, values, np.inf)
            slope = self.coordinates.slope(thetas[rows])
            gradients[rows] = np.where(finite[:, None], self.parameters.gradient(Inputs(*found)) * slope, 0.0)
        return losses, gradients

    def residual_products(self, theta: np.ndarray) -> ResidualProducts:
        """Loss, J^T r [P] and J^T J [P, P] at theta [P], with residuals r whose squares add up to the loss.

        Raises ValueError for a loss that is not a sum of squares.
        """
        weights = self.loss_function.weights
        if weights is None:
            raise ValueError(
                f"the loss {self.loss_function.name!r} of problem {self.name!r} is not a sum of squares, which methods of least "
                "squares need; use mse, published_mse or windows"
            )
        theta = self._batch(np.asarray(theta)[None])[0]
        values = self.densities(theta)
        if not self.parameters.possible(values[None])[0]:
            return ResidualProducts(np.inf, np.zeros(len(theta)), np.zeros((len(theta), len(theta))))
        _, target, _ = self._recordings[0]
        if self._on_device is not None:
            loss, half, normal = self._on_device.residual_products(weights, values)
        else:
            loss, half, normal = residual_products(self.parameters, self._plans[0], target, weights, values, self.device)
        slope = self.coordinates.slope(theta)
        return ResidualProducts(loss, half * slope, normal * slope[:, None] * slope)

    def loss_of_densities(self, densities: np.ndarray) -> np.ndarray:
        """Losses [K] of densities [K, P], whatever the view."""
        return self._terms(densities).mean(axis=1)

    def heldout_loss(self, densities: np.ndarray) -> np.ndarray:
        """Losses [K] of densities [K, P] on the held-out stimuli; NaN where there are none."""
        if self.heldout is None:
            return np.full(len(densities), np.nan)
        return self._terms(densities, heldout=True).mean(axis=1)

    def density_errors(self, densities: np.ndarray) -> dict[str, float]:
        """Errors of densities [P] against the truth, keyed as a history's columns; NaN without a truth."""
        return self.parameters.errors(densities, self.compartment_truth)

    def _terms(self, densities: np.ndarray, heldout: bool = False) -> np.ndarray:
        """Densities [K, P] -> the loss's terms [K, stimuli], chunk by chunk."""
        densities = np.asarray(densities, dtype=float)
        if self._on_device is not None:
            return self._on_device.terms(densities, heldout)
        protocol, target, _ = self._recordings[heldout]
        loss = self._losses[heldout]
        terms = np.empty((len(densities), protocol.n_stimuli))
        for rows in self._chunks(len(densities), gradient=False, heldout=heldout):
            inputs, possible = self._inputs(densities[rows])
            values = terms_numpy(
                self.neuron, inputs.densities, self._plans[heldout], loss, target, **inputs.passive(), device=self.device
            )  # fmt: skip
            terms[rows] = np.where(np.isfinite(values) & possible[:, None], values, np.inf)
        return terms

    def _chunks(self, n: int, gradient: bool, heldout: bool = False) -> Iterator[slice]:
        """Slices of a population of n of which no more than CHUNK_BYTES is held (at least one candidate each)."""
        neuron, protocol, loss = self.neuron, self._recordings[heldout][0], self._losses[heldout]
        # of each simulation: densities and passive properties, in two orders; their derivatives, which are summed out of copies
        numbers = (2 + 3 * gradient) * (len(neuron.channels.channels) + 2) * neuron.n_compartments
        # of a sum of squares, the CPU holds voltages and states of a few simulations at a time
        if self.device != "cpu" or not loss.is_sum_of_squares:
            numbers += loss.numbers_per_sample * protocol.n_samples * len(protocol.recorded)
            if gradient:  # every state of every step, with the derivatives of its gates
                numbers += (1 + 3 * len(neuron.channels.gates)) * protocol.n_steps * neuron.n_compartments
        size = max(1, int(CHUNK_BYTES // (8 * numbers * protocol.n_stimuli)))
        for first in range(0, n, size):
            yield slice(first, min(n, first + size))

    def _inputs(self, densities: np.ndarray) -> tuple[Inputs, np.ndarray]:
        """What to simulate for [K, P], and which candidates [K] that stands for: a search that ignores its bounds may ask for a
        capacitance below zero, in whose place the default is simulated."""
        possible = self.parameters.possible(densities)
        return self.parameters.inputs(np.where(possible[:, None], densities, self.parameters.defaults)), possible

    @cached_property
    def _on_device(self) -> Any:
        """What computes whole populations on the GPU, in torch; None where that is the CPU's, or numpy's part."""
        if self.device == "cpu":
            return None
        from gradevo.cuda.population import population_on_device

        return population_on_device(self)

    def warm_up(self) -> None:
        """Gets a GPU ready, where that computes; what the first gradient would else wait for. The CPU's kernels need none."""
        if self.device == "cuda":
            self.loss_and_gradient(self.sample_initial(np.random.default_rng(0), 1))

    @property
    def tensors(self) -> str | None:
        """The torch device whose tensors ``loss_and_gradient`` takes, and returns the gradient as; None for arrays of numpy."""
        return None if self._on_device is None else self._on_device.place

    @cached_property
    def _plans(self) -> tuple[cpu.Plan, ...]:
        """What the kernel prepares once: for the protocol, and for the held-out one if there is one."""
        return tuple(cpu.make_plan(self.neuron, protocol) for protocol, _, _ in self._recordings)

    @cached_property
    def loss_function(self) -> Loss:
        """The loss between voltages and the target: its unit, whether it is a sum of squares, and with what weights."""
        return self._losses[0]

    @cached_property
    def _recordings(self) -> tuple[tuple[Protocol, np.ndarray, np.ndarray | None], ...]:
        """What is fitted, and what is held out if there is any: protocol, what losses compare with, what was recorded."""
        fitted = (self.protocol, comparable(self.target, self.observed), self.observed)
        if self.heldout is None:
            return (fitted,)
        protocol, target = self.heldout
        return (fitted, (protocol, comparable(target, self.heldout_observed), self.heldout_observed))

    @cached_property
    def _losses(self) -> tuple[Loss, ...]:
        made: list[Loss] = []
        for heldout, (protocol, target, observed) in enumerate(self._recordings):
            recorded = Recorded(protocol.sample_times_ms, len(protocol.recorded), self.neuron.n_compartments, observed)
            try:
                made.append(make_loss(self.loss_declared, recorded))
                made[-1].terms(target, target)
            except ValueError as error:
                raise ValueError(f"{'held-out recordings: ' if heldout else ''}{error}") from None
        return tuple(made)

    def _batch(self, thetas: np.ndarray) -> np.ndarray:
        thetas = np.asarray(thetas, dtype=float)
        if thetas.ndim != 2 or thetas.shape[1] != self.n_parameters:
            raise ValueError(f"thetas has shape {thetas.shape}; problem {self.name!r} takes [K, {self.n_parameters}]")
        if np.isnan(thetas).any():
            raise ValueError(f"thetas has a NaN in row {int(np.flatnonzero(np.isnan(thetas).any(axis=1))[0])}")
        return thetas

    def _vector(self, field: str, value: np.ndarray) -> np.ndarray:
        vector = np.ascontiguousarray(value, dtype=float)
        if vector.shape != (self.n_parameters,):
            raise ValueError(
                f"{field} has shape {vector.shape}; the parameters of {', '.join(self.free)} in their regions need "
                f"[{self.n_parameters}]"
            )
        if np.isnan(vector).any():
            raise ValueError(f"{field}[{int(np.flatnonzero(np.isnan(vector))[0])}] is NaN")
        return vector

    def _check_inside(self, field: str, value: np.ndarray) -> None:
        outside = np.flatnonzero((value < self.low) | (value > self.high))
        if len(outside):
            i = int(outside[0])
            raise ValueError(
                f"{field}[{i}] is {value[i]:g} {self.parameters.units[i]} for {self.parameter_names[i]}, outside its bounds "
                f"[{self.low[i]:g}, {self.high[i]:g}]; widen the bounds"
            )

    def _check_true_values(self) -> None:
        if self.true_values is None:
            return
        if self.truth is not None:
            raise ValueError("truth and true_values are both given; give true_values only where parameters cannot express them")
        values = np.ascontiguousarray(self.true_values, dtype=float)
        wanted = (len(self.free), self.neuron.n_compartments)
        if values.shape != wanted or not (np.isfinite(values) & (values > 0)).all():
            raise ValueError(f"true_values has shape {values.shape}; it must be positive numbers [quantities, n] = {wanted}")
        object.__setattr__(self, "true_values", values)


def _check_unseen(fitted: Protocol, heldout: Protocol) -> None:
    """Raises ValueError if a held-out stimulus is one of those that are fitted."""
    if fitted.stimulated == heldout.stimulated:
        shared = first_shared(heldout.stimulus, fitted.stimulus)
        if shared is not None:
            raise ValueError(
                f"held-out stimulus {shared[0]} is the fitted stimulus {shared[1]}; take another seed, or other currents"
            )
