"""`snakemake tuning` on a tiny configuration in a copy of the repository, and a study that uses its outcome."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.workflow.running import CONFIG, copy_of_repository, snakemake
from tests.workflow.test_workflow import planned

TUNING = {
    **CONFIG,
    "study": "tuning",
    "tuning": {"settings": 2, "seed": 1},
    "seeds": [7],
    "neurons": {"pair": CONFIG["neurons"]["pair"] | {"densities": {"kind": "uniform", "fraction": 0.2, "seed": 9}}},
    "methods": {"lbfgs": {}, "sobol": {}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_repository(tmp_path_factory.mktemp("copy"))
    (folder / "config/tuned.yaml").unlink(missing_ok=True)
    (folder / "config/tuning.yaml").write_text(yaml.safe_dump(TUNING))
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


def test_tuning_writes_its_table_and_the_preset_that_a_study_uses(folder):
    tuned_study = CONFIG | {"methods": {"lbfgs": {"preset": "tuned"}, "genetic": {"population": 16}}}
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(tuned_study))
    refused = snakemake(folder, "--dry-run")
    assert refused.returncode != 0
    assert "config/tuned.yaml holds no settings of lbfgs" in refused.stdout
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(CONFIG))

    run = snakemake(folder, "--", "tuning")
    assert run.returncode == 0, run.stdout
    table = pd.read_csv(folder / "results/tuning/settings.csv")
    assert sorted(table["method"]) == ["lbfgs", "lbfgs", "sobol", "sobol"]
    assert sorted(table["method"][table["tuned"]]) == ["lbfgs", "sobol"]
    tuned = yaml.safe_load((folder / "config/tuned.yaml").read_text())
    assert set(tuned) == {"lbfgs", "sobol"}
    assert not (folder / "results/tiny").exists()
    assert "Nothing to be done" in snakemake(folder, "--", "tuning").stdout

    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(tuned_study))
    jobs = planned(folder)
    assert {"pair_all_all__lbfgs", "pair_all_all__genetic"} <= jobs
    assert not jobs & {"tuning", "tuning_trials"}


def test_a_changed_method_is_tried_again_alone(folder):
    path = folder / "src/gradevo/methods/sobol.py"
    path.write_text(path.read_text() + "\n# edited\n")
    text = snakemake(folder, "--dry-run", "--quiet", "host", "--", "tuning").stdout
    assert "trials/pair_all_all__sobol.parquet" in text
    assert "output: results/tuning/trials/pair_all_all__lbfgs.parquet" not in text
    # what was tuned stays in place until the new outcome is written
    assert (folder / "config/tuned.yaml").is_file()
