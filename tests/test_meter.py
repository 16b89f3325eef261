import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradevo.meter import BudgetExhausted, Meter, TargetReached, TimeLimit
from tests.fitting import Quadratic, toy_problem


def points(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 0.8, size=(n, 4))


def make(budget: float = 100, weight: float = 2.5, stimuli: int = 3, **options) -> tuple[Any, Meter]:
    return Quadratic(n_stimuli=stimuli), Meter(budget, weight, stimuli, **options)


def test_counts_candidates_times_stimuli():
    problem, meter = make()
    meter.loss(problem, points(4))
    meter.objectives(problem, points(2))
    meter.loss_and_gradient(problem, points(3))
    assert (meter.simulations, meter.gradients) == (18, 9)
    assert meter.simulation_equivalents == 18 + 2.5 * 9
    assert meter.compartment_steps == 27 * 7
    assert [row["simulation_equivalents"] for row in meter.rows] == [12, 18, 40.5]


def test_the_batch_that_crosses_the_budget_is_cut_counted_and_recorded():
    problem, meter = make(budget=30)
    meter.loss(problem, points(8))
    with pytest.raises(BudgetExhausted):
        meter.loss(problem, points(8, seed=1))
    assert problem.calls == [8, 2]
    assert meter.simulations == 30 == meter.simulation_equivalents
    assert len(meter.rows) == 2
    with pytest.raises(BudgetExhausted):
        meter.loss(problem, points(1))
    assert problem.calls == [8, 2]
    assert len(meter.rows) == 2


def test_no_whole_candidate_fits():
    problem, meter = make(budget=7.4)
    with pytest.raises(BudgetExhausted):
        meter.loss_and_gradient(problem, points(1))
    assert meter.gradients == 0
    assert problem.calls == []
    meter.loss(problem, points(2))  # simulations are still affordable
    assert meter.simulations == 6


def test_a_batch_that_ends_exactly_at_the_budget_is_whole():
    # 0.1 has no exact binary form: 30 gradients of weight 0.1 must still fit a budget of 3
    problem, meter = make(budget=3, weight=0.1)
    for _ in range(10):
        losses, gradients = meter.loss_and_gradient(problem, points(1))
        assert losses.shape == (1,)
        assert gradients.shape == (1, 4)
    assert meter.gradients == 30
    with pytest.raises(BudgetExhausted):
        meter.loss_and_gradient(problem, points(1))


def test_best_is_kept_and_never_non_finite():
    problem = Quadratic(diverge_above=1.0)
    meter = Meter(1000, 2.5, 3)
    meter.loss(problem, np.full((2, 4), 0.9))  # type: ignore[arg-type]
    assert meter.best_densities is None
    assert meter.best_loss == np.inf
    batch = np.vstack([np.full((1, 4), 0.9), np.full((1, 4), 0.4), np.full((1, 4), 0.3)])
    losses = meter.loss(problem, batch)  # type: ignore[arg-type]
    assert np.isinf(losses[0])
    assert meter.best_loss == losses[1:].min()
    assert meter.best_densities is not None
    best = meter.best_densities.copy()
    np.testing.assert_array_equal(best, problem.densities(batch[1 + losses[1:].argmin()]))
    batch[:] = 0.0  # the kept densities are a copy
    np.testing.assert_array_equal(meter.best_densities, best)
    assert [event for event, _ in meter.improvements] == [1]


def test_target_ends_the_run_after_recording():
    problem, meter = make(stop_loss=1e-6)
    unit = np.log(problem.truth / 0.3) / np.log(10)
    with pytest.raises(TargetReached):
        meter.loss(problem, unit[None])
    assert meter.rows[-1]["best_loss"] < 1e-6
    assert meter.simulations == 3


def test_wall_limit_and_clocks():
    problem, meter = make(wall_limit_s=0.05)
    with meter.off_the_clock():
        time.sleep(0.06)
    meter.loss(problem, points(1))  # the pause was off the clock
    time.sleep(0.06)
    with pytest.raises(TimeLimit):
        meter.loss(problem, points(1))
    meter.stop()
    stopped = meter.wall_s
    time.sleep(0.01)
    assert meter.wall_s == stopped >= 0.06


def test_compilation_is_kept_apart():
    compiled = [0.0]
    problem, meter = make(compile_clock=lambda: (compiled[0], 0.0))
    time.sleep(0.05)
    compiled[0] = 0.05
    assert meter.compile_s == pytest.approx(0.05)
    assert meter.wall_s < 0.03
    meter.loss(problem, points(1))
    assert meter.rows[0]["wall_s"] < 0.03


def test_a_compilation_that_waits_takes_no_processor_time_from_the_method():
    compiled = [0.0, 0.0]
    problem, meter = make(compile_clock=lambda: tuple(compiled))
    time.sleep(0.05)  # a slow disk
    compiled[0] = 0.05
    begin = time.process_time()
    while time.process_time() - begin < 0.02:
        pass
    meter.loss(problem, points(1))
    assert 0.02 <= meter.rows[0]["cpu_s"] < 0.05
    compiled[1] = 0.02
    assert meter.cpu_s < 0.03


def test_events_are_reported_off_the_clock():
    seen = []

    def slow(meter: Meter) -> None:
        seen.append(meter.simulations)
        time.sleep(0.03)

    problem, meter = make(on_event=slow)
    meter.loss(problem, points(1))
    meter.loss(problem, points(1))
    assert seen == [3, 6]
    assert meter.wall_s < 0.03


def test_bad_input():
    with pytest.raises(ValueError, match="budget_equivalents is 0"):
        Meter(0, 2.5, 3)
    with pytest.raises(ValueError, match="gradient_weight is nan"):
        Meter(10, float("nan"), 3)
    problem, meter = make()
    with pytest.raises(ValueError, match=r"\[candidates, parameters\]"):
        meter.loss(problem, np.zeros(4))
    with pytest.raises(ValueError, match="counts 2 simulations"):
        Meter(10, 1, 2).loss(problem, points(1))


def test_what_another_simulator_judges_counts_alike():
    problem, meter = make(budget=32)
    truth = problem.coordinates.from_density(problem.truth)
    thetas = np.stack([points(1)[0], truth, truth + 0.01])

    def judge(given):
        meter.add_cpu(5.0)
        # it fails at the truth, and holds the last to be best
        return np.array([2.0, np.inf, 1.0])[: len(given)], given

    answer = meter.elsewhere(problem, thetas, judge)
    np.testing.assert_array_equal(answer, thetas)
    assert (meter.simulations, meter.gradients) == (9, 0)
    assert meter.best_loss == problem.loss(thetas[2:])[0]
    np.testing.assert_array_equal(meter.best_densities, problem.densities(thetas[2]))
    assert meter.cpu_s >= 5.0 > meter.wall_s
    # its judgement decides, also where the loss is higher
    meter.elsewhere(problem, points(1), lambda given: (np.array([0.5]), None), gradient=True)
    assert meter.gradients == 3
    assert meter.best_loss == problem.loss(points(1))[0] > meter.rows[0]["best_loss"]
    meter.elsewhere(problem, thetas, lambda given: (np.full(3, 0.7), None))
    assert len(meter.improvements) == 2
    with pytest.raises(BudgetExhausted):
        meter.elsewhere(problem, thetas, judge)
    assert meter.simulations + 2.5 * meter.gradients == 9 + 7.5 + 9 + 6


def test_getting_a_simulator_ready_counts_as_compilation():
    _, meter = make()
    with meter.preparing():
        time.sleep(0.1)
    assert meter.compile_s >= 0.1 > meter.wall_s
    meter.start()
    assert meter.compile_s < 0.1


@pytest.mark.parametrize(
    "changed",
    [
        lambda p: replace(p, target=p.target[:, :9], protocol=replace(p.protocol, n_samples=9)),
        lambda p: replace(p, loss_declared={"kind": "windows", "windows_ms": [[0, 0]]}),
        lambda p: replace(p, protocol=replace(p.protocol, dt_ms=p.protocol.dt_ms / 2)),
        lambda p: replace(p, target=p.target + 1.0),
    ],
    ids=["shorter", "another loss", "finer steps", "another target"],
)
def test_only_the_fit_s_own_problem_is_charged_as_such(changed):
    problem = toy_problem()
    meter = Meter(100, 2.5, problem.n_simulations, problem=problem)
    for view in ("unit", "log", "unit"):
        meter.loss(problem.view(view), problem.view(view).sample_initial(np.random.default_rng(0), 1))
    spent = meter.simulation_equivalents
    other = changed(problem)
    with pytest.raises(ValueError, match=r"asked about another problem's loss.*loss_of_another"):
        meter.loss(other, other.sample_initial(np.random.default_rng(0), 1))
    assert meter.simulation_equivalents == spent
    meter.loss_of_another(problem, other, other.sample_initial(np.random.default_rng(0), 1))
    assert meter.simulation_equivalents > spent
    assert meter.best_loss == problem.loss(problem.sample_initial(np.random.default_rng(0), 1))[0]
