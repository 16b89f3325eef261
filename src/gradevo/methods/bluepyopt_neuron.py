"""BluePyOpt on NEURON, as its users run it: its cell model, sweeps, evaluator and optimisers, candidates spread over processes.

Gradevo's are the counting, the starting points, and the coordinates of the search. Shared by the methods bluepyopt_neuron_*.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from bluepyopt.deapext.optimisations import DEAPOptimisation
from bluepyopt.deapext.optimisationsCMA import DEAPOptimisationCMA
from bluepyopt.ephys.evaluators import CellEvaluator
from bluepyopt.ephys.objectivescalculators import ObjectivesCalculator
from bluepyopt.ephys.protocols import SweepProtocol
from bluepyopt.evaluators import Evaluator
from bluepyopt.parameters import Parameter

from gradevo.kernels.cpu import available_threads
from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.neuron_cell import compiled, load_mechanisms, make_cell, make_simulator, make_sweeps
from gradevo.methods.randomness import draw_seed, seeded_random
from gradevo.problem import Problem
from gradevo.result import Status
from gradevo.workplace import end_with_parent

ENDLESS = 10**9
ALGORITHMS = ("ibea", "cma")


class NeuronEvaluator(CellEvaluator):
    """BluePyOpt's evaluator, for candidates in the problem's coordinates. Simulates in this process."""

    fitness_protocols: dict[str, SweepProtocol]

    def __init__(self, problem: Problem, calculator: ObjectivesCalculator, secondorder: int | None = None) -> None:
        """secondorder : NEURON's; None for what is nearest to the problem's own scheme

        Raises ValueError for a neuron that NEURON cannot hold, and for another secondorder than 0 or 2."""
        if secondorder is None:
            secondorder = 0 if problem.protocol.implicitness == 1.0 else 2
        if secondorder not in (0, 2):
            raise ValueError(f"secondorder is {secondorder}; take 0 (backward Euler), 2 (Crank-Nicolson), or leave it out")
        super().__init__(
            cell_model=make_cell(problem.parameters, secondorder),
            param_names=list(problem.parameter_names),
            fitness_protocols=make_sweeps(problem.neuron, problem.protocol),
            fitness_calculator=calculator,
            isolate_protocols=False,  # the processes are the pool's
            sim=make_simulator(problem.protocol),
        )
        self.problem = problem
        self.params = coordinates(problem)

    def param_dict(self, param_array: Sequence[float]) -> dict[str, float]:
        return super().param_dict(self.problem.densities(np.asarray(param_array)).tolist())

    def voltages(self, theta: np.ndarray) -> np.ndarray:
        """[stimuli, samples, recorded] mV."""
        load_mechanisms(self.problem.neuron.channels, self.sim)
        self.sim.initialize()
        responses = self.run_protocols(self.fitness_protocols.values(), self.param_dict(theta.tolist()))
        names = [[recording.name for recording in sweep.recordings or ()] for sweep in self.fitness_protocols.values()]
        return np.array([np.stack([responses[name]["voltage"] for name in row], axis=1) for row in names])


def coordinates(problem: Problem) -> list[Parameter]:
    """The search space as BluePyOpt's parameters: the bounds of the problem's view."""
    low, high = problem.coordinates.bounds
    return [Parameter(name, bounds=pair) for name, *pair in zip(problem.parameter_names, low, high, strict=True)]


def minimise(
    name: str,
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    calculator_of: Callable[[Problem], ObjectivesCalculator],
    settings: Mapping[str, Any],
) -> Outcome:
    """Minimise the objectives until the budget ends. Settings, the same for both methods:

    algorithm : "ibea" (DEAPOptimisation) or "cma" (DEAPOptimisationCMA, which minimises the objectives' sum)
    population : BluePyOpt's offspring_size
    eta, crossover_probability, mutation_probability : of IBEA
    sigma : of CMA, first step size in half sides of the box; a search that ends by BluePyOpt's criteria is restarted
    secondorder : see `NeuronEvaluator`
    view : the coordinates of the search (`problem` is already in them)

    Raises ValueError for settings out of range, for a neuron that NEURON cannot hold, and RunEnded.
    """
    if settings["algorithm"] not in ALGORITHMS or settings["population"] < 2 or settings["sigma"] <= 0:
        raise ValueError(
            f"{name}: algorithm must be one of {', '.join(ALGORITHMS)}, population at least 2, sigma above 0; got "
            f"algorithm={settings['algorithm']!r}, population={settings['population']}, sigma={settings['sigma']}"
        )
    if not np.isfinite(problem.coordinates.bounds).all():
        raise ValueError(
            f"{name}: BluePyOpt searches in a box, which view={settings['view']!r} has not; take unit, log or identity"
        )
    with meter.preparing():
        evaluator = NeuronEvaluator(problem, calculator_of(problem), settings["secondorder"])
        compiled(problem.neuron.channels)
        workers = available_threads()
        executor = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin, (os.getpid(), evaluator))
        list(executor.map(_ready, range(workers)))
    with executor:
        pooled = PooledEvaluator(evaluator, meter, executor)
        return (_ibea if settings["algorithm"] == "ibea" else _cma)(problem, pooled, rng, settings)


class PooledEvaluator(Evaluator):
    """Hands BluePyOpt's generations to the processes, through the meter."""

    def __init__(self, evaluator: NeuronEvaluator, meter: Meter, executor: ProcessPoolExecutor) -> None:
        super().__init__(objectives=evaluator.objectives, params=evaluator.params)
        self.problem, self.meter, self.executor = evaluator.problem, meter, executor

    def map(self, _evaluate: Callable, people: Iterable) -> list[list[float]]:
        """BluePyOpt's map function: every candidate's scores. Raises RunEnded."""
        points = np.array([list(individual) for individual in people])
        return self.meter.elsewhere(self.problem, points, self._judge) if len(points) else []

    def init_simulator_and_evaluate_with_lists(self, individual: list[float]) -> list[float]:
        """What BluePyOpt asks for a single individual. Raises RunEnded."""
        return self.map(self.init_simulator_and_evaluate_with_lists, [individual])[0]

    def _judge(self, thetas: np.ndarray) -> tuple[np.ndarray, list[list[float]]]:
        answers = list(self.executor.map(_evaluate, thetas.tolist()))
        self.meter.add_cpu(sum(cpu_s for _, cpu_s in answers))
        scores = [scores for scores, _ in answers]
        # the sum is what BluePyOpt's hall of fame goes by
        return np.sum(scores, axis=1), scores


_worker: NeuronEvaluator | None = None


def _begin(parent: int, evaluator: NeuronEvaluator) -> None:
    global _worker
    end_with_parent(parent)
    load_mechanisms(evaluator.problem.neuron.channels, evaluator.sim)
    _worker = evaluator


def _ready(_: int) -> None:
    """Answers when a process has begun."""


def _evaluate(theta: list[float]) -> tuple[list[float], float]:
    """A candidate's scores, and the processor seconds that they took."""
    assert _worker is not None
    begin = time.process_time()
    scores = _worker.init_simulator_and_evaluate_with_lists(theta)
    return [float(score) for score in scores], time.process_time() - begin


def _ibea(problem: Problem, evaluator: PooledEvaluator, rng: np.random.Generator, settings: Mapping[str, Any]) -> Outcome:
    population = settings["population"]
    first = problem.sample_initial(rng, population).tolist()
    with seeded_random(rng):
        DEAPOptimisation(
            evaluator=evaluator,
            seed=draw_seed(rng),
            offspring_size=population,
            eta=settings["eta"],
            cxpb=settings["crossover_probability"],
            mutpb=settings["mutation_probability"],
            map_function=evaluator.map,
            selector_name="IBEA",
        ).run(max_ngen=ENDLESS, parent_population=first)
    return Outcome(Status.stagnated, "all generations bred")


def _cma(problem: Problem, evaluator: PooledEvaluator, rng: np.random.Generator, settings: Mapping[str, Any]) -> Outcome:
    point = problem.sample_initial(rng, 1)[0]
    while True:
        with seeded_random(rng), warnings.catch_warnings():
            # in its first hundred generations its criterion of stagnation takes medians of nothing, harmlessly
            warnings.filterwarnings("ignore", "Mean of empty slice|invalid value encountered in scalar divide", RuntimeWarning)
            DEAPOptimisationCMA(
                evaluator=evaluator,
                seed=draw_seed(rng),
                offspring_size=settings["population"],
                centroids=[point.tolist()],
                sigma=settings["sigma"],
                map_function=evaluator.map,
            ).run(max_ngen=ENDLESS)
        point = problem.sample_random(rng, 1)[0]
