"""The tables of `snakemake identifiability` say what the theory says, and its figures show the tables and nothing else."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from gradevo.cli import app
from gradevo.config import check_config, load_config
from gradevo.figure_tables.identifiability import TABLES, asked_of
from gradevo.figure_tables.identifiability.all import JOBS, record
from gradevo.figures.planned import IDENTIFIABILITY_TABLES, planned_figures
from gradevo.figures.stale import staleness
from gradevo.figures.study import draw
from gradevo.files import write_table
from gradevo.identifiability.information import fisher_information
from gradevo.identifiability.unseen import least_known
from gradevo.identifiability.verdicts import Verdicts
from gradevo.study import make_problem
from tests.identifiability.cases import at_rest, compartment, island, true
from tests.identifiability.small import small_config

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "figures/matplotlibrc"


@pytest.fixture(scope="module")
def config() -> dict:
    return check_config(small_config())


@pytest.fixture(scope="module")
def tables(config) -> dict[str, pd.DataFrame]:
    """As the workflow's jobs make them, each from its own part of the config."""
    made = {}
    for job, make in JOBS.items():
        found = make(asked_of(config, job))
        assert set(found) == set(TABLES[job])
        made |= found
    return made


@pytest.fixture(scope="module")
def folder(config, tables, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    (folder / "record.json").write_text(json.dumps(record(config)))
    return folder


def test_fewer_sites_tell_less_along_every_direction(tables):
    spectra = tables["spectrum"].pivot(index="direction", columns="recorded", values="eigenvalue")
    largest = spectra[4].max()
    assert (spectra[4] >= spectra[2] - 1e-9 * largest).all()
    assert (spectra[2] >= spectra[1] - 1e-9 * largest).all()
    assert (spectra[4] > 1.5 * spectra[1]).any()


def test_known_and_verdicts_are_those_of_the_problem_with_these_sites(config, tables):
    for count, name in ((4, "cable_all"), (1, "cable_1")):
        problem = make_problem(config, name)
        found = Verdicts(fisher_information(problem, true(problem), 0.1))
        part = tables["known"][tables["known"]["recorded"] == count]
        np.testing.assert_allclose(part["bound"], found.bounds, rtol=1e-5)
        assert list(part["verdict"]) == [verdict.name for verdict in found.verdicts]
        assert list(part.loc[part["channel"] == "Na", "is_recorded"]) == [i in problem.protocol.recorded for i in range(4)]
        row = tables["verdicts"].set_index("recorded").loc[count]
        assert row["rank"] == found.information.spectrum.rank
        assert row["n_data"] == found.information.n_data
        assert {verdict.name: row[verdict.name] for verdict in found.counts} == {v.name: n for v, n in found.counts.items()}


def test_calibration_is_of_as_many_fits_as_asked_for(config, tables):
    table, scores = tables["calibration"], tables["z_scores"]
    assert list(table["parameter"]) == list(make_problem(config, "cable_all").parameter_names)
    assert scores["count"].sum() == (table["draws"]).sum()
    assert (table["draws"] + table["failed"] == 20).all()
    assert scores["expected"].sum() == pytest.approx(scores["count"].sum())
    np.testing.assert_allclose(table["achieved"], table["bound"] * table["spread"])
    assert ((table["spread_low"] < table["spread"]) & (table["spread"] < table["spread_high"])).all()
    assert table["spread"].between(0.4, 1.8).all()


def test_profiles_begin_at_the_truth_and_follow_the_bound_there(tables):
    for name, part in tables["likelihood"].groupby("parameter"):
        interval = tables["intervals"].set_index("parameter").loc[name]
        nearest = part.iloc[(part["value_rel"] - 1).abs().to_numpy().argsort()[1]]
        expected = (np.log(nearest["value_rel"]) / interval["bound"]) ** 2
        assert nearest["rise"] == pytest.approx(expected, rel=0.3)
        assert part["rise"].min() == pytest.approx(0, abs=1e-9)
        assert interval["profile_low"] < 1 < interval["profile_high"]


def test_more_electrodes_know_more_and_the_first_chosen_most(tables):
    table = tables["placement"]
    for electrodes, part in table.groupby("electrodes"):
        nats = part.pivot(index="k", columns="placement", values="nats")
        assert (nats.loc[:3].drop(columns="all").diff().dropna() > 0).all(axis=None), electrodes
        # greedy: the best single site, and never below what it promises
        best = part.pivot(index="k", columns="placement", values="nats_high").loc[:3].max(axis=1)
        assert nats.loc[1, "D"] >= best[1] - 1e-9
        assert (nats.loc[:3, "D"] >= (1 - 1 / np.e) * best).all()
        assert nats.loc[4, "all"] >= nats.loc[3, "D"]
        error = part.pivot(index="k", columns="placement", values="error")
        assert error.loc[1, "A"] <= part.loc[part["k"] == 1, "error_low"].min() + 1e-9
        assert error.loc[4, "all"] <= error.min(axis=None) + 1e-9
        assert (part["identified_low"] <= part["identified"]).all()
    order = tables["placement_sites"]
    assert (order.groupby(["electrodes", "criterion"])["compartment"].nunique() == 3).all()


def test_the_least_known_direction():
    regular = fisher_information(compartment(), true(compartment()), 0.1)
    deviation, vector = least_known(regular)
    assert vector @ regular.relative @ vector == pytest.approx(deviation**-2, rel=1e-6)
    worst = np.linalg.eigvalsh(regular.relative)[0]
    assert deviation == pytest.approx(worst**-0.5, rel=1e-6)
    # only the ratio of everything is unseen: all change alike, the resistivity against them
    deviation, vector = least_known(fisher_information(at_rest(), true(at_rest()), 0.1))
    assert deviation == np.inf
    np.testing.assert_allclose(np.abs(vector), 6**-0.5, atol=1e-6)
    assert vector[np.argmax(np.abs(vector))] > 0
    # of three densities that no electrode reaches, one alone: no basis of the null space is better than another
    _, vector = least_known(fisher_information(island(), true(island()), 0.1))
    np.testing.assert_allclose(vector, np.eye(9)[6], atol=1e-9)


def test_every_figure_is_drawn_from_tables_alone(config, folder, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copytree(folder, tmp_path / "results")
    arguments = ["figures", f"{tmp_path}/config.yaml", "--results", f"{tmp_path}/results", "--out", f"{tmp_path}/figures"]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 0, said.output
    assert "STALE" not in said.output
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == set(IDENTIFIABILITY_TABLES)
    for path in (tmp_path / "figures").iterdir():
        assert 5_000 < path.stat().st_size < 600_000, path


NUMBERS = [
    ("spectrum", "spectrum", "deviation"),
    ("spectrum", "verdicts", "rank"),
    ("known", "known", "bound"),
    ("unseen", "unseen", "component"),
    ("calibration", "calibration", "achieved"),
    ("calibration", "z_scores", "count"),
    ("likelihood", "likelihood", "rise"),
    ("likelihood", "intervals", "bound"),
    ("placement", "placement", "identified"),
    ("placement", "placement_sites", "compartment"),
]


@pytest.fixture(scope="module")
def drawn(folder, tmp_path_factory) -> dict[str, bytes]:
    """Every figure as it is."""
    images = tmp_path_factory.mktemp("images")
    for figure in IDENTIFIABILITY_TABLES:
        draw(figure, folder, [images / f"{figure}.svg"], style=STYLE)
    return {figure: (images / f"{figure}.svg").read_bytes() for figure in IDENTIFIABILITY_TABLES}


@pytest.mark.parametrize(("figure", "table", "column"), NUMBERS)
def test_a_changed_number_changes_its_figure(folder, drawn, tmp_path, figure, table, column):
    copied = Path(shutil.copytree(folder, tmp_path / "tables"))
    content = pd.read_csv(copied / f"{table}.csv")
    if column == "compartment":
        content[column] = 3 - content[column]
    else:
        at = content.index[np.isfinite(content[column]) & (content[column] != 0)][0]
        content[column] = content[column].astype(float)
        # a bound must stay within the colours' range
        content.loc[at, column] = (30 if figure == "known" else 0.4) * content.loc[at, column]
    content.to_csv(copied / f"{table}.csv", index=False)
    draw(figure, copied, [tmp_path / "after.svg"], style=STYLE)
    assert drawn[figure] != (tmp_path / "after.svg").read_bytes()


def test_figures_of_the_same_tables_are_the_same(folder, drawn, tmp_path):
    draw("likelihood", folder, [tmp_path / "again.svg"], style=STYLE)
    assert drawn["likelihood"] == (tmp_path / "again.svg").read_bytes()


def test_stale_tables_are_said(config):
    made = record(config)
    assert staleness(made, config) == []
    made["sources"]["identifiability"] = "0" * 64
    assert staleness(made, config) == ["the sources that the tables follow from are not those that made them"]


def test_the_committed_config_plans_all_figures_and_asks_for_what_there_is():
    committed = load_config(ROOT / "config/identifiability.yaml")
    assert planned_figures(committed) == list(IDENTIFIABILITY_TABLES)
    for name, chosen in committed["identifiability"]["likelihood"]["densities"].items():
        assert set(chosen) <= set(make_problem(committed, name).parameter_names)


WRONG = [
    (("noise_mV",), 0, r"noise_mV: 0 is less than or equal"),
    (("sites", "problem"), "cable_al", r"sites.problem names 'cable_al', not among the problems; did you mean 'cable_all'"),
    (("sites", "drawn"), [3], r"sites.drawn has 3, which is not among its counts"),
    (("calibration", "draws"), {"cable_all": 1}, r"calibration.draws.cable_all: 1 is less than the minimum of 2"),
    (("placement", "sites"), 3, r"unknown key 'sites' in identifiability.placement"),
]


@pytest.mark.parametrize(("place", "value", "message"), WRONG)
def test_a_wrong_config_is_refused(place, value, message):
    config = small_config()
    *path, last = place
    part = config["identifiability"]
    for key in path:
        part = part[key]
    part[last] = value
    with pytest.raises(ValueError, match=message):
        check_config(config)


ASKED_TOO_MUCH = [
    ("likelihood", ("densities",), {"cable_all": ["Na[9]"]}, r"problem 'cable_all' has no density 'Na\[9\]'"),
    ("placement", ("most",), 5, r"placement.most is 5, but there are 4 candidates"),
    ("sites", ("counts",), [5], r"sites.counts: 5 cannot be spread over 4"),
    ("calibration", ("draws",), {"short": 5}, r"8 parameters but 6 recorded samples"),
    ("calibration", ("draws",), {"apart": 5}, r"numerical rank 4 of 8"),
]


@pytest.mark.parametrize(("job", "path", "value", "message"), ASKED_TOO_MUCH)
def test_more_than_the_data_have_is_refused_with_the_way_out(job, path, value, message):
    config = check_config(small_config())
    part = asked_of(config, job)
    # two samples of three stimuli at one site; and two neurons that are not connected, one of which is recorded
    short = config["problems"]["cable_1"] | {"duration_ms": 0.2}
    apart = config["problems"]["cable_1"] | {"neuron": "apart", "recorded": [0, 1]}
    part["problems"] = config["problems"] | {"short": short, "apart": apart}
    two = {"kind": "adjacency", "adjacency": np.kron(np.eye(2), [[0, 1], [1, 0]]).astype(int).tolist(), "coupling_S_cm2": 0.5e-3}
    part["neurons"] = config["neurons"] | {"apart": config["neurons"]["cable"] | {"morphology": two}}
    part["identifiability"][job] = part["identifiability"][job] | {path[0]: value}
    with pytest.raises(ValueError, match=message):
        JOBS[job](part)
