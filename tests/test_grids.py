"""Entries with a grid are written out; a neuron per seed makes seeds neurons."""

from contextlib import nullcontext

import numpy as np
import pytest

from gradevo.config import check_config, load_config
from gradevo.fit_job import run_seeds
from gradevo.grids import expanded
from gradevo.protocol import resolve_sites
from gradevo.result import read_result
from gradevo.study import make_neuron, make_problem, make_problems, make_targets, neuron_arrays, read_arrays, write_arrays
from gradevo.tuning import check_untouched
from tests.fitting import toy_config
from tests.workflow.running import ROOT

TUNING = load_config(ROOT / "config/tuning.yaml")


def grid_config(**grid) -> dict:
    return toy_config(grid=grid)


def test_a_grid_is_every_combination_by_name():
    config = check_config(grid_config(recorded={"both": "all", "one": [0]}, noise_mV={"quiet": 0, "noisy": 0.5}))
    assert list(config["problems"]) == ["toy_both_quiet", "toy_both_noisy", "toy_one_quiet", "toy_one_noisy"]
    assert config["problems"]["toy_one_noisy"]["recorded"] == [0]
    assert config["problems"]["toy_one_noisy"]["noise_mV"] == 0.5
    assert config["problems"]["toy_both_quiet"]["dt_ms"] == 0.01, "all else is shared"
    assert expanded(config) == config, "the workflow's jobs check again what has been checked"


def test_a_grid_over_regions_of_neurons_is_the_dial():
    config = toy_config(grid={"neuron": ["two_regions1", "two_regions2"]})
    config["neurons"]["two"]["grid"] = {"regions": [1, 2]}
    config = check_config(config)
    assert list(config["neurons"]) == ["two_regions1", "two_regions2"]
    assert [make_problem(config, name).n_parameters for name in ("toy_two_regions1", "toy_two_regions2")] == [2, 4]


def test_null_leaves_a_key_out():
    config = check_config(grid_config(start_factor={"anywhere": None, "near": 1.5}))
    assert "start_factor" not in config["problems"]["toy_anywhere"]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"noise_mV": [0, 0.5]}, "no part of a name"),
        ({"noise_mV": 0.5}, "give its values"),
        ({"nois_mV": {"a": 1}}, "unknown key 'nois_mV' in problems.toy_a"),
        ({"recorded": {"a b": "all"}}, "toy_a b"),
        ({}, "give the keys that vary"),
    ],
)
def test_a_grid_that_is_none_is_refused(grid, said):
    with pytest.raises(ValueError, match=said):
        check_config(toy_config(grid=grid))


def test_two_entries_of_one_name_are_refused():
    config = grid_config(noise_mV={"quiet": 0})
    config["problems"]["toy_quiet"] = toy_config()["problems"]["toy"]
    with pytest.raises(ValueError, match="makes a second 'toy_quiet'"):
        check_config(config)


def test_what_is_for_the_full_scale_waits_for_it():
    config = toy_config()
    config["neurons"]["large"] = config["neurons"]["two"]
    config["problems"]["many"] = config["problems"]["toy"] | {"neuron": "large", "scale": "full"}
    small, full = check_config(config), check_config(config | {"scale": "full"})
    assert (list(small["problems"]), list(small["neurons"])) == (["toy"], ["two"])
    assert (list(full["problems"]), list(full["neurons"])) == (["toy", "many"], ["two", "large"])
    # tables of either can be merged: what was left out is no difference in what is there
    assert small["problems"]["toy"] == full["problems"]["toy"]
    with pytest.raises(ValueError, match="scale is 'huge'"):
        check_config(config | {"scale": "huge"})


def test_sites_spread_over_all_compartments():
    assert resolve_sites({"spread": 1}, 61) == (0,)
    assert resolve_sites({"spread": 3}, 61) == (0, 30, 60)
    assert resolve_sites({"spread": 61}, 61) == tuple(range(61))
    assert len(resolve_sites({"spread": 92}, 184)) == 92
    with pytest.raises(ValueError, match="62 cannot be spread"):
        resolve_sites({"spread": 62}, 61)


def per_seed(**problem) -> dict:
    return check_config(toy_config(noise_mV=0.5, **problem) | {"neuron_per_seed": True, "seeds": [0, 1, 2]})


def test_each_seed_has_its_own_densities_and_noise_on_the_same_neuron():
    config = per_seed()
    problems = make_problems(config, "toy")
    assert len({np.asarray(problem.truth).tobytes() for problem in problems.values()}) == 3
    noise = []
    for seed, problem in problems.items():
        assert problem.truth is not None
        np.testing.assert_array_equal(problem.truth, make_problem(config, "toy", seed=seed).truth)
        assert problem.loss_of_densities(problem.truth[None])[0] == pytest.approx(0.25, rel=0.2), "the noise alone"
        clean = make_problem(config | {"problems": {"toy": config["problems"]["toy"] | {"noise_mV": 0}}}, "toy", seed=seed)
        noise.append(problem.target - clean.target)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.2
    shape, currents = problems[0].neuron.morphology, problems[0].protocol.stimulus
    np.testing.assert_array_equal(problems[2].neuron.morphology.areas_um2, shape.areas_um2)
    np.testing.assert_array_equal(problems[2].protocol.stimulus.values_nA, currents.values_nA)


def test_stored_targets_give_each_seed_its_own(tmp_path):
    config = per_seed()
    write_arrays(tmp_path / "toy.npz", make_targets(config, "toy"))
    stored = read_arrays(tmp_path / "toy.npz")
    for seed, problem in make_problems(config, "toy", tmp_path / "toy.npz").items():
        again = make_problem(config, "toy", seed=seed)
        np.testing.assert_array_equal(problem.target, again.target)
        assert problem.heldout is not None
        assert again.heldout is not None
        np.testing.assert_array_equal(problem.heldout[1], again.heldout[1])
    np.testing.assert_array_equal(stored["target_mV"], stored["target_mV_seed0"])
    np.testing.assert_array_equal(neuron_arrays(config, "two")["densities_S_cm2"], stored["true_densities_S_cm2"])
    with pytest.raises(ValueError, match="make them anew"):
        make_problem(config | {"seeds": [0, 5]}, "toy", tmp_path / "toy.npz", seed=5)


@pytest.mark.parametrize(("apart", "refused"), [(1e-15, False), (1e-6, True)], ids=["rounding", "another neuron"])
def test_targets_of_other_densities_are_refused(tmp_path, apart, refused):
    config = toy_config()
    arrays = make_targets(config, "toy")
    arrays["true_densities_S_cm2"] = arrays["true_densities_S_cm2"] * (1 + apart)
    write_arrays(tmp_path / "toy.npz", arrays)
    with pytest.raises(ValueError, match="belong to other densities") if refused else nullcontext():
        make_problem(config, "toy", tmp_path / "toy.npz")


def test_a_job_fits_every_seeds_own_neuron(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = per_seed() | {"budget_equivalents": 400}
    write_arrays("toy.npz", make_targets(config, "toy"))
    files = {seed: (f"{seed}.parquet", f"{seed}.json") for seed in (0, 2)}
    run_seeds(config, "toy", "lbfgs", "toy.npz", files)
    problems = make_problems(config, "toy")
    for seed, paths in files.items():
        result = read_result(*paths)
        problem = problems[seed]
        assert result.totals["seed"] == seed
        assert problem.loss_of_densities(result.best_densities[None])[0] == pytest.approx(result.best_loss, rel=1e-9)


def test_neurons_drawn_per_seed_are_no_tuning_neurons():
    """Even from the very declaration of one, whatever the seed; and that declaration is refused anyhow."""
    for name, declared in TUNING["neurons"].items():
        _, tuned_on = make_neuron(TUNING, name)
        study = toy_config() | {"neurons": {"mine": declared}, "neuron_per_seed": True}
        for seed in range(20):
            neuron, drawn = make_neuron(study, "mine", seed)
            assert not (drawn == tuned_on)[list(neuron.channels.free_indices)].any()
        tuned = study | {"methods": {"adam": {"preset": "tuned"}}}
        with pytest.raises(ValueError, match="is the tuning neuron"):
            check_untouched(tuned | {"neurons": {"mine": declared | {"regions": 2}}}, TUNING)
