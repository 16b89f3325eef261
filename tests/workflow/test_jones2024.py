"""`snakemake jones2024` plans a job for every condition of the published tables, and none of a study."""

from gradevo.jones2024.cases import CONFIG, FOLDER, parts, read_config
from tests.workflow.running import CONFIG as STUDY
from tests.workflow.running import ROOT, copy_of_repository, snakemake, write_config


def test_every_condition_is_planned(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    folder = copy_of_repository(tmp_path)
    write_config(folder, STUDY)
    run = snakemake(folder, "--dry-run", "--quiet", "host", "--", "jones2024")
    assert run.returncode == 0, run.stdout
    for name in parts(read_config(ROOT / CONFIG)):
        assert f"results/jones2024/fits/{name}.parquet" in run.stdout
    assert "results/tiny" not in run.stdout
