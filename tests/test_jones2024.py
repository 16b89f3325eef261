"""The published tables, again: what was published, what is drawn, and one condition from currents to a row."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gradevo.figures.jones2024 import published_tables
from gradevo.jones2024.cases import CONFIG, DRAWN, FOLDER, STORED, cases, data_folder, read_config
from gradevo.jones2024.drawn import NOMINAL_MS_CM2, draw_currents, true_densities
from gradevo.jones2024.fits import fit_case, pose
from gradevo.jones2024.published import ELEVEN, PUBLISHED, reported
from gradevo.jones2024.tables import COLUMNS, SHAPE_COLUMNS, tabulated, write_tables
from gradevo.reproduce import read_condition

ROOT = Path(__file__).parents[1]
GOLDEN = Path(os.environ.get("GRADEVO_GOLDEN", ROOT.parent / "shared" / "data")) / "jones2024"
needs_data = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no published data in {GOLDEN}; set GRADEVO_GOLDEN")


@pytest.fixture
def config(monkeypatch):
    """The committed one, small: without the study's data, few stimuli and steps."""
    monkeypatch.delenv(FOLDER, raising=False)
    declared = read_config(ROOT / CONFIG)
    declared["tables"]["toy"] |= {"stimuli": 8, "steps_per_sample": 4}
    for name in ("test184", "shape"):
        declared["tables"][name] |= {"stimuli": 2, "steps_per_sample": 4}
    return declared


def test_every_published_number_says_where_it_was_read():
    for each in PUBLISHED:
        assert each.errors_from.startswith("results/images/")
        assert (each.hours is None) == (each.hours_from == "")
        assert each.hours is None or 3 < each.hours < 8.5
        # nobody ended farther away than a density can be drawn from where fits start
        assert 0 < each.g_Na_error < 30
        assert 0 < each.g_K_error < 13.5


def test_all_nine_conditions_were_published_and_are_fitted(config):
    published = {(each.stimulated, each.recorded) for each in PUBLISHED if each.table == "toy"}
    fitted = {(case.stimulated, case.recorded) for case in cases(config).values() if case.table == "toy"}
    assert len(published) == 9
    assert published == fitted


def test_what_was_not_published_stays_empty():
    nothing = reported("test184", "all", "all")
    assert (nothing.g_Na_error, nothing.g_K_error, nothing.hours) == (None, None, None)
    assert reported("test184", ELEVEN, "all", 20230620).hours is None
    # over the seeds: three errors, two durations
    mean = reported("test184", ELEVEN, "all")
    assert mean.g_Na_error == pytest.approx((16.277 + 16.337 + 14.260) / 3)
    assert mean.hours == pytest.approx((3 + 1 / 60 + 47 / 3600 + 3 + 8 / 60 + 34 / 3600) / 2)


@needs_data
@pytest.mark.parametrize(
    ("file", "stimulated", "recorded"),
    [("toy_stim_all_rec_all", "all", "all"), ("toy_stim_all_rec_0", "all", "0"), ("toy_stim_0_1_-1_rec_all", "0,1,-1", "all")],
)
def test_published_errors_are_those_of_the_stored_histories(file, stimulated, recorded):
    stored = read_condition(GOLDEN / f"{file}.npz")
    assert stored.history is not None
    assert stored.truth is not None
    errors = np.abs(stored.history[:, -1] - stored.truth).mean(axis=1)
    said = reported("toy", stimulated, recorded)
    assert said.g_Na_error == pytest.approx(errors[0], abs=6e-4)
    assert said.g_K_error == pytest.approx(errors[1], abs=6e-4)


def check_currents(currents: np.ndarray, sites: list[int], highest: int):
    others = np.setdiff1d(np.arange(currents.shape[1]), sites)
    assert not currents[:, others].any()
    assert not currents[:, :, [0, -1]].any()
    assert np.array_equal(currents, np.rint(currents))
    assert (currents.min(), currents.max()) == (0, highest)
    inside = currents[:, sites, 1:-1]
    assert (np.diff(inside, axis=2) != 0).sum(axis=2).max() == 2


def test_drawn_currents_have_the_published_distribution():
    currents = draw_currents(100, 6, [0, 5], 19, seed=3)
    check_currents(currents, [0, 5], 19)
    assert np.array_equal(currents, draw_currents(100, 6, [0, 5], 19, seed=3))
    assert not np.array_equal(currents, draw_currents(100, 6, [0, 5], 19, seed=4))
    # changes are drawn in proportion to the piece's number: their mean is at two thirds of the time
    places = np.argwhere(np.diff(draw_currents(400, 1, [0], 19, seed=5)[:, 0, 1:-1], axis=1) != 0)[:, 1] + 2
    assert places.mean() == pytest.approx(31, abs=1.5)


@needs_data
def test_the_stored_currents_have_it_too():
    stored = read_condition(GOLDEN / "toy_stim_all_rec_all.npz")
    check_currents(stored.current, list(range(6)), 19)
    large = read_condition(GOLDEN / "test_184_seed20230622.npz")
    check_currents(large.current, list(large.stimulated), 9)
    places = np.argwhere(np.diff(stored.current[:, :, 1:-1], axis=2) != 0)[:, 2] + 2
    assert places.mean() == pytest.approx(31, abs=1.5)


@needs_data
def test_truths_are_the_published_ones():
    stored = read_condition(GOLDEN / "toy_stim_all_rec_all.npz")
    assert stored.truth is not None
    np.testing.assert_allclose(true_densities(6, 20230619), stored.truth, rtol=1e-6)


def test_truths_lie_within_30_percent():
    factors = true_densities(184, 20230622) / NOMINAL_MS_CM2
    assert 0.7 <= factors.min() < 0.72
    assert 1.28 < factors.max() <= 1.3


def test_a_condition_from_currents_to_rows(config, tmp_path):
    case = cases(config)["toy_all_01m1_chain"]
    rows = fit_case(case, config)
    assert rows["method"].tolist() == ["adam_published", "cma_es", "lbfgs", "horizon_lm"]
    adam, cma, lbfgs, horizon = rows.to_dict("records")
    assert (adam["gradients"], adam["simulations"]) == (201 * 8, 0)
    # as much as the published fit costs, to the whole candidate
    assert cma["simulations"] == 8 * int(config["gradient_weight"] * 201)
    # in the table as in the study: what Adam ends with
    assert 0 < adam["g_Na_error"] < 15
    for found in (lbfgs, horizon):
        assert found["loss"] < 1e-10 < adam["loss"]
        assert found["max_rel_density_error"] < 1e-3
    assert 0 < lbfgs["identified_fraction"] <= 1

    rows.to_parquet(tmp_path / "rows.parquet", index=False)
    write_tables([tmp_path / "rows.parquet"], config, tmp_path, threads=1)
    table = pd.read_csv(tmp_path / "toy.csv")
    assert tuple(table.columns) == COLUMNS
    assert set(table["source"]) == {DRAWN}
    assert set(table["published_g_Na_error"]) == {1.196}
    assert "own_sources" in (tmp_path / "record.json").read_text()


def test_the_wrong_shape_does_not_meet_its_targets(config):
    right, wrong = (
        pose(next(case for case in cases(config).values() if case.table == "shape" and case.fitted == shape), config)
        for shape in ("chain", "graph")
    )
    truth = right.problem.truth
    assert truth is not None
    assert right.problem.loss_of_densities(truth[None])[0] < 1e-20
    assert wrong.problem.loss_of_densities(truth[None])[0] > 1e-3
    # both fit the same voltages
    assert np.array_equal(right.problem.target, wrong.problem.target)


def test_the_studys_files_are_a_second_source(config, monkeypatch, tmp_path):
    drawn = cases(config)
    assert {case.source for case in drawn.values()} == {DRAWN}
    monkeypatch.setenv(FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"nowhere .* unset it"):
        data_folder(config)
    (tmp_path / "toy_stim_all_rec_0.npz").write_bytes(b"")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    more = cases(config)
    (name,) = set(more) - set(drawn)
    assert (more[name].source, more[name].recorded) == (STORED, "0")


def test_a_wrong_key_is_refused(tmp_path):
    declared = yaml.safe_load((ROOT / CONFIG).read_text())
    path = tmp_path / "jones2024.yaml"
    path.write_text(yaml.safe_dump(declared | {"noise": 0.1}))
    with pytest.raises(ValueError, match="noise_mV"):
        read_config(path)
    del declared["seed"]
    path.write_text(yaml.safe_dump(declared))
    with pytest.raises(ValueError, match="lacks seed"):
        read_config(path)


@pytest.mark.parametrize("table", ["toy", "test184", "shape"])
def test_committed_tables_are_whole(table):
    path = ROOT / f"results/jones2024/{table}.csv"
    rows = pd.read_csv(path)
    assert tuple(rows.columns) == (SHAPE_COLUMNS if table == "shape" else COLUMNS)
    drawn = rows[rows["source"] == DRAWN]
    wanted = [case for case in cases(read_config(ROOT / CONFIG) | {"data": None}).values() if case.table == table]
    for case in (case for case in wanted if case.source == DRAWN):
        there = drawn[(drawn["stimulated"].astype(str) == case.stimulated) & (drawn["recorded"].astype(str) == case.recorded)]
        assert set(case.methods) <= set(there["method"]), case.name


def test_committed_tables_are_drawn():
    folder = ROOT / "results/jones2024"
    figure = published_tables(pd.read_csv(folder / "toy.csv"), pd.read_csv(folder / "test184.csv"))
    grid = np.array(figure.axes).reshape(2, 3)
    # nine conditions, and those on the study's data; 11 sites and all
    assert len(grid[0, 0].get_xticks()) >= 9
    assert len(grid[1, 0].get_xticks()) >= 2
    assert grid[0, 2].get_ylim()[1] > 8 * 3600  # the longest published fit is in sight


def test_shape_takes_over_the_stored_targets_on_the_graph(config):
    case = next(case for case in cases(config).values() if case.table == "test184")
    row = dict.fromkeys((*COLUMNS, *SHAPE_COLUMNS), 1.0) | {
        "case": case.name, "table": "test184", "source": STORED, "targets": "chain", "fitted": "graph",
    }  # fmt: skip
    fits = pd.DataFrame([row]).drop(columns=[name for name in COLUMNS if name.startswith("published")])
    tables = tabulated(fits, config)
    assert len(tables["shape"]) == len(tables["test184"]) == 1
    assert len(tables["toy"]) == 0
