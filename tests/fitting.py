"""Problems for tests whose answers are known: one of real voltages, and quadratics that need no simulator."""

from __future__ import annotations

import numpy as np

from gradevo.methods import METHODS
from gradevo.problem import Problem
from gradevo.sensitivity import ResidualProducts
from gradevo.transforms import Transform


class Quadratic:
    """loss = mean over stimuli of weighted squared log-density errors; has what methods and meters use of a Problem."""

    tensors = None  # it takes arrays

    def __init__(self, n_parameters: int = 4, n_stimuli: int = 3, view: str = "unit", diverge_above: float = np.inf):
        self.name = "quadratic"
        self.n_parameters = n_parameters
        self.n_simulations = n_stimuli
        self.compartment_steps = 7
        low = np.full(n_parameters, 0.3)
        self.coordinates = Transform(view, low, 10 * low)
        self.truth = np.linspace(0.7, 1.5, n_parameters)
        self.weights = np.random.default_rng(1).uniform(0.5, 2.0, size=(n_stimuli, n_parameters))
        self.diverge_above = diverge_above
        self.calls: list[int] = []

    def view(self, name: str) -> Quadratic:
        if name == self.coordinates.name:
            return self
        other = Quadratic(self.n_parameters, self.n_simulations, name, self.diverge_above)
        other.calls = self.calls
        return other

    def densities(self, thetas):
        return self.coordinates.to_density(thetas)

    def sample_initial(self, rng, n):
        unit = Transform("unit", self.coordinates.low, self.coordinates.high)
        return self.coordinates.from_density(unit.to_density(rng.uniform(0.25, 0.75, size=(n, self.n_parameters))))

    sample_random = sample_initial

    def objectives(self, thetas):
        self.calls.append(len(thetas))
        error = np.log(self.densities(thetas) / self.truth)
        terms = np.einsum("sp,kp->ks", self.weights, error**2)
        return np.where(np.any(self.densities(thetas) > self.diverge_above, axis=1, keepdims=True), np.inf, terms)

    def loss(self, thetas):
        return self.objectives(thetas).mean(axis=1)

    def loss_and_gradient(self, thetas):
        losses = self.loss(thetas)
        densities = self.densities(thetas)
        slope = 2 * self.weights.mean(axis=0) * np.log(densities / self.truth) / densities
        gradients = slope * self.coordinates.slope(thetas)
        return losses, np.where(np.isfinite(losses)[:, None], gradients, 0.0)

    def residual_products(self, theta):
        loss = self.loss(theta[None])[0]
        if not np.isfinite(loss):
            return ResidualProducts(np.inf, np.zeros(len(theta)), np.zeros((len(theta), len(theta))))
        density = self.densities(theta)
        weights = self.weights.mean(axis=0)
        slope = self.coordinates.slope(theta) / density
        return ResidualProducts(loss, weights * np.log(density / self.truth) * slope, np.diag(weights * slope**2))


def toy_config(**problem) -> dict:
    """A chain of two published compartments, every site driven and recorded: four densities, cheap and well posed."""
    return {
        "study": "test",
        "gradient_weight": 2.5,
        "budget_equivalents": 3000,
        "stop_loss": 1e-7,
        "seeds": [0],
        "success": {"loss": 1e-3, "noise_factor": 4, "density_rel": 0.01},
        "neurons": {
            "two": {
                "morphology": {"kind": "chain", "compartments": 2, "coupling_S_cm2": 0.5e-3},
                "channels": "jones2024",
                "densities": {"kind": "uniform", "fraction": 0.3, "seed": 101},
            }
        },
        "problems": {
            "toy": {
                "neuron": "two",
                "stimuli": {
                    "kind": "random_steps", "count": 4, "every_ms": 0.5, "low_uA_cm2": 0, "high_uA_cm2": 20, "seed": 5,
                },
                "stimulated": "all",
                "recorded": "all",
                "duration_ms": 3,
                "sample_interval_ms": 0.1,
                "dt_ms": 0.01,
                "heldout": {"count": 2, "seed": 105},
                "bounds": [0.3, 3],
                **problem,
            }
        },
        "methods": {name: {} for name in METHODS},
    }  # fmt: skip


def toy_problem(**problem) -> Problem:
    from gradevo.study import make_problem

    return make_problem(toy_config(**problem), "toy")
