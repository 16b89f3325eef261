"""scipy's L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995) from several starts that advance together. Shared by methods.

scipy's optimiser asks for one point at a time. Each start therefore runs it in a thread of its own, which stops at
every question; when all have asked, their points are evaluated as one batch. One thread runs at a time, in a fixed
order, so that nothing depends on the scheduler.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from gradevo.methods.method import Outcome
from gradevo.problem import Problem
from gradevo.result import Status

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""[K, P] -> losses [K] and gradients [K, P]; raises RunEnded."""

# A diverged simulation has no loss; the line search is told this many times the start's own loss, and a zero gradient,
# so that it backs off.
_DIVERGED = 10.0


def search_from_many_starts(
    name: str,
    problem: Problem,
    evaluate: Evaluate,
    rng: np.random.Generator,
    *,
    starts: int,
    memory: int,
    tolerance: float,
    restarts: int | None,
) -> Outcome:
    """Searches from the problem's starting points; one that ends is replaced by a new random one, `restarts` times in
    all (None: until the budget ends). `name` is the method's, for messages. See `search_together` for the others.

    Raises ValueError for settings out of range, and RunEnded.
    """
    if starts < 1 or memory < 1 or tolerance < 0 or (restarts is not None and restarts < 0):
        raise ValueError(
            f"{name}: starts and memory must be at least 1, tolerance and restarts 0 or more; got "
            f"{starts=}, {memory=}, {tolerance=}, {restarts=}"
        )
    rounds = itertools.count() if restarts is None else range(restarts)
    further = (problem.sample_random(rng, 1)[0] for _ in rounds)
    points = problem.sample_initial(rng, starts)
    ended = search_together(problem, evaluate, points, further, memory=memory, tolerance=tolerance)
    return Outcome(Status.stagnated, f"{ended} searches ended in minima above the target")


def search_together(
    problem: Problem,
    evaluate: Evaluate,
    points: np.ndarray,
    further: Iterable[np.ndarray] = (),
    *,
    memory: int,
    tolerance: float,
) -> int:
    """One search from each of `points` [K, P], all questions as one batch, until all have ended; their number.

    problem : gives the bounds, in its view
    further : starting points [P] for the searches that replace those that end
    memory : pairs of vectors that approximate the Hessian
    tolerance : a search ends when an iteration lowers its loss by less than this times max(loss, 1)
    """
    lower, upper = problem.coordinates.bounds
    options = {"bounds": list(zip(lower, upper, strict=True)), "memory": memory, "tolerance": tolerance}
    searches = [_Search(point, options) for point in points]
    waiting = iter(further)
    ended = 0
    try:
        while True:
            for i, search in enumerate(searches):
                while not search.advance():
                    ended += 1
                    point = next(waiting, None)
                    if point is None:
                        break
                    searches[i] = search = _Search(point, options)
            searches = [search for search in searches if search.question is not None]
            if not searches:
                return ended
            questions = np.array([search.question for search in searches])
            for search, loss, gradient in zip(searches, *evaluate(questions), strict=True):
                search.answer = (float(loss), gradient)
    finally:
        for search in searches:
            search.abandon()


class _Abandoned(BaseException):
    """Unwinds a search's thread when the run has ended. Not an Exception: scipy must not swallow it."""


@dataclass(eq=False)
class _Search:
    """One scipy search, made a coroutine: `advance` runs it from its last answer to its next question."""

    point: np.ndarray
    options: dict
    question: np.ndarray | None = None
    answer: tuple[float, np.ndarray] | None = None
    failure: BaseException | None = None
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _given_up: bool = False
    _thread: threading.Thread | None = None
    _penalty: float = np.inf

    def advance(self) -> bool:
        """Run to the next question; False when the search has ended instead."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._search, daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._asked.acquire()
        if self.failure is not None:
            raise self.failure
        return self.question is not None

    def abandon(self) -> None:
        """End the thread, wherever it is."""
        if self._thread is not None and self._thread.is_alive():
            self._given_up = True
            self._go.release()
            self._thread.join()

    def _search(self) -> None:
        try:
            minimize(
                self._ask,
                self.point,
                jac=True,
                method="L-BFGS-B",
                bounds=self.options["bounds"],
                options={
                    "maxcor": self.options["memory"],
                    "ftol": self.options["tolerance"],
                    "gtol": 0.0,
                    "maxiter": 10**9,
                    "maxfun": 10**9,
                    "maxls": 30,
                },
            )
        except _Abandoned:
            return
        except BaseException as failure:  # noqa: BLE001 - carried to the main thread, which raises it
            self.failure = failure
        self.question = None
        self._asked.release()

    def _ask(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        self.question = theta.copy()
        self._asked.release()
        self._go.acquire()
        if self._given_up or self.answer is None:
            raise _Abandoned
        loss, gradient = self.answer
        if not np.isfinite(loss):
            # without a finite loss at the start the search ends at once: a zero gradient is a minimum
            return (self._penalty if np.isfinite(self._penalty) else 0.0), np.zeros_like(gradient)
        if not np.isfinite(self._penalty):
            self._penalty = _DIVERGED * (loss + 1.0)
        return loss, gradient
