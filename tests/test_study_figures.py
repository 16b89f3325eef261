"""A study's figures come from its stored tables, and from nothing else."""

import copy
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from gradevo.cli import app
from gradevo.config import check_config, load_config, methods_of
from gradevo.figure_tables import price
from gradevo.figure_tables.all import figure_tables
from gradevo.figure_tables.price import price_table
from gradevo.figures.planned import TABLES, dialled, planned_figures
from gradevo.figures.study import draw, draw_all
from gradevo.files import write_table
from gradevo.fit_rows import density_rows, summary_row
from gradevo.merge import record_of
from gradevo.statistics.series import series
from gradevo.statistics.tables import all_tables
from gradevo.study import make_problem, run_fit
from tests.test_reading_the_tables import documented
from tests.workflow.running import CONFIG, ROOT

STYLE = ROOT / "figures/matplotlibrc"


def small_study() -> dict:
    """One and four parameters, and one and two recorded sites: every figure but that of the competitors."""
    config: dict[str, Any] = copy.deepcopy(CONFIG) | {"budget_equivalents": 60}
    pair, problem = config["neurons"]["pair"], config["problems"]["pair_all_all"]
    config["neurons"]["even"] = pair | {"regions": 1}
    config["problems"] |= {"even_all_all": problem | {"neuron": "even"}, "pair_all_0": problem | {"recorded": [0]}}
    return check_config(config)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[dict, Path]:
    """The config, and a folder with its tables as a study leaves them, without any fit."""
    config, folder = small_study(), tmp_path_factory.mktemp("tables")
    problems = {name: make_problem(config, name) for name in config["problems"]}
    cells = [(name, method, seed) for name in problems for method in methods_of(config, name) for seed in config["seeds"]]
    results = {cell: run_fit(config, problems[cell[0]], *cell[1:]) for cell in cells}
    summary = pd.DataFrame([summary_row(config, problems[name], result) for (name, *_), result in results.items()])
    densities = pd.DataFrame([row for (name, *_), result in results.items() for row in density_rows(problems[name], result)])
    histories = pd.concat([result.history for result in results.values()])
    tables, _ = all_tables(summary, histories, series(config))
    tables |= figure_tables(config, summary, histories, densities, tables["profiles"]) | {"summary": summary}
    tables["price"] = price_table([problems[name] for name in dialled(config)], config["gradient_weight"])
    for name in {table for figure in planned_figures(config) for table in TABLES[figure]}:
        write_table(folder / f"{name}.csv", tables[name])
    (folder / "record.json").write_text(json.dumps(record_of(config, list(results.values()))))
    return config, folder


def test_every_figure_is_drawn_from_tables_alone(made, tmp_path):
    config, tables = made
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copytree(tables, tmp_path / "results")
    arguments = ["figures", f"{tmp_path}/config.yaml", "--results", f"{tmp_path}/results", "--out", f"{tmp_path}/figures"]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 0, said.output
    assert "STALE" not in said.output
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == set(TABLES) - {"rivals"}
    for path in (tmp_path / "figures").iterdir():
        assert 5_000 < path.stat().st_size < 500_000, path
        assert f"{path}\n" in said.output
    # nothing was made but the figures
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == sorted(path.name for path in tables.iterdir())


NUMBERS = [
    ("question", "example_traces", "gradient"),
    ("convergence", "convergence", "best_loss"),
    ("cost", "costs", "spent"),
    ("profiles", "profile_curves", "share"),
    ("recovery", "statistics", "median_density_error_median_rel"),
    ("price", "price", "ratio"),
]


@pytest.mark.parametrize(("figure", "table", "column"), NUMBERS)
def test_a_changed_number_changes_its_figure(made, tmp_path, figure, table, column):
    _, tables = made
    folder = Path(shutil.copytree(tables, tmp_path / "tables"))
    before, again, after = (tmp_path / f"{name}.png" for name in ("before", "again", "after"))
    draw(figure, folder, [before], style=STYLE)
    draw(figure, folder, [again], style=STYLE)
    assert before.read_bytes() == again.read_bytes()
    content = pd.read_csv(folder / f"{table}.csv")
    content[column] = 0.9 * content[column] + 0.05
    content.to_csv(folder / f"{table}.csv", index=False)
    draw(figure, folder, [after], style=STYLE)
    assert before.read_bytes() != after.read_bytes()


def test_prices_are_timed_round_by_round(monkeypatch):
    said: list[str] = []

    def call(name: str, seconds: float = 0.0) -> Any:
        def saying() -> None:
            said.append(name)
            time.sleep(seconds)

        return saying

    monkeypatch.setattr(price, "CELL_S", 0.0)
    seconds = price.in_rounds([(call("loss a"), call("gradient a", 0.002)), (call("loss b"), call("gradient b"))])
    assert seconds.shape == (2, 2, price.ROUNDS[0] * price.PAIRS)
    a_round = ["loss a", "gradient a"] * price.PAIRS + ["loss b", "gradient b"] * price.PAIRS
    assert said == ["loss a", "gradient a", "loss b", "gradient b", *a_round * price.ROUNDS[0]]
    assert seconds[0, 1].min() >= 0.002 > np.median(seconds[0, 0])
    assert np.median(seconds[1]) < 0.002


def test_stale_tables_are_said_and_drawn(made, tmp_path):
    config, tables = made
    folder = Path(shutil.copytree(tables, tmp_path / "tables"))
    files, stale = draw_all(folder, tmp_path / "fresh", config)
    assert stale == []
    _, stale = draw_all(folder, tmp_path / "other", config | {"budget_equivalents": 61})
    assert stale == ["the config is not the one that made the tables: it differs in budget_equivalents"]
    record = json.loads((folder / "record.json").read_text())
    record["sources"]["genetic"] = "0" * 64
    (folder / "record.json").write_text(json.dumps(record))
    again, stale = draw_all(folder, tmp_path / "stale", config)
    assert stale == ["the sources that affect the fits of genetic are not those that made the tables"]
    assert [path.name for path in again] == [path.name for path in files]
    marked = (tmp_path / "stale/profiles.svg").read_text()
    assert "stale: sources or config changed" in marked
    assert "stale: sources or config changed" not in (tmp_path / "fresh/profiles.svg").read_text()


def test_what_is_missing_is_named(made, tmp_path):
    config, tables = made
    with pytest.raises(FileNotFoundError, match=r"has no record.json: there are no tables to draw from. Run the study first"):
        draw_all(tmp_path, tmp_path / "figures", config)
    folder = Path(shutil.copytree(tables, tmp_path / "tables"))
    (folder / "profile_curves.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no profile_curves.csv; run its study there"):
        draw_all(folder, tmp_path / "figures", config)


def test_every_column_is_documented(made):
    _, tables = made
    for path in sorted(tables.glob("*.csv")):
        columns = set(pd.read_csv(path, nrows=0).columns)
        if path.stem != "summary":  # whose columns depend on the channels: tests/test_reading_the_tables.py
            assert set(documented(path.name)) == columns, path.name


def test_a_study_has_the_figures_that_it_has_data_for():
    assert planned_figures(check_config(CONFIG)) == ["question", "convergence", "profiles"]
    assert planned_figures(load_config(ROOT / "config/paper.yaml")) == list(TABLES)
    assert dialled(load_config(ROOT / "config/quick.yaml")) == ["tree2_all_all", "tree12_all_all", "tree48_all_all"]
