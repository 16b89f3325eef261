"""`snakemake jones2024` plans a job for every condition of the published tables, and none of a study; one of them, small."""

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


def test_a_condition_through_the_rule(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    folder = copy_of_repository(tmp_path)
    write_config(folder, STUDY | {"cores_per_fit": 1})
    config = yaml.safe_load((folder / CONFIG).read_text()) | {"published_steps": 3}
    config["tables"]["toy"] |= {"stimuli": 3, "steps_per_sample": 4}
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    made = "results/jones2024/fits/toy_all_0m1_chain.parquet"
    run = snakemake(folder, "--", made)
    assert run.returncode == 0, run.stdout
    fits = pd.read_parquet(folder / made)
    assert fits["method"].tolist() == config["tables"]["toy"]["methods"]
    # four gradients of three stimuli
    assert fits["gradients"].tolist()[0] == 4 * 3
