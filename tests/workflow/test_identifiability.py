"""`snakemake identifiability` on a tiny configuration in a copy of the repository."""

from pathlib import Path

import pytest
import yaml

from gradevo.figure_tables.identifiability import TABLES
from gradevo.figures.planned import IDENTIFIABILITY_TABLES
from tests.identifiability.small import small_config
from tests.workflow.running import CONFIG, copy_of_repository, snakemake


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_repository(tmp_path_factory.mktemp("copy"))
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    (folder / "config/identifiability.yaml").write_text(yaml.safe_dump(small_config()))
    return folder


def test_the_target_makes_tables_and_figures_and_no_study(folder):
    made = ["results/identifiability/record.json", "figures/identifiability/known.png"]
    run = snakemake(folder, "--", *made)
    assert run.returncode == 0, run.stdout
    tables = {path.stem for path in (folder / "results/identifiability").glob("*.csv")}
    assert tables == {name for job in TABLES.values() for name in job}
    assert (folder / "results/identifiability/record.json").is_file()
    assert {path.suffix for path in (folder / "figures/identifiability").glob("known.*")} == {".png", ".pdf", ".svg"}
    assert not (folder / "results/tiny").exists()
    assert "Nothing to be done" in snakemake(folder, "--", *made).stdout


def test_the_target_is_all_figures(folder):
    text = snakemake(folder, "--dry-run", "--quiet", "host", "--", "identifiability").stdout
    planned = {name for name in IDENTIFIABILITY_TABLES if f"identifiability_{name} " in text}
    assert planned == set(IDENTIFIABILITY_TABLES) - {"known"}
    assert "_tables" not in text


def test_a_change_makes_again_what_depends_on_it(folder):
    config = small_config()
    config["identifiability"]["placement"]["random"] = 9
    (folder / "config/identifiability.yaml").write_text(yaml.safe_dump(config))
    text = snakemake(folder, "--dry-run", "--quiet", "host", "--", "identifiability").stdout
    assert "placement.csv" in text
    assert "identifiability_calibration_tables" not in text


def test_it_is_no_study(folder):
    run = snakemake(folder, "--configfile", "config/identifiability.yaml", "--dry-run")
    assert run.returncode != 0
    assert "run  snakemake --cores all identifiability  without it" in run.stdout
