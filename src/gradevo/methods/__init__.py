"""The registry of fitting methods. A method is one file here and one entry below.

A method's file holds `run(problem, meter, rng, **settings) -> Outcome`, where `problem` is already in the method's
view. It asks the meter, never the problem, for losses; the meter ends the run by raising `RunEnded`, which the method
lets pass. It returns only when it has nothing more to try.
"""

from __future__ import annotations

from typing import Any

from gradevo.methods.method import Method, Outcome, known

__all__ = ["METHODS", "OWN", "Method", "Outcome", "get_method"]


def get_method(name: str) -> Method:
    """The method called `name`. Raises ValueError naming the closest known one."""
    return METHODS[known("method", name, METHODS)]


def _method(
    name: str,
    summary: str,
    *,
    gradient: bool,
    view: str,
    defaults: dict[str, Any],
    space: dict[str, tuple[Any, ...]],
    presets: dict[str, dict[str, Any]] | None = None,
    family: str | None = None,
    simulator: str = "gradevo",
    data: str = "",
) -> Method:
    family = family or ("gradient" if gradient else "evolution")
    module = f"gradevo.methods.{name}"
    return Method(name, summary, gradient, view, defaults, space, module, presets or {}, family, simulator, data)


# What random and Sobol search can be told: how much of the box they leave out.
_MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35)

# BluePyOpt's own defaults but for the population, which is that of `ibea`.
_ON_NEURON = {
    "algorithm": "ibea", "population": 32, "eta": 10.0, "crossover_probability": 1.0, "mutation_probability": 1.0,
    "sigma": 0.4, "secondorder": None, "view": "unit",
}  # fmt: skip

# How methods end that hand over to levenberg_marquardt.
_MARQUARDT = {"damping": 1e-2, "trials": 4, "growth": 10.0, "tolerance": 1e-9}

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        # -- with gradients
        _method(
            "adam",
            "Adam, several starts as one batch",
            gradient=True,
            view="logit",
            defaults={
                "starts": 4, "learning_rate": 0.05, "steps": None, "schedule": "cosine", "final_rate": 0.01,
                "view": "logit", "scale": 1.0,
            },
            space={
                "starts": (1, 2, 4, 8), "learning_rate": (0.01, 0.02, 0.05, 0.1, 0.2), "schedule": ("constant", "cosine"),
                "view": ("logit", "log"),
            },
            # Jones and Kording: raw densities in mS/cm2 from the nominal values, learning rate 0.5, 200 steps
            presets={
                "published": {
                    "starts": 1, "learning_rate": 0.5, "steps": 200, "schedule": "constant",
                    "view": "identity", "scale": 1e-3,
                },
            },
        ),
        _method(
            "lbfgs",
            "L-BFGS-B (scipy), several starts as one batch, restarted until the budget ends",
            gradient=True,
            view="log",
            defaults={"starts": 4, "memory": 20, "tolerance": 1e-10, "restarts": None, "view": "log"},
            space={
                "starts": (1, 2, 4, 8), "memory": (5, 10, 20, 50), "tolerance": (1e-12, 1e-10, 1e-8),
                "view": ("log", "logit"),
            },
        ),
        _method(
            "cma_lbfgs",
            "CMA-ES (pycma), then L-BFGS-B (scipy) from its best point, restarted until the budget ends",
            gradient=True,
            family="hybrid",
            view="unit",
            defaults={
                "population": None, "sigma": 0.2, "share": 0.3, "patience": 20, "memory": 20, "tolerance": 1e-10,
                "restarts": None,
            },
            space={
                "population": (None, 16, 32), "sigma": (0.1, 0.2, 0.3), "share": (0.1, 0.3, 0.5), "patience": (5, 20, 50),
                "memory": (10, 20, 50),
            },
        ),
        _method(
            "levenberg_marquardt",
            "Levenberg-Marquardt on J^T J from exact tangents, restarted until the budget ends; losses that are sums of squares",
            gradient=True,
            view="log",
            defaults={
                "damping": 1e-2, "trials": 4, "growth": 10.0, "tolerance": 1e-9, "restarts": None, "view": "log",
            },
            space={
                "damping": (1e-3, 1e-2, 1e-1, 1.0), "trials": (2, 4, 6), "growth": (4.0, 10.0), "view": ("log", "logit"),
            },
        ),
        # -- with gradients, and with the recorded voltages themselves (docs/optimisers.md)
        _method(
            "regression_lm",
            "linear regression on currents (Huys et al. 2006), then Levenberg-Marquardt; for voltages recorded everywhere",
            gradient=True,
            view="log",
            defaults={"passes": 40, "change": 1e-9, **_MARQUARDT},
            space={},
            data="voltages of every compartment",
        ),
        _method(
            "synchronised_lm",
            "Levenberg-Marquardt while a current pulls recorded sites towards their data, weaker from stage to stage",
            gradient=True,
            view="log",
            defaults={
                "strengths_per_ms": [100.0, 30.0, 10.0, 3.0, 1.0], "iterations": 5, "stimuli": 24, "ridge": 0.1, **_MARQUARDT,
            },
            space={},
            data="voltages of whole traces",
        ),
        _method(
            "horizon_lm",
            "Levenberg-Marquardt on the beginning of the traces, longer from stage to stage",
            gradient=True,
            view="log",
            defaults={"horizons": [0.1, 0.2, 0.35, 0.5, 0.7, 0.85], "iterations": 5, "stimuli": 24, "ridge": 0.1, **_MARQUARDT},
            space={},
            data="voltages of whole traces",
        ),
        _method(
            "shooting_lm",
            "multiple shooting: Levenberg-Marquardt on windows of time that begin at the data, over a growing horizon",
            gradient=True,
            view="log",
            defaults={
                "horizons": [0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.0, 1.0, 1.0], "windows": [1, 1, 1, 1, 1, 1, 1, 2, 5, 15],
                "iterations": 8, "stimuli": 24, "ridge": 0.1, **_MARQUARDT,
            },
            space={},
            data="voltages of whole traces",
        ),
        # -- without
        _method(
            "lbfgs_fd",
            "L-BFGS-B (scipy) with gradients from finite differences: what exact gradients are worth",
            gradient=False,
            family="other",
            view="log",
            defaults={
                "starts": 4, "memory": 20, "tolerance": 1e-10, "restarts": None, "difference": "forward", "step": 1e-6,
                "view": "log",
            },
            space={
                "starts": (1, 2, 4), "memory": (5, 10, 20, 50), "tolerance": (1e-12, 1e-10, 1e-8),
                "difference": ("forward", "central"), "step": (1e-7, 1e-6, 1e-5, 1e-4),
            },
        ),
        _method(
            "cma_es",
            "CMA-ES (pycma) in the unit box, restarted with doubled populations",
            gradient=False,
            view="unit",
            defaults={"population": None, "sigma": 0.2, "restarts": None, "growth": 2.0, "tolerance": 1e-11},
            space={
                "population": (None, 16, 32, 64), "sigma": (0.1, 0.2, 0.3), "growth": (1.0, 2.0),
                "tolerance": (1e-11, 1e-8, 1e-5),
            },
        ),
        _method(
            "sep_cma_es",
            "CMA-ES with a diagonal covariance (pycma), for many parameters; restarted as cma_es",
            gradient=False,
            view="unit",
            defaults={"population": None, "sigma": 0.2, "restarts": None, "growth": 2.0, "tolerance": 1e-11},
            space={
                "population": (None, 16, 32, 64), "sigma": (0.1, 0.2, 0.3), "growth": (1.0, 2.0),
                "tolerance": (1e-11, 1e-8, 1e-5),
            },
        ),
        _method(
            "bluepyopt_cma",
            "BluePyOpt's CMA-ES, with its own stopping rules, restarted until the budget ends",
            gradient=False,
            view="unit",
            defaults={"population": None, "sigma": 0.4, "stagnation": True, "restarts": None},
            space={"population": (None, 16, 32, 64), "sigma": (0.1, 0.2, 0.4, 0.6), "stagnation": (True, False)},
        ),
        _method(
            "differential_evolution",
            "differential evolution (scipy), restarted until the budget ends",
            gradient=False,
            view="unit",
            defaults={
                "population": 48, "strategy": "best1bin", "mutation": [0.5, 1.0], "recombination": 0.7,
                "tolerance": 1e-11, "restarts": None,
            },
            space={
                "population": (16, 32, 48, 96), "strategy": ("best1bin", "rand1bin", "currenttobest1bin"),
                "mutation": ([0.5, 1.0], [0.3, 0.7], 0.5), "recombination": (0.3, 0.5, 0.7, 0.9),
            },
        ),
        _method(
            "genetic",
            "real-coded genetic algorithm (DEAP): simulated binary crossover, polynomial mutation, tournament, elitism",
            gradient=False,
            view="unit",
            defaults={
                "population": 64, "crossover_probability": 0.9, "crossover_eta": 15.0, "mutation_probability": 1.0,
                "mutation_eta": 20.0, "genes_mutated": 1.0, "tournament": 3, "elite": 2, "generations": None,
            },
            space={
                "population": (16, 32, 64, 128), "crossover_probability": (0.5, 0.9), "crossover_eta": (2.0, 5.0, 15.0),
                "mutation_eta": (5.0, 20.0, 50.0), "genes_mutated": (1.0, 3.0), "tournament": (2, 3, 5), "elite": (1, 2, 4),
            },
        ),
        _method(
            "ibea",
            "BluePyOpt's indicator-based evolutionary algorithm, an objective per stimulus",
            gradient=False,
            view="unit",
            defaults={
                "population": 32, "eta": 10.0, "crossover_probability": 1.0, "mutation_probability": 1.0,
                "generations": None,
            },
            space={
                "population": (16, 32, 64), "eta": (5.0, 10.0, 20.0, 40.0), "crossover_probability": (0.7, 1.0),
                "mutation_probability": (0.3, 1.0),
            },
        ),
        # -- without memory: what any search must beat
        _method(
            "random_search",
            "points drawn uniformly from the box",
            gradient=False,
            family="other",
            view="unit",
            defaults={"batch": 64, "margin": 0.0},
            space={"margin": _MARGINS},
        ),
        _method(
            "sobol",
            "a scrambled Sobol sequence over the box (scipy)",
            gradient=False,
            family="other",
            view="unit",
            defaults={"batch": 64, "margin": 0.0},
            space={"margin": _MARGINS},
        ),
        # -- complete competitors, with simulators of their own (docs/competitors.md)
        _method(
            "bluepyopt_neuron_mse",
            "BluePyOpt on NEURON in processes of its own, on squared errors of the voltage; for neurons that are trees",
            gradient=False,
            view="unit",
            defaults=_ON_NEURON,
            space={},
            family="other",
            simulator="NEURON",
        ),
        _method(
            "bluepyopt_neuron_efel",
            "BluePyOpt on NEURON in processes of its own, on eFEL features of the target; for neurons that are trees",
            gradient=False,
            view="unit",
            defaults={
                "features": [
                    "Spikecount", "time_to_first_spike", "AP_amplitude", "AP_begin_voltage", "AP_duration_half_width",
                    "min_AHP_values", "maximum_voltage", "minimum_voltage", "steady_state_voltage_stimend",
                ],
                "sites": 3, "std_share": 0.05, **_ON_NEURON,
            },
            space={},
            family="other",
            simulator="NEURON",
        ),
        _method(
            "jaxley_adam",
            "Adam on Jaxley, several starts at once, on squared errors of the voltage; for neurons that are trees (make bench)",
            gradient=True,
            family="other",
            view="identity",
            defaults={
                "starts": 4, "learning_rate": 0.05, "steps": None, "schedule": "cosine", "final_rate": 0.01,
                "transform": "logit", "solver": None,
            },
            space={},
            simulator="Jaxley",
        ),
    )
}  # fmt: skip

OWN = tuple(name for name, method in METHODS.items() if method.simulator == "gradevo" and not method.data)
"""The methods that search with gradevo's simulator by losses and their derivatives, and differ in nothing else."""
