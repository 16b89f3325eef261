"""Joining a study's parts: the whole is what one machine would have made, and nothing is mixed that does not belong together."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from gradevo import merge as merging
from gradevo.config import check_config
from gradevo.figures.study import draw_all
from gradevo.fit_rows import density_rows, summary_row
from gradevo.merge import merge, record_of
from gradevo.result import Result
from gradevo.statistics.cells import cell_statistics
from gradevo.study import make_problem, run_fit
from tests.workflow.running import CONFIG

BASE = CONFIG | {"budget_equivalents": 60, "seeds": [0, 1, 2], "methods": {"lbfgs": {"starts": 1}, "sobol": {}}}
PROBLEM = "pair_all_all"


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, int], Result]:
    problem = make_problem(BASE, PROBLEM)
    return {(method, seed): run_fit(BASE, problem, method, seed) for method in BASE["methods"] for seed in BASE["seeds"]}


def part(folder: Path, results: dict[tuple[str, int], Result], config: dict[str, Any] | None = None, **parts: Any) -> Path:
    """The tables of a machine that ran this part (seeds, methods) of the study."""
    config = copy.deepcopy(config or BASE) | parts
    chosen = [results[method, seed] for method in config["methods"] for seed in config["seeds"]]
    problem = make_problem(BASE, PROBLEM)
    folder.mkdir()
    tables = {
        "summary": pd.DataFrame([summary_row(config, problem, result) for result in chosen]),
        "densities": pd.DataFrame([row for result in chosen for row in density_rows(problem, result)]),
        "histories": pd.concat([result.history for result in chosen], ignore_index=True),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / merging.RECORD).write_text(json.dumps(record_of(config, chosen)))
    return folder


def edit(folder: Path, change: Any) -> None:
    path = folder / merging.RECORD
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in (*merging.FIT, "event", "channel", "compartment") if name in table]
    return table.sort_values(keys, ignore_index=True)


def test_parts_make_the_whole(results, tmp_path):
    whole = part(tmp_path / "whole", results)
    parts = [part(tmp_path / "a", results, seeds=[0, 2]), part(tmp_path / "b", results, seeds=[1])]
    said = merge(parts, tmp_path / "out")
    assert said[0] == f"{parts[0]}: 4 fits"
    assert said[-1].startswith(f"6 fits in {tmp_path / 'out'}: summary.parquet, histories.parquet, densities.parquet")
    for name in merging.TABLES:
        joined, once = (in_order(pd.read_parquet(folder / f"{name}.parquet")) for folder in (tmp_path / "out", whole))
        pd.testing.assert_frame_equal(joined, once)
    statistics = pd.read_csv(tmp_path / "out/statistics.csv")
    expected = cell_statistics(pd.read_parquet(whole / "summary.parquet"))
    assert list(statistics["fits"]) == list(expected["fits"]) == [3, 3]
    np.testing.assert_allclose(statistics["median_best_loss"], expected["median_best_loss"], rtol=1e-5)
    joint = check_config(yaml.safe_load((tmp_path / "out/config.yaml").read_text()))
    assert joint["seeds"] == [0, 1, 2]
    assert joint["problems"][PROBLEM].pop("methods") == ["lbfgs", "sobol"]
    assert joint == check_config(BASE)


def test_the_spread_is_over_the_seeds_of_all_parts(results, tmp_path):
    """Not a part's spread taken again: its extremes come from different machines."""
    parts = [part(tmp_path / f"part{seed}", results, seeds=[seed]) for seed in BASE["seeds"]]
    merge(parts, tmp_path / "out")
    joint = pd.read_csv(tmp_path / "out/spread.csv")
    assert list(joint["fits"].unique()) == [3]
    fitted: Any = pd.read_parquet(tmp_path / "out/densities.parquet").groupby(["method", "channel", "region"])["fitted"]
    keyed = joint.set_index(["method", "channel", "region"]).sort_index()
    for name, ends in (("lowest", fitted.min()), ("highest", fitted.max())):
        np.testing.assert_allclose(keyed[name], ends.loc[keyed.index], rtol=1e-5)
    assert (keyed.loc["sobol", "highest_over_lowest"] > 1).all()
    assert "Fits: 6. Problems: 1. Methods: 2." in (tmp_path / "out/FINDINGS.md").read_text()


def test_parts_of_methods_and_merged_parts_merge(results, tmp_path):
    first = part(tmp_path / "a", results, methods={"lbfgs": {"starts": 1}}, seeds=[0, 1])
    second = part(tmp_path / "b", results, methods={"sobol": {}}, seeds=[0, 1])
    third = part(tmp_path / "c", results, seeds=[2])
    merge([first, second], tmp_path / "ab")
    merge([tmp_path / "ab", third], tmp_path / "abc")
    assert len(pd.read_parquet(tmp_path / "abc/summary.parquet")) == 6
    assert set(json.loads((tmp_path / "abc/record.json").read_text())["sources"]) == {"lbfgs", "sobol"}


def test_figures_are_drawn_from_merged_tables(results, tmp_path):
    merge([part(tmp_path / "a", results, seeds=[0, 1]), part(tmp_path / "b", results, seeds=[2])], tmp_path / "out")
    config = json.loads((tmp_path / "out" / merging.RECORD).read_text())["config"]
    files, _ = draw_all(tmp_path / "out", tmp_path / "figures", config)
    assert {path.stem for path in files} == {"question", "convergence", "profiles"}
    assert all(path.stat().st_size > 5_000 for path in files)


def test_the_same_fit_twice_is_taken_once_and_a_different_one_refused(results, tmp_path):
    one, two = part(tmp_path / "a", results, seeds=[0, 1]), part(tmp_path / "b", results, seeds=[1, 2])
    summary = pd.read_parquet(two / "summary.parquet")
    summary["wall_s"] *= 2  # as another run would
    summary.to_parquet(two / "summary.parquet", index=False)
    said = merge([one, two], tmp_path / "out")
    assert any(line.startswith("2 fits were in several folders") for line in said)
    merged = pd.read_parquet(tmp_path / "out/summary.parquet")
    assert len(merged) == 6
    assert not pd.read_parquet(tmp_path / "out/histories.parquet").duplicated([*merging.FIT, "event"]).any()

    summary.loc[(summary["method"] == "sobol") & (summary["seed"] == 1), "best_loss"] += 1e-9
    summary.to_parquet(two / "summary.parquet", index=False)
    with pytest.raises(ValueError, match=f"{PROBLEM} sobol 1 .* is in {one} and in {two}, and differs in best_loss; leave one"):
        merge([one, two], tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["config"].update(budget_equivalents=61), r"budget_equivalents is 60 in .*a and 61 in .*b; parts of a study"),
        (lambda r: r["config"].update(study="other"), r"study is 'tiny' in .*a and 'other' in .*b"),
        (lambda r: r["config"].update(wall_limit_s=5), r"wall_limit_s is None in .*a and 5 in .*b"),
        (
            lambda r: r["config"]["problems"][PROBLEM].update(dt_ms=0.01),
            r"problems.pair_all_all is declared differently in .*a and .*b",
        ),
        (lambda r: r["config"]["methods"]["sobol"].update(population=9), r"methods.sobol is declared differently in .*a and .*b"),
        (lambda r: r["sources"].update(sobol="0" * 64), r"sobol ran from different sources in .*a \(\w{12}\) and .*b \(0{12}\)"),
    ],
)
def test_mixed_configurations_and_sources_are_refused(results, tmp_path, change, message):
    one, two = part(tmp_path / "a", results, seeds=[0]), part(tmp_path / "b", results, seeds=[1])
    edit(two, change)
    with pytest.raises(ValueError, match=message):
        merge([one, two], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mistakes_in_the_folders_are_named(results, tmp_path):
    one, two = part(tmp_path / "a", results, seeds=[0]), part(tmp_path / "b", results, seeds=[1])
    with pytest.raises(ValueError, match="needs two folders or more"):
        merge([one, one], tmp_path / "out")
    with pytest.raises(ValueError, match="is one of the folders to merge; give another"):
        merge([one, two], one)
    (two / merging.RECORD).unlink()
    with pytest.raises(FileNotFoundError, match=r"b has no record.json; give folders such as results/quick"):
        merge([one, two], tmp_path / "out")


def test_fits_of_two_source_versions_are_no_study(results):
    made = [results["sobol", 0], copy.deepcopy(results["sobol", 1])]
    made[1].metadata["source_sha256"] = "0" * 64
    with pytest.raises(ValueError, match="fits of sobol were made from two versions of the sources"):
        record_of(BASE, made)
