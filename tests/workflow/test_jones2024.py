"""`snakemake jones2024`: a job for every condition of the published tables, none of a study; small, from the config to the figure."""

import json

import pandas as pd
import yaml

from gradevo.jones2024.cases import CONFIG, FOLDER, cases, read_config
from tests.workflow.running import CONFIG as STUDY
from tests.workflow.running import ROOT, copy_of_repository, snakemake, write_config


def test_every_condition_is_planned(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    folder = copy_of_repository(tmp_path)
    write_config(folder, STUDY)
    run = snakemake(folder, "--dry-run", "--quiet", "host", "--", "jones2024")
    assert run.returncode == 0, run.stdout
    for name in cases(read_config(ROOT / CONFIG)):
        assert f"results/jones2024/fits/{name}.parquet" in run.stdout
    assert "results/tiny" not in run.stdout


def test_small_tables(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    folder = copy_of_repository(tmp_path)
    write_config(folder, STUDY | {"cores_per_fit": 1})
    config = yaml.safe_load((folder / CONFIG).read_text()) | {"published_steps": 40}
    few = {"stimuli": 3, "steps_per_sample": 4}
    config["tables"]["toy"] |= few | {"conditions": [{"stimulated": "all", "recorded": "0,-1"}]}
    # five compartments stand in for the large model
    small = few | {"compartments": 5, "graph": {"chance": 0.0, "seed": 3}}
    config["tables"]["test184"] |= small | {"conditions": [{"stimulated": "0,4", "recorded": "all"}]}
    config["tables"]["shape"]["conditions"] = []
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    run = snakemake(folder, "--", "jones2024")
    assert run.returncode == 0, run.stdout

    results = folder / "results/jones2024"
    toy = pd.read_csv(results / "toy.csv")
    assert toy["method"].tolist() == config["tables"]["toy"]["methods"]
    assert set(toy["published_g_Na_error"]) == {2.266}
    # not reported for these sites
    assert pd.read_csv(results / "test184.csv")["published_hours"].isna().all()
    assert json.loads((results / "record.json").read_text())["config"]["published_steps"] == 40
    assert (folder / "figures/jones2024/published_tables.svg").is_file()
