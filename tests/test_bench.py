"""The benchmark: that its contestants simulate one model, that timings are what they say, and that sizes are chosen well."""

import json
from contextlib import ExitStack, nullcontext

import numpy as np
import pytest

from gradevo.bench import extras, rounds
from gradevo.bench.cells import HEADLINE, Rates, effective_work, sizes
from gradevo.bench.client import Worker, WorkerEnded
from gradevo.bench.contestants import Contestant, Disagreement, Running, check_agreement, checked
from gradevo.bench.gradevo_runner import Gradevo
from gradevo.bench.model import DT_MS, Case, tree
from gradevo.bench.over_sizes import over_sizes, said
from gradevo.bench.run import peer_versions, run_bench
from gradevo.bench.timing import alternate
from gradevo.figures.bench import bench_figure

SMALL = Case(6, 3, 200, 12)
HEADLINE_OF_ONE = Case(184, 1, 200, 368)
OURS = Contestant("gradevo", "float64", 2)
NEURON = Contestant("neuron", "float64", 1)
JAXLEY = Contestant("jaxley", "float64", 2)


def test_the_tree_attaches_everything_to_ends():
    m = tree(184)
    assert m.n_compartments == 184
    assert all(cable.parent_x == 1.0 for cable in m.cables)
    assert np.bincount(m.parents[m.parents >= 0]).max() >= 3, "several stems at the soma"
    # a tree: an edge less than nodes
    assert len(m.edges) == m.n_nodes - 1


def test_cases_spike_and_currents_change_on_steps():
    running = Gradevo("float64", 1)
    running.prepare(HEADLINE_OF_ONE)
    voltages = running.forward()
    assert voltages.shape == (1, 51, 184)
    assert voltages[:, :, 0].max() > 0.0
    changes = HEADLINE_OF_ONE.stimulus.edges_ms / DT_MS
    assert np.abs(changes - np.rint(changes)).max() < 1e-9
    assert HEADLINE_OF_ONE.step_currents_nA.shape == (1, 11, 200)


@pytest.mark.parametrize("densities", [2, 12])
def test_the_gradient_is_a_difference(densities):
    case = Case(6, 3, 200, densities)
    running = Gradevo("float64", 1)
    running.prepare(case)
    gradient = running.gradient()
    assert gradient.shape == (densities,)
    values, along = case.values.copy(), np.zeros(densities)
    along[-1] = 1e-6 * values[-1]

    def loss(at: np.ndarray) -> float:
        vars(case)["values"] = at  # where the cached property is kept
        return float(((running.forward() - case.target()) ** 2).mean())

    difference = (loss(values + along) - loss(values - along)) / (2 * along[-1])
    assert gradient[-1] == pytest.approx(difference, rel=1e-5)


def test_cases_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="take 2, or 2 per compartment: 12"):
        Case(6, 1, 200, 5)
    with pytest.raises(ValueError, match="take a multiple"):
        Case(6, 1, 210, 12)


def test_turns():
    order = []

    def run(name: str, seconds: float) -> float:
        order.append(name)
        return seconds + len(order)

    found = alternate({"a": lambda: run("a", 0.0), "b": lambda: run("b", 10.0)}, rounds=3)
    assert order == ["a", "b"] * 4
    assert found["a"] == (3.0, 5.0, 7.0, 3), "the first round is not measured"
    assert found["b"] == (14.0, 16.0, 18.0, 3)


def test_sizes_cover_what_was_asked_for():
    every = list(sizes())
    assert len({*every, HEADLINE}) == len(every) + 1 == 48
    assert {case.compartments for case in every} == {6, 24, 184, 868}
    assert [case.work for case in every] == sorted(case.work for case in every)


def rates() -> Rates:
    """As if everything took 1 us per compartment-step, and 1 kB."""
    found = Rates()
    for contestant in rounds.field(2, quick=False):
        work = effective_work(HEADLINE, contestant)
        seconds = dict.fromkeys(rounds.passes(contestant), 1e-06 * work)
        found.learn(HEADLINE, contestant, seconds, 1000 * work, 10.0)
    return found


def test_sizes_that_do_not_fit_say_why(monkeypatch):
    monkeypatch.setattr(rounds, "physical_memory_bytes", lambda: 16 * 2**30)
    fits, long, large = Case(6, 96, 200, 12), Case(184, 96, 4000, 368), Case(868, 1000, 200, 1736)
    never = float("inf")
    assert rounds.why_not(fits, OURS, 2, rates(), False, never) is None
    assert "s; --full runs it" in (rounds.why_not(long, OURS, 2, rates(), False, never) or "")
    assert "20 GB" in (rounds.why_not(large, JAXLEY, 2, rates(), True, never) or "")
    assert rounds.why_not(fits, OURS, 2, rates(), False, 0.0) == "the time was up; --full runs it"
    assert rounds.why_not(Case(6, 96, 200, 2), NEURON, 2, rates(), False, never) == rounds.FULL_ONLY


def test_disagreement_is_refused():
    assert checked(1e-9, "neuron", SMALL) == 1e-9
    for bad in (1e-3, float("nan")):
        with pytest.raises(Disagreement, match="do not simulate the same model"):
            checked(bad, "neuron", SMALL)


def test_neuron_and_a_process_that_ends():
    pytest.importorskip("neuron", reason="NEURON is not installed")
    with ExitStack() as stack:
        both = {c: Running(stack, c) for c in (OURS, NEURON)}
        for running in both.values():
            running.prepare(SMALL)
        found = check_agreement(SMALL, both[OURS], both[NEURON], None)
        assert found["max_abs_dv_neuron_mV"] < 1e-8
        series = rounds.series_of(both)
        assert set(series) == {(OURS, "forward"), (OURS, "gradient"), (NEURON, "forward")}
        assert all(timing.min_s > 0 for timing in alternate(series, 1).values())
        # two processes share the simulations
        pair = Running(stack, Contestant("neuron", "float64", 2))
        pair.prepare(SMALL)
        assert pair.seconds("forward") > 0
        worker = stack.enter_context(Worker("neuron"))
        with pytest.raises(WorkerEnded, match="this comparison is with NEURON's own hh"):
            worker.prepare(Case(6, 3, 200, 12, channels="jones2024"))


def test_without_jaxley_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr("gradevo.bench.run.LIBRARIES", ("jaxley_that_is_not_there",))
    with pytest.raises(ValueError, match="make bench"):
        peer_versions()


def test_a_whole_quick_run(tmp_path):
    pytest.importorskip("jaxley", reason="Jaxley is not installed: make bench installs it")
    run_bench("quick", tmp_path, headline=SMALL, say=lambda _: None)
    found = json.loads((tmp_path / "bench.json").read_text())
    headline = found["headline"]
    assert headline["max_abs_dv_jaxley_mV"] < 1e-8
    assert headline["max_abs_dv_neuron_mV"] < 1e-8
    assert headline["gradient_rel_diff_jaxley"] < 1e-9
    for name in ("gradevo_forward_s", "gradevo_gradient_s", "jaxley_forward_s", "jaxley_gradient_s", "neuron_forward_s"):
        assert headline[name] > 0
    assert found["published_channels"]["gradevo_gradient_s"] > found["published_channels"]["gradevo_forward_s"] > 0
    assert {one["simulator"] for one in found["timings"]} == {"gradevo", "jaxley", "neuron"}


def test_what_a_second_core_is_worth(monkeypatch):
    """Of workers of known speed: two threads take 0.6 of the time of one; one beside another takes 1.25 times as long."""
    asked: set[object] = set()

    class Known(nullcontext):
        def __init__(self, threads: int) -> None:
            super().__init__(self)
            self.alone_s = 0.6 if threads == 2 else 1.0

        def prepare(self, case: Case) -> None:
            assert case is SMALL

        def seconds(self, do: str) -> float:
            return self.alone_s

        def send(self, do: str) -> None:
            asked.add(self)

        def receive(self) -> dict[str, float]:
            assert len(asked) == 2, "an answer is waited for before both are at work"
            return {"seconds": 1.25 * self.alone_s}

    monkeypatch.setattr(extras, "gradevo", Known)
    found = extras.second_core(SMALL, rounds=1)
    assert found["two_threads_per_one"] == pytest.approx(dict.fromkeys(extras.PASSES, 1 / 0.6))
    assert found["two_processes_per_one"] == pytest.approx(dict.fromkeys(extras.PASSES, 1.6))


def test_a_second_core_is_measured():
    found = extras.second_core(SMALL, rounds=1)
    assert {f"{what}{how}" for what in extras.PASSES for how in ("", "_threads", "_processes")} == set(found["timings"])
    assert all(timing["min_s"] > 0 for timing in found["timings"].values())


def test_what_all_sizes_say_of_a_gradient():
    def rows(simulations: int, densities: int, forward_s: float, gradient_s: float, fastest: float = 0.5) -> list[dict]:
        case = Case(6, simulations, 200, densities)
        return [
            rounds.row(case, OURS, what) | {"min_s": fastest * seconds, "median_s": seconds, "max_s": seconds, "runs": 3}
            for what, seconds in (("forward", forward_s), ("gradient", gradient_s))
        ]

    others = [row | {"simulator": "jaxley"} for row in rows(1, 12, 1.0, 9.0)]
    skipped = [rounds.row(Case(6, 1000, 200, 12), OURS, what) | {"skipped": "too long"} for what in ("forward", "gradient")]
    timings = [*rows(1, 12, 1.0, 2.0), *others, *skipped, *rows(1, 2, 1.0, 2.5), *rows(96, 12, 2.0, 6.0)]
    found = over_sizes(timings)
    ratio = found["gradient_per_forward"]["median"]
    assert (ratio["cells"], ratio["min"], ratio["median"], ratio["max"]) == (3, 2.0, 2.5, 3.0)
    assert ratio["max_at"]["simulations"] == 96
    few = found["few_per_many_densities"]["median"]
    assert (few["cells"], few["max"], few["max_at"]["densities"]) == (1, 1.25, 2)
    slower_once = over_sizes([*rows(1, 12, 1.0, 2.0), *(row | {"median_s": 7.0} for row in rows(1, 2, 1.0, 2.0))])
    assert slower_once["few_per_many_densities"]["min"]["max"] == 1.0
    assert over_sizes(others)["gradient_per_forward"]["median"] is None
    (line,) = said(found)
    assert "2 to 3, median 2.5, over 3 cells (most with 6 compartments x 96 simulations" in line


def test_the_figure_has_a_panel_of_sizes_only_where_there_are_some():
    def row(simulator: str, what: str, simulations: int, seconds: float) -> dict:
        case = Case(6, simulations, 200, 12)
        timing = {"min_s": 0.9 * seconds, "median_s": seconds, "max_s": 2 * seconds, "runs": 3}
        return rounds.row(case, Contestant(simulator, "float64", 2), what) | timing

    headline = [row("gradevo", "gradient", 3, 0.01), row("jaxley", "gradient", 3, 0.2), row("neuron", "forward", 3, 0.1)]
    case = {"compartments": 6, "simulations": 3, "steps": 200, "densities": 12}
    skipped = rounds.row(SMALL, JAXLEY, "gradient") | {"simulations": 1000, "skipped": "too long"}
    found = {"headline_case": case, "timings": [*headline, skipped]}
    assert len(bench_figure(found).axes) == 1
    more = {**found, "timings": [*headline, row("gradevo", "gradient", 30, 0.1), skipped]}
    assert len(bench_figure(more).axes) == 2
