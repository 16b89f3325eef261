"""Every method on problems whose answers are known: a quadratic, and two compartments of the published neuron."""

import random
from typing import Any

import numpy as np
import pytest
from scipy.stats import qmc

from gradevo.fit import fit
from gradevo.meter import BudgetExhausted, Meter, TargetReached
from gradevo.methods import METHODS, OWN, Method, Outcome, get_method
from gradevo.provenance import source_files
from gradevo.result import Status
from tests.fitting import Quadratic, toy_problem

ALL = list(OWN)

# A loss on the quadratic, and one on the neuron, that each method reaches with room to spare.
QUADRATIC = {
    "adam": 1e-6, "lbfgs": 1e-12, "levenberg_marquardt": 1e-12, "cma_lbfgs": 1e-12,
    "lbfgs_fd": 1e-12, "cma_es": 1e-10, "sep_cma_es": 1e-10,
    "bluepyopt_cma": 1e-10, "differential_evolution": 1e-6, "genetic": 1e-3, "ibea": 1e-2, "random_search": 0.1, "sobol": 0.1,
}  # fmt: skip
NEURON = {"genetic": 10, "ibea": 20, "adam": 0.5, "differential_evolution": 5, "random_search": 60, "sobol": 60}
WITHOUT_MEMORY = ("random_search", "sobol")


def drive(name: str, budget: float, seed: int = 0, stop_loss: float | None = None, problem: Any = None, **settings):
    """Run a method by itself on a quadratic; what it returned or raised, the meter, and the problem."""
    method = METHODS[name]
    complete = method.settings(settings)
    problem = (problem or Quadratic()).view(complete.get("view", method.view))
    meter = Meter(budget, 2.5, problem.n_simulations, stop_loss=stop_loss)
    try:
        end = method.run(problem, meter, np.random.default_rng(seed), **complete)
    except (BudgetExhausted, TargetReached) as raised:
        end = raised
    return end, meter, problem


@pytest.mark.parametrize("name", ALL)
def test_finds_the_minimum_of_a_quadratic(name):
    target = QUADRATIC[name]
    end, meter, problem = drive(name, budget=12000, stop_loss=target)
    assert isinstance(end, TargetReached), meter.best_loss
    assert meter.best_densities is not None
    np.testing.assert_allclose(meter.best_densities, problem.truth, rtol=2 * np.sqrt(2 * problem.n_parameters * target))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("budget", [601, 1000.5])
def test_stops_at_its_budget_to_the_letter(name, budget):
    end, meter, problem = drive(name, budget)
    price = problem.n_simulations * (2.5 if METHODS[name].gradient else 1)
    assert isinstance(end, BudgetExhausted)
    assert budget - price < meter.simulation_equivalents <= budget
    assert sum(problem.calls) * problem.n_simulations == meter.simulations + meter.gradients
    assert (meter.gradients + meter.tangents > 0) == METHODS[name].gradient
    assert (meter.simulations > 0) == (not METHODS[name].gradient or name in ("cma_lbfgs", "levenberg_marquardt"))


@pytest.mark.parametrize("name", ALL)
def test_same_seed_same_run(name):
    rows = [drive(name, 900, seed)[1].rows for seed in (4, 4, 5)]
    losses = [[row["loss"] for row in run] for run in rows]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.parametrize("name", ALL)
def test_works_around_divergence(name):
    # nearly half of the box diverges; the minimum does not
    problem = Quadratic(diverge_above=1.6)
    _, meter, _ = drive(name, 12000, problem=problem)
    assert meter.best_loss < {"ibea": 0.02, "random_search": 0.1, "sobol": 0.1}.get(name, 5e-3)


@pytest.mark.parametrize("name", ALL)
def test_all_begin_at_the_same_densities(name, monkeypatch):
    seen = []
    original = Quadratic.objectives

    def spy(self, thetas):
        seen.append(self.densities(thetas))
        return original(self, thetas)

    monkeypatch.setattr(Quadratic, "objectives", spy)
    drive(name, 1000, seed=7)
    expected = Quadratic(view="identity").sample_initial(np.random.default_rng(7), 4)
    if "cma" in name:  # it samples about its start
        assert np.abs(np.log(seen[0] / expected[0])).mean() < 0.2 * np.log(10) * 1.5
    else:
        first = seen[0][:4]  # as many as the method begins from
        np.testing.assert_allclose(first, expected[: len(first)], rtol=1e-9)


def test_lbfgs_batches_its_starts_and_replaces_those_that_end():
    _, meter, problem = drive("lbfgs", 3000, starts=3)
    assert set(problem.calls[:-1]) == {3}
    assert len(meter.rows) == len(problem.calls)
    end, _, problem = drive("lbfgs", 1e6, starts=3, restarts=2)
    assert end == Outcome(Status.stagnated, "5 searches ended in minima above the target")
    assert problem.calls[0] == 3


def test_methods_that_end_by_themselves_say_so():
    for name, settings in (
        ("adam", {"steps": 5}),
        ("genetic", {"generations": 3, "population": 8}),
        ("ibea", {"generations": 3, "population": 8}),
        ("cma_es", {"restarts": 0}),
        ("sep_cma_es", {"restarts": 1}),
        ("bluepyopt_cma", {"restarts": 1}),
        ("cma_lbfgs", {"restarts": 1}),
        ("lbfgs_fd", {"restarts": 1, "starts": 2}),
        ("levenberg_marquardt", {"restarts": 1, "tolerance": 1e-3}),
        ("differential_evolution", {"restarts": 1, "population": 8, "tolerance": 1e-6}),
    ):
        end, meter, _ = drive(name, 1e6, **settings)
        assert isinstance(end, Outcome), name
        assert end.status == Status.stagnated
        if "restarts" not in settings:
            assert len(meter.rows) == settings.get("steps", settings.get("generations"))


@pytest.mark.parametrize(("difference", "probes"), [("forward", 4), ("central", 8)])
def test_finite_differences_are_paid_for_as_simulations(difference, probes):
    _, meter, problem = drive("lbfgs_fd", 2000, starts=2, difference=difference)
    assert set(problem.calls[:-1]) == {2 * (1 + probes)}  # the points and their neighbours, as one batch
    assert meter.gradients == 0
    assert meter.simulations == sum(problem.calls) * problem.n_simulations


@pytest.mark.parametrize("view", ["log", "logit", "unit"])
@pytest.mark.parametrize(("difference", "step", "tolerance"), [("forward", 1e-6, 1e-4), ("central", 1e-4, 1e-6)])
def test_finite_differences_are_gradients(view, difference, step, tolerance, monkeypatch):
    given = {}

    def capture(name, problem, evaluate, rng, **_):
        # one point inside the box and one in its corner, where no neighbour may lie outside
        inside = problem.sample_initial(rng, 2)
        if view != "logit":
            inside[1] = problem.coordinates.bounds[1]
        given["points"], given["answer"] = inside, evaluate(inside)
        return Outcome(Status.stagnated, "")

    monkeypatch.setattr("gradevo.methods.lbfgs_fd.search_from_many_starts", capture)
    _, _, problem = drive("lbfgs_fd", 1e6, difference=difference, step=step, view=view)
    losses, gradients = problem.loss_and_gradient(given["points"])
    np.testing.assert_allclose(given["answer"][0], losses)
    np.testing.assert_allclose(given["answer"][1][0], gradients[0], rtol=tolerance, atol=tolerance)
    # where the box ends, a central difference is one-sided
    np.testing.assert_allclose(given["answer"][1][1], gradients[1], rtol=max(tolerance, 10 * step))


def test_differences_and_gradients_take_the_same_path():
    ends = [drive(name, 1e6, seed=3, starts=1, restarts=0)[1] for name in ("lbfgs", "lbfgs_fd")]
    # a gradient against one simulation and one more for each of four parameters, under three stimuli
    exact, differences = (meter.rows for meter in ends)
    for one, other in zip(exact[:4], differences[:4], strict=True):
        assert other["simulations"] == 5 * one["gradients"]
        assert other["best_loss"] == pytest.approx(one["best_loss"], rel=1e-2)


def test_the_hybrid_keeps_its_share_and_hands_over_the_best(monkeypatch):
    handed = []
    original = Quadratic.loss_and_gradient

    def spy(self, thetas):
        handed.append(self.densities(thetas)[0])
        return original(self, thetas)

    monkeypatch.setattr(Quadratic, "loss_and_gradient", spy)
    _, meter, problem = drive("cma_lbfgs", 3000, share=0.2, patience=1000)
    exploring = [row for row in meter.rows if row["gradients"] == 0]
    price = 8 * problem.n_simulations  # a generation of 4 + 3 ln(4) candidates
    assert 600 <= exploring[-1]["simulations"] < 600 + price
    assert problem.view("identity").loss(handed[0][None]) == pytest.approx(exploring[-1]["best_loss"])


def test_the_hybrid_hands_over_when_exploring_stands_still():
    _, impatient, _ = drive("cma_lbfgs", 3000, share=0.9, patience=1)
    _, patient, _ = drive("cma_lbfgs", 3000, share=0.9, patience=30)
    first = [next(row["simulations"] for row in meter.rows if row["gradients"]) for meter in (impatient, patient)]
    assert first[0] < first[1]


def test_a_diagonal_covariance_misses_what_a_full_one_learns():
    # densities that trade against each other: the valley lies across the axes of the box
    class Valley(Quadratic):
        def view(self, name):
            return Valley(self.n_parameters, self.n_simulations, name)

        def objectives(self, thetas):
            self.calls.append(len(thetas))
            error = np.log(self.densities(thetas) / self.truth)
            terms = 1e4 * error.sum(axis=1) ** 2 + (error**2).sum(axis=1)
            return np.repeat(terms[:, None], self.n_simulations, axis=1)

    full, diagonal = (drive(name, 6000, problem=Valley(), restarts=0)[1].best_loss for name in ("cma_es", "sep_cma_es"))
    assert full < 1e-9
    assert diagonal > 100 * full


def drawn_by(name: str, monkeypatch: pytest.MonkeyPatch, **settings) -> np.ndarray:
    """The points [K, P] of the unit box that a method without memory draws after its starting points."""
    seen = []
    original = Quadratic.loss

    def spy(self, thetas):
        seen.append(thetas)
        return original(self, thetas)

    with monkeypatch.context() as patched:
        patched.setattr(Quadratic, "loss", spy)
        drive(name, 64 * 3 * 5, **settings)
    return np.concatenate(seen[1:])


def test_sobol_points_are_spread_more_evenly_than_random_ones(monkeypatch):
    even, random = (qmc.discrepancy(drawn_by(name, monkeypatch)) for name in ("sobol", "random_search"))
    assert even < 0.2 * random


@pytest.mark.parametrize("name", WITHOUT_MEMORY)
def test_a_margin_keeps_points_off_the_boxs_ends(name, monkeypatch):
    points = drawn_by(name, monkeypatch, margin=0.3)
    assert points.min() >= 0.3
    assert points.max() <= 0.7
    assert np.ptp(points) > 0.39


def test_libraries_global_generators_are_put_back():
    for name in ("bluepyopt_cma", "ibea", "genetic"):
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        drive(name, 300)
        after = random.random(), np.random.random()  # noqa: NPY002
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        assert after == (random.random(), np.random.random())  # noqa: NPY002


def test_elitism_never_loses_the_best():
    _, meter, problem = drive("genetic", 3000, population=10, elite=2)
    assert problem.calls[0] == 10
    assert set(problem.calls[1:-1]) == {8}
    assert meter.best_loss == min(row["loss"] for row in meter.rows)


def test_the_published_adam_takes_raw_steps():
    settings = METHODS["adam"].settings({"preset": "published"})
    assert (settings["starts"], settings["steps"], settings["view"]) == (1, 200, "identity")
    problem = Quadratic(view="identity")
    _, meter, _ = drive("adam", 1e6, problem=problem, preset="published", steps=2)
    # Adam's first step moves every coordinate by the learning rate: 0.5 mS/cm2
    assert meter.gradients == 2 * 3


@pytest.mark.parametrize("name", ALL)
def test_recovers_the_densities_of_a_neuron(name):
    problem = toy_problem()
    result = fit(problem, name, seed=1, budget_equivalents=6000, gradient_weight=2.5, stop_loss=1e-3)
    errors = problem.density_errors(result.best_densities)
    if name not in NEURON:
        assert result.status == Status.converged, result.message
        assert errors["density_error_max_rel"] < 0.01
    elif name not in WITHOUT_MEMORY:
        assert errors["density_error_median_rel"] < 0.1, result.best_loss
    assert result.best_loss <= NEURON.get(name, 1e-3)
    assert np.isfinite(result.totals["heldout_loss"])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adam", {"learningrate": 1}, "unknown setting of adam 'learningrate'; did you mean 'learning_rate'"),
        ("adam", {"preset": "publised"}, "unknown preset of adam 'publised'; did you mean 'published'"),
        ("lbfgs", {"popsize": 4}, "known: starts, memory, tolerance"),
    ],
)
def test_unknown_settings_are_named(name, settings, message):
    with pytest.raises(ValueError, match=message):
        METHODS[name].settings(settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adam", {"starts": 0}),
        ("adam", {"schedule": "linear"}),
        ("lbfgs", {"memory": 0}),
        ("cma_es", {"sigma": 0.0}),
        ("genetic", {"elite": 64}),
        ("genetic", {"mutation_probability": 2.0}),
        ("ibea", {"population": 1}),
        ("sep_cma_es", {"growth": 0.5}),
        ("bluepyopt_cma", {"sigma": -1}),
        ("differential_evolution", {"population": 4}),
        ("differential_evolution", {"mutation": [0.5, 2.5]}),
        ("lbfgs_fd", {"difference": "backward"}),
        ("lbfgs_fd", {"step": 0.0}),
        ("lbfgs_fd", {"starts": 0}),
        ("cma_lbfgs", {"share": 1.0}),
        ("cma_lbfgs", {"memory": 0}),
        ("random_search", {"margin": 0.5}),
        ("sobol", {"batch": 48}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(ValueError, match=f"{name}: .*{next(iter(settings))}"):
        drive(name, 100, **settings)


def test_unknown_method_is_named():
    with pytest.raises(ValueError, match="unknown method 'cmaes'; did you mean 'cma_es'"):
        get_method("cmaes")


def test_a_methods_sources_are_its_own_file_and_what_it_shares():
    def names(name):
        simulation = set(source_files())
        return {path.name for path in source_files(METHODS[name].module) if path not in simulation}

    assert names("adam") == {"adam.py"}
    assert names("genetic") == {"genetic.py", "randomness.py"}
    assert names("sep_cma_es") == {"sep_cma_es.py", "cma_es.py"}
    assert names("cma_lbfgs") == {"cma_lbfgs.py", "cma_es.py", "searches.py"}
    neuron = {"bluepyopt_neuron.py", "neuron_cell.py", "neuron_scores.py", "squares.py", "randomness.py", "export.py"}
    nmodl = {"__init__.py", "expressions.py", "library.py", "text.py"}
    assert names("bluepyopt_neuron_mse") == {"bluepyopt_neuron_mse.py"} | neuron | nmodl


def test_the_registry_is_complete():
    for name, method in METHODS.items():
        assert isinstance(method, Method)
        assert method.name == name
        assert method.run.__module__ == method.module


def test_adam_takes_the_steps_of_torchs_optimiser():
    torch = pytest.importorskip("torch")
    problem = Quadratic(view="log")
    settings = METHODS["adam"].settings({"starts": 2, "learning_rate": 0.1, "steps": 30, "schedule": "constant"})
    meter = Meter(1e6, 2.5, problem.n_simulations)
    METHODS["adam"].run(problem, meter, np.random.default_rng(0), **settings)
    variables = torch.tensor(problem.sample_initial(np.random.default_rng(0), 2), requires_grad=True)
    optimiser = torch.optim.Adam([variables], lr=0.1)
    for row in meter.rows:
        losses, gradients = problem.loss_and_gradient(variables.detach().numpy())
        assert row["loss"] == pytest.approx(losses.min(), rel=1e-12)
        variables.grad = torch.from_numpy(gradients)
        optimiser.step()
    assert len(meter.rows) == 30


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("lbfgs", {"starts": "four"}, "lbfgs: starts is 'four'; it must be a whole number, such as 4"),
        ("lbfgs", {"memory": 2.5}, "memory is 2.5; it must be a whole number"),
        ("ibea", {"population": 2.5}, "population is 2.5; it must be a whole number"),
        ("adam", {"learning_rate": "1e-3"}, "learning_rate is '1e-3'; it must be a number, .*write 1.0e-3 and not 1e-3"),
        ("adam", {"view": 3}, "view is 3; it must be a name"),
    ],
)
def test_settings_of_another_kind_are_refused_before_anything_runs(name, setting, said):
    with pytest.raises(ValueError, match=said):
        get_method(name).settings(setting)


@pytest.mark.parametrize(
    ("name", "setting"), [("adam", {"learning_rate": 1}), ("lbfgs", {"restarts": None}), ("lbfgs", {"restarts": 3})]
)
def test_settings_of_the_declared_kinds_are_taken(name, setting):
    assert setting.items() <= get_method(name).settings(setting).items()
