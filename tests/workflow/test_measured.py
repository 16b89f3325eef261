"""Measured recordings through the workflow: they are the same whatever the neuron, but fits to them are not."""

from pathlib import Path

import pytest

from gradevo.measured.example import write_example
from tests.workflow.running import CONFIG, copy_of_repository, snakemake, write_config

TARGET = "results/tiny/targets/own.npz"
FIT = "results/tiny/fits/own__sobol__s0.json"


def config(folder: Path, **neuron) -> dict:
    morphology = {"kind": "file", "path": str(folder / "cell.swc"), "max_compartment_um": 40}
    own = {
        "neuron": "cell",
        "measured": {"traces": str(folder / "recordings.csv"), "sites": {"soma": "soma", "dendrite": [5, 90, 0]}},
        "noise_mV": 0.5,
        "dt_ms": 0.05,
        "free": {"Na": 1},
        "bounds": [0.2, 4],
    }
    neurons = {"cell": {"morphology": morphology | neuron, "channels": "hh"}}
    return CONFIG | {
        "seeds": [0],
        "budget_equivalents": 20,
        "neurons": neurons,
        "problems": {"own": own},
        "methods": {"sobol": {}},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_repository(tmp_path_factory.mktemp("copy"))
    write_example(folder)
    write_config(folder, config(folder))
    run = snakemake(folder, FIT)
    assert run.returncode == 0, run.stdout
    return folder


def edit_the_file(folder: Path) -> None:
    path = folder / "cell.swc"
    path.write_text(path.read_text() + "# edited\n")


def edit_the_config(folder: Path) -> None:
    write_config(folder, config(folder, axial_resistivity_ohm_cm=150))


@pytest.mark.parametrize("edit", [edit_the_file, edit_the_config])
def test_another_neuron_is_fitted_again_though_its_target_was_made_before(folder, edit):
    """As after a run that was ended between the two."""
    edit(folder)
    target = snakemake(folder, TARGET)
    assert target.returncode == 0, target.stdout
    assert "Nothing to be done" in snakemake(folder, TARGET).stdout
    fits = snakemake(folder, FIT)
    assert "own sobol seed 0: budget" in fits.stdout
    assert "Nothing to be done" in snakemake(folder, FIT).stdout
