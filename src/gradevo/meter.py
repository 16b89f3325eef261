"""The only road to simulations: counts, times, limits and records everything that a method spends.

A method calls `meter.loss`, `meter.objectives`, `meter.loss_and_gradient` or `meter.residual_products` instead of the
problem's own. A simulation is one candidate under one stimulus. A gradient is the same with its gradient; it weighs
`gradient_weight` simulations, its forward pass included, and is not counted as a simulation besides. A tangent is the
derivative of one simulation along one parameter; it weighs `tangent_weight` simulations, besides the simulation itself.
A method that brings its own simulator asks `meter.elsewhere`: its simulations and gradients count alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gradevo.result import Status
from gradevo.same_problem import same_problem

if TYPE_CHECKING:
    from gradevo.problem import Problem
    from gradevo.sensitivity import ResidualProducts

TANGENT_WEIGHT = 0.15
"""Simulations that a tangent weighs unless a study says otherwise."""


_COUNTS = ("simulations", "gradients", "tangents", "compartment_steps", "best_loss", "best_densities")


class RunEnded(Exception):
    """Raised by the meter to end a method's run; methods let it pass."""

    status = Status.budget


class BudgetExhausted(RunEnded):
    """The budget is spent."""


class TimeLimit(RunEnded):
    """The hard wall-clock stop, there for safety only."""


class TargetReached(RunEnded):
    """The loss target was reached."""

    status = Status.converged


class Meter:
    """Spends one fit's budget.

    Parameters
    ----------
    budget_equivalents : the budget in simulation-equivalents
    gradient_weight : what one gradient weighs in simulations, forward pass included
    n_simulations : simulations per candidate (the number of stimuli)
    tangent_weight : what one tangent weighs in simulations
    stop_loss : the run ends as soon as a loss is at or below it
    wall_limit_s : hard stop, looked at before each batch
    problem : whose losses are charged, in any view; None: those of any problem with so many simulations
    on_event : called with the meter after each batch, off the clock
    compile_clock : returns the wall and processor seconds spent compiling so far in this process, which are no method's

    Raises
    ------
    ValueError : a budget, weight or count that is not positive
    """

    def __init__(
        self,
        budget_equivalents: float,
        gradient_weight: float,
        n_simulations: int,
        stop_loss: float | None = None,
        wall_limit_s: float | None = None,
        on_event: Callable[[Meter], Any] | None = None,
        compile_clock: Callable[[], tuple[float, float]] | None = None,
        tangent_weight: float = TANGENT_WEIGHT,
        problem: Problem | None = None,
    ) -> None:
        for name, value in (
            ("budget_equivalents", budget_equivalents),
            ("gradient_weight", gradient_weight),
            ("n_simulations", n_simulations),
            ("tangent_weight", tangent_weight),
        ):
            if not value > 0:
                raise ValueError(f"{name} is {value}; it must be greater than 0")
        self.budget_equivalents = float(budget_equivalents)
        self.gradient_weight = float(gradient_weight)
        self.tangent_weight = float(tangent_weight)
        self.n_simulations = int(n_simulations)
        self.stop_loss = stop_loss
        self.wall_limit_s = wall_limit_s
        self.simulations = 0
        self.gradients = 0
        self.tangents = 0
        self.compartment_steps = 0
        self.best_loss = np.inf
        self.best_densities: np.ndarray | None = None
        self.latest_densities: np.ndarray | None = None  # [K, P] S/cm2 of the last batch, for those who follow a path
        self.rows: list[dict[str, float]] = []
        self.improvements: list[tuple[int, np.ndarray]] = []  # (event, densities [P] S/cm2)
        self._on_event = on_event
        self._problem = self._admitted = problem
        self._compile_clock = compile_clock or (lambda: (0.0, 0.0))
        self._stopped: tuple[float, float, float] | None = None
        self._best_score = np.inf
        self.start()

    # -- what was spent

    @property
    def simulation_equivalents(self) -> float:
        """Computed from the integer counts, so that nothing is lost to rounding on the way."""
        return self.simulations + self.gradient_weight * self.gradients + self.tangent_weight * self.tangents

    @property
    def remaining_equivalents(self) -> float:
        return self.budget_equivalents - self.simulation_equivalents

    def affordable(self, gradient: bool = False, tangents: int = 0, each: int | None = None) -> int:
        """Whole candidates that the remaining budget pays for, with their gradients or this many tangents each; `each` of them
        is so many simulations, one per stimulus where not given."""
        weight = self.gradient_weight if gradient else 1.0 + self.tangent_weight * tangents
        simulations = self.n_simulations if each is None else each
        return max(0, int(np.floor(self.remaining_equivalents / (simulations * weight) + 1e-9)))

    @property
    def wall_s(self) -> float:
        """Seconds since the start, without compilation and without what ran off the clock."""
        return self._clocks()[0]

    @property
    def cpu_s(self) -> float:
        """Processor seconds of this process since the start, likewise, and those of others that a method reported."""
        return self._clocks()[1]

    @property
    def compile_s(self) -> float:
        """Seconds spent compiling or loading kernels, or getting another simulator ready, since the start."""
        return self._clocks()[2]

    # -- the clock

    def start(self) -> None:
        """Set the clocks to zero."""
        self._started = self._now()
        self._off = [0.0] * len(self._started)
        self._prepared_s = 0.0
        self._others_cpu_s = 0.0
        self._stopped = None

    def stop(self) -> None:
        """Freeze the clocks: scoring comes after."""
        self._stopped = self._clocks()

    @contextmanager
    def off_the_clock(self) -> Iterator[None]:
        """What runs inside is nobody's time (nor are simulations made there counted: scoring only)."""
        before = self._now()
        try:
            yield
        finally:
            self._off = [off + after - at for off, after, at in zip(self._off, self._now(), before, strict=True)]

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """What runs inside gets another simulator ready: it counts as compilation."""
        begin = time.perf_counter()
        try:
            with self.off_the_clock():
                yield
        finally:
            self._prepared_s += time.perf_counter() - begin

    def add_cpu(self, seconds: float) -> None:
        """Processor time of other processes that worked for the method."""
        self._others_cpu_s += seconds

    def _clocks(self) -> tuple[float, float, float]:
        if self._stopped is not None:
            return self._stopped
        since = (now - at - off for now, at, off in zip(self._now(), self._started, self._off, strict=True))
        wall, cpu, compiling, compiling_cpu = since
        cpu_s = max(0.0, cpu - compiling_cpu) + self._others_cpu_s
        return max(0.0, wall - compiling), cpu_s, compiling + self._prepared_s

    def _now(self) -> tuple[float, ...]:
        """Wall, processor, and the two compile clocks."""
        return (time.perf_counter(), time.process_time(), *self._compile_clock())

    # -- what another process needs to know

    def progress(self, rows: int = 0, improvements: int = 0) -> dict[str, Any]:
        """Everything spent and found so far; of rows and improvements, those after the first so many."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        counts["simulation_equivalents"] = self.simulation_equivalents
        return {
            "counts": counts,
            "rows": self.rows[rows:],
            "improvements": self.improvements[improvements:],
            "clocks": self._clocks(),
        }

    def take_over(self, progress: dict[str, Any]) -> None:
        """Go on from the `progress` of a meter in another process. The clocks stand still at its."""
        for name in _COUNTS:
            setattr(self, name, progress["counts"][name])
        self.rows += progress["rows"]
        self.improvements += progress["improvements"]
        self._stopped = progress["clocks"]

    # -- the questions a method may ask

    def loss(self, problem: Problem, thetas: np.ndarray) -> np.ndarray:
        """[K, P] -> losses [K], inf where the simulation diverged. Raises RunEnded."""
        thetas, cut = self._admit(problem, thetas, gradient=False)
        losses = problem.loss(thetas)
        self._record(problem, thetas, losses, cut, gradient=False)
        return losses

    def objectives(self, problem: Problem, thetas: np.ndarray) -> np.ndarray:
        """[K, P] -> a term per stimulus [K, n_stimuli]; their mean is the loss. Raises RunEnded."""
        thetas, cut = self._admit(problem, thetas, gradient=False)
        terms = problem.objectives(thetas)
        self._record(problem, thetas, terms.mean(axis=1), cut, gradient=False)
        return terms

    def loss_and_gradient(self, problem: Problem, thetas: Any) -> tuple[np.ndarray, np.ndarray]:
        """[K, P] -> losses [K] and d loss / d theta [K, P]; a problem on a GPU takes and gives tensors too. Raises RunEnded."""
        thetas, cut = self._admit(problem, thetas, gradient=True)
        losses, gradients = problem.loss_and_gradient(thetas)
        self._record(problem, _on_host(thetas), losses, cut, gradient=True)
        return losses, gradients

    def residual_products(self, problem: Problem, theta: np.ndarray) -> ResidualProducts:
        """[P] -> loss, J^T r [P] and J^T J [P, P], inf and zeros where it diverged. Counts one simulation and P tangents per
        stimulus. Raises RunEnded, and ValueError for a loss that is not a sum of squares."""
        tangents = problem.n_parameters
        thetas, _ = self._admit(problem, np.asarray(theta)[None], gradient=False, tangents=tangents)
        products = problem.residual_products(thetas[0])
        self._record(problem, thetas, np.array([products.loss]), cut=False, gradient=False, tangents=tangents)
        return products

    def loss_of_another(self, problem: Problem, other: Problem, thetas: np.ndarray) -> np.ndarray:
        """Losses [K] of thetas [K, P] in another problem with the same parameters, which leads to this one: fewer stimuli, a
        shorter time, a current besides. Counted by the compartments and steps that it simulates, in whole simulations of this
        problem; never the best. Raises RunEnded."""
        each = self._worth(problem, other)
        thetas, cut = self._admit(problem, thetas, gradient=False, each=each)
        losses = other.loss(thetas)
        self._record(problem, thetas, np.full(len(thetas), np.inf), cut, gradient=False, each=each)
        return losses

    def products_of_another(self, problem: Problem, other: Problem, theta: np.ndarray) -> ResidualProducts:
        """As `residual_products`, of another problem as in `loss_of_another`."""
        each, tangents = self._worth(problem, other), problem.n_parameters
        thetas, _ = self._admit(problem, np.asarray(theta)[None], gradient=False, tangents=tangents, each=each)
        products = other.residual_products(thetas[0])
        self._record(problem, thetas, np.array([np.inf]), cut=False, gradient=False, tangents=tangents, each=each)
        return products

    def elsewhere(
        self,
        problem: Problem,
        thetas: np.ndarray,
        judge: Callable[[np.ndarray], tuple[np.ndarray, Any]],
        gradient: bool = False,
    ) -> Any:
        """Candidates [K, P] that another simulator judges, counted as one's own.

        judge : those that the budget pays for [k, P] -> the scores [k] by which the method tells which is best (the lower,
            the better; inf where it failed), and an answer, which is returned
        gradient : whether it takes gradients

        The best so far is what the method itself holds to be best. Its loss is gradevo's own, simulated off the clock, so that
        tables can be compared: it may rise where the two judge differently. Raises RunEnded.
        """
        thetas, cut = self._admit(problem, thetas, gradient)
        scores, answer = judge(thetas)
        scores = np.where(np.isfinite(scores), scores, np.inf)
        losses = np.full(len(thetas), np.inf)
        if np.isfinite(scores).any():
            winner = int(np.argmin(scores))
            with self.off_the_clock():
                losses[winner] = problem.loss(thetas[winner][None])[0]
        self._record(problem, thetas, losses, cut, gradient, scores=scores)
        return answer

    @staticmethod
    def _worth(problem: Problem, other: Problem) -> int:
        """Simulations of a problem that a candidate of another one is worth, rounded up."""
        return max(1, -(-other.n_simulations * other.compartment_steps // problem.compartment_steps))

    def _admit(
        self, problem: Problem, thetas: np.ndarray, gradient: bool, tangents: int = 0, each: int | None = None
    ) -> tuple[np.ndarray, bool]:
        """The part of the batch that the budget pays for, and whether any was cut off."""
        if not hasattr(thetas, "cpu"):  # a tensor goes as it is
            thetas = np.asarray(thetas, dtype=float)
        if thetas.ndim != 2:
            raise ValueError(f"thetas has shape {thetas.shape}; a batch is [candidates, parameters]")
        if problem.n_simulations != self.n_simulations:
            raise ValueError(
                f"this meter counts {self.n_simulations} simulations per candidate, but problem {problem.name!r} "
                f"needs {problem.n_simulations}"
            )
        self._check_asked_about(problem)
        if self.wall_limit_s is not None and self.wall_s >= self.wall_limit_s:
            raise TimeLimit(f"hard stop after {self.wall_s:.1f} s (wall_limit_s is {self.wall_limit_s:g})")
        affordable = self.affordable(gradient, tangents, each)
        if affordable == 0 and len(thetas) > 0:
            raise BudgetExhausted(self._budget_message())
        return thetas[:affordable], affordable < len(thetas)

    def _check_asked_about(self, problem: Problem) -> None:
        """A shorter time, an easier loss or a finer step would be charged like the fit's own problem, and judged as its best."""
        if self._problem is None or problem is self._admitted:
            return
        if not same_problem(problem, self._problem):
            raise ValueError(
                f"the meter of a fit of problem {self._problem.name!r} was asked about another problem's loss; "
                "a problem that leads to it is asked about with meter.loss_of_another(problem, other, thetas)"
            )
        self._admitted = problem

    def _record(
        self,
        problem: Problem,
        thetas: np.ndarray,
        losses: np.ndarray,
        cut: bool,
        gradient: bool,
        tangents: int = 0,
        scores: np.ndarray | None = None,
        each: int | None = None,
    ) -> None:
        count = len(thetas) * (self.n_simulations if each is None else each)
        if gradient:
            self.gradients += count
        else:
            self.simulations += count
            self.tangents += count * tangents
        self.compartment_steps += count * problem.compartment_steps
        self.latest_densities = problem.densities(thetas)
        batch_best = np.inf
        if len(thetas) > 0:
            # the loss itself ranks candidates, unless the method judges them by something else
            order = np.where(np.isfinite(losses), losses if scores is None else scores, np.inf)
            winner = int(np.argmin(order))
            if np.isfinite(order[winner]):
                batch_best = float(losses[winner])
            if order[winner] < self._best_score:
                self._best_score = float(order[winner])
                self.best_loss = batch_best
                densities = self.latest_densities[winner].copy()
                self.best_densities = densities
                self.improvements.append((len(self.rows), densities))
        wall_s, cpu_s, _ = self._clocks()
        self.rows.append(
            {
                "event": len(self.rows),
                "simulations": self.simulations,
                "gradients": self.gradients,
                "tangents": self.tangents,
                "simulation_equivalents": self.simulation_equivalents,
                "wall_s": wall_s,
                "cpu_s": cpu_s,
                "loss": batch_best,
                "best_loss": self.best_loss,
            }
        )
        if self._on_event is not None:
            with self.off_the_clock():
                self._on_event(self)
        if self.stop_loss is not None and self.best_loss <= self.stop_loss:
            raise TargetReached(f"loss {self.best_loss:.3g} reached the target of {self.stop_loss:g}")
        if cut:
            raise BudgetExhausted(self._budget_message())

    def _budget_message(self) -> str:
        return f"spent {self.simulation_equivalents:.0f} of {self.budget_equivalents:.0f} simulation-equivalents"


def _on_host(thetas: Any) -> np.ndarray:
    """Thetas that may be a tensor on a GPU."""
    return thetas if isinstance(thetas, np.ndarray) else thetas.cpu().numpy()
