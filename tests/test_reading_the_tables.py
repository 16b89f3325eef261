"""docs/reading_the_tables.md names every column of every table, and no other."""

import json
import re
from typing import Any

import pandas as pd
import pytest

from gradevo.channels import channel_set
from gradevo.config import load_config
from gradevo.fit_rows import density_rows, summary_row
from gradevo.result import Result, write_result
from gradevo.spread import spread
from gradevo.statistics.series import series
from gradevo.statistics.tables import all_tables
from gradevo.study import make_problem, make_targets, neuron_arrays, run_fit
from gradevo.tuning import rank_settings
from tests.pages import ROOT

PAGE = (ROOT / "docs/reading_the_tables.md").read_text()


def documented(table: str) -> list[str]:
    """What the first column of a table's section names."""
    section = PAGE.split(f"\n## `{table}`\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """A study in which everything that can be fitted is fitted, and something is held out."""
    study = load_config(ROOT / "config/ci.yaml")
    problem = study["problems"]["tree4_0_all"] | {"free": ["Na", "K", "capacitance", "axial_resistivity"]}
    return study | {"problems": {"tree4_0_all": problem}, "budget_equivalents": 8, "methods": {"random_search": {}}}


@pytest.fixture(scope="module")
def result(config) -> Result:
    return run_fit(config, make_problem(config, "tree4_0_all"), "random_search", seed=0)


def by_channel(columns: list[str], config: dict[str, Any]) -> set[str]:
    """Columns with the channels' names taken out."""
    names = "|".join(channel_set(config["neurons"]["tree4"]["channels"]).names)
    return {re.sub(f"^density_error_({names})_", "density_error_<channel>_", column) for column in columns}


def test_tables_of_a_study(config, result, tmp_path):
    problem = make_problem(config, "tree4_0_all")
    summary = pd.DataFrame([summary_row(config, problem, result)])
    tables = {
        "summary.csv": list(summary.columns),
        "histories.parquet": list(result.history.columns),
        "densities.parquet": list(density_rows(problem, result)[0]),
    }
    tables["spread.csv"] = list(spread(pd.DataFrame(density_rows(problem, result)), summary))
    computed, _ = all_tables(summary, result.history, series(config))
    tables |= {f"{name}.parquet" if name == "hits" else f"{name}.csv": list(table) for name, table in computed.items()}
    for table, columns in tables.items():
        named = documented(table)
        assert len(named) == len(set(named)), f"{table}: a column is documented twice"
        assert set(named) == by_channel(columns, config), table
    write_result(result, tmp_path / "fit.parquet")
    stored = json.loads((tmp_path / "fit.json").read_text())
    assert set(documented("fits/*.json")) == set(stored)
    metadata = next(line for line in PAGE.splitlines() if line.startswith("| `metadata`"))
    assert {key for key in stored["metadata"] if f"`{key}`" not in metadata} == set()
    everywhere = by_channel(list(stored["totals"]), config) - {"study", "compartment_steps"}
    assert everywhere <= set(documented("summary.csv"))


def test_arrays(config):
    assert documented("neurons/*.npz") == list(neuron_arrays(config, "tree4"))
    assert set(documented("targets/*.npz")) == set(make_targets(config, "tree4_0_all"))


def test_table_of_tuning():
    trial = {"problem": "p", "method": "m", "setting": 0, "settings": "{}", "seed": 0, "status": "budget"}
    trials = pd.DataFrame([trial | {"best_loss": 1.0, "simulation_equivalents": 10.0}])
    assert documented("results/tuning/settings.csv") == list(rank_settings(trials, 1e-6).columns)
