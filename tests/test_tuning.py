"""Tuning gives every method the same effort, ranks by what counts, and is read back as a preset."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gradevo.config import load_config
from gradevo.fit import fit
from gradevo.methods import METHODS, OWN, get_method, method
from gradevo.tuning import check_untouched, rank_settings, settings_to_try, try_settings, tuned_text
from tests.fitting import toy_config, toy_problem
from tests.test_methods import drive

ROOT = Path(__file__).parents[1]
TUNING = load_config(ROOT / "config/tuning.yaml")
NO_STUDIES = ("tuning", "tuned", "jones2024")  # jones2024 draws the published neurons, by rules of its own
STUDIES = sorted(path.name for path in (ROOT / "config").glob("*.yaml") if path.stem not in NO_STUDIES)


def trials(rows: list[tuple[int, str, float, float]]) -> pd.DataFrame:
    """Of (setting, problem, best loss, cost)."""
    table = pd.DataFrame(rows, columns=["setting", "problem", "best_loss", "simulation_equivalents"])
    return table.assign(method="lbfgs", seed=0, settings=[json.dumps({"starts": 1 + i}) for i in table["setting"]])


def test_every_method_is_tuned_with_equal_effort():
    assert set(TUNING["methods"]) == set(OWN), "competitors run as their users run them"
    for name in OWN:
        tried = settings_to_try(get_method(name), TUNING["tuning"]["settings"], TUNING["tuning"]["seed"])
        assert len(tried) == TUNING["tuning"]["settings"]
        assert all(one != other for i, one in enumerate(tried) for other in tried[:i])
        assert all(METHODS[name].defaults[key] == value for key, value in tried[0].items())
        assert all(settings[key] in METHODS[name].space[key] for settings in tried[1:] for key in settings)


def test_settings_are_drawn_from_the_seed():
    one, same, other = (settings_to_try(get_method("genetic"), 6, seed) for seed in (1, 1, 2))
    assert one == same
    assert one[0] == other[0]
    assert one[1:] != other[1:]


def test_a_space_that_is_too_small_is_named():
    with pytest.raises(ValueError, match="sobol has 8 settings, fewer than the 9"):
        settings_to_try(get_method("sobol"), 9, 1)


@pytest.mark.parametrize("name", OWN)
def test_every_value_in_a_space_is_one_that_the_method_takes(name):
    for key, values in METHODS[name].space.items():
        assert METHODS[name].defaults[key] in values
        for value in values:
            drive(name, 60, **{key: value})


def test_the_loss_ranks_first_and_the_cost_decides_between_equals():
    table = rank_settings(
        trials([
            (0, "a", 1e-2, 10), (1, "a", 1e-5, 500), (2, "a", 1e-9, 400), (3, "a", np.inf, 5),
            (0, "b", 1e-7, 300), (1, "b", 1e-8, 200), (2, "b", 1e-3, 100), (3, "b", 1.0, 900),
        ]),
        stop_loss=1e-6,
    ).set_index("setting")  # fmt: skip
    # in a: 2, 1, 0, 3. In b settings 0 and 1 both stopped, 1 sooner: 1, 0, 2, 3
    assert table["mean_rank"].to_dict() == {1: 1.5, 2: 2.0, 0: 2.5, 3: 4.0}
    assert table["tuned"].to_dict() == {1: True, 2: False, 0: False, 3: False}
    assert table.loc[2, "reached"] == 0.5
    assert table.loc[1, "mean_loss"] == pytest.approx(np.sqrt(1e-5 * 1e-6))


def test_defaults_stay_unless_they_are_beaten():
    table = rank_settings(trials([(1, "a", 1e-9, 100), (0, "a", 1e-9, 100)]), stop_loss=1e-6)
    assert table.loc[table["tuned"], "setting"].tolist() == [0]


def test_from_trials_to_a_preset(tmp_path, monkeypatch):
    config = toy_config() | {"tuning": {"settings": 3, "seed": 4}, "budget_equivalents": 400, "seeds": [0, 1]}
    table = try_settings(config, "toy", "lbfgs")
    assert len(table) == 3 * 2
    assert table["simulation_equivalents"].between(0, 400).all()
    ranked = rank_settings(table, config["stop_loss"])
    path = tmp_path / "tuned.yaml"
    path.write_text(tuned_text(ranked, config))
    monkeypatch.setattr(method, "TUNED", path)

    best = json.loads(str(ranked.loc[ranked["tuned"], "settings"].iloc[0]))
    assert get_method("lbfgs").settings({"preset": "tuned"}) == dict(METHODS["lbfgs"].defaults) | best
    assert get_method("lbfgs").settings({"preset": "tuned", "starts": 7})["starts"] == 7
    with pytest.raises(ValueError, match=r"holds no settings of adam; leave preset out .* config/tuning.yaml -- tuning"):
        get_method("adam").settings({"preset": "tuned"})

    limits = {"seed": 0, "budget_equivalents": 100, "gradient_weight": 2.5}
    result = fit(toy_problem(), "lbfgs", settings={"preset": "tuned"}, **limits)
    assert result.metadata["preset"] == "tuned"
    assert result.metadata["settings"] == dict(METHODS["lbfgs"].defaults) | best


@pytest.mark.parametrize("name", STUDIES)
def test_no_study_uses_a_tuning_neuron(name):
    study = load_config(ROOT / "config" / name)
    assert not [one for one in study["neurons"].values() if one in TUNING["neurons"].values()]


def test_a_tuned_study_on_a_tuning_neuron_is_refused():
    name, neuron = next(iter(TUNING["neurons"].items()))
    study = toy_config() | {"neurons": {"mine": neuron}}
    check_untouched(study, TUNING)
    with pytest.raises(ValueError, match=f"neurons.mine is the tuning neuron '{name}'"):
        check_untouched(study | {"methods": {"adam": {"preset": "tuned"}}}, TUNING)


def test_committed_outcome_fits_the_methods():
    path = ROOT / "config/tuned.yaml"
    if not path.is_file():
        pytest.skip("config/tuned.yaml is not there; `snakemake --cores all tuning` writes it")
    tuned = yaml.safe_load(path.read_text())
    for name, settings in tuned.items():
        assert get_method(name).settings({"preset": "tuned"}) == dict(METHODS[name].defaults) | settings
