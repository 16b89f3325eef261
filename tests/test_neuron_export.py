"""Neurons exported to NEURON, run there, against gradevo's own voltages in NEURON's mode."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradevo.channels import CHANNEL_SETS
from gradevo.export import write_neuron_script
from gradevo.morphology import chain, from_adjacency, random_tree, read_morphology
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy
from tests.conftest import cycle_and_island, perturbed, spiking_protocol
from tests.reconstructions import swc_text


@pytest.fixture(scope="module")
def neurons(tmp_path_factory) -> dict[str, Neuron]:
    made = tmp_path_factory.mktemp("read") / "made.swc"
    made.write_text(swc_text("branched", seed=6, depth=1))
    hh = CHANNEL_SETS["hh"]
    return {
        "read": Neuron("read", read_morphology(made, 60.0, 150.0), hh),
        "cylinders": Neuron("cylinders", random_tree(9, seed=3, compartments_per_section=2), hh),
        "direct": Neuron("direct", chain(6, coupling_S_cm2=5e-4), hh),
    }


def densities_of(neuron: Neuron) -> np.ndarray:
    return perturbed(neuron, 1, seed=2)[0]


def protocol_of(neuron: Neuron) -> Protocol:
    """Currents jump between steps."""
    return replace(spiking_protocol(neuron, n_stimuli=2, duration_ms=20.0), implicitness=1.0)


@pytest.fixture(scope="module")
def exported(neurons, tmp_path_factory) -> Path:
    """A folder with the scripts and mechanisms, compiled as a user would: without gradevo."""
    pytest.importorskip("neuron", reason="NEURON is not installed")
    folder = tmp_path_factory.mktemp("export")
    written = set()
    for name, neuron in neurons.items():
        written |= set(write_neuron_script(neuron, densities_of(neuron), folder / f"{name}.py", protocol_of(neuron)))
    assert written == set(folder.iterdir())
    run([str(Path(sys.executable).parent / "nrnivmodl")], folder)
    return folder


def run(command: list[str], folder: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["read", "cylinders", "direct"])
def test_voltages_in_neuron(name, neurons, exported):
    """The first from the folder, where NEURON loads the mechanisms by itself, the others from elsewhere."""
    neuron, protocol = neurons[name], protocol_of(neurons[name])
    run([sys.executable, str(exported / f"{name}.py")], exported if name == "read" else exported.parent)
    table = pd.read_csv(exported / f"{name}.csv")
    theirs = table.filter(regex="^v_").to_numpy().reshape(2, protocol.n_samples, len(protocol.recorded))
    ours = simulate_numpy(neuron, densities_of(neuron), protocol)
    assert np.ptp(ours) > 60, "the test must run through spikes"
    np.testing.assert_allclose(table["time_ms"][: protocol.n_samples], protocol.sample_times_ms, atol=1e-9)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-6)


def test_passive_properties_are_exported(neurons, tmp_path):
    neuron = neurons["cylinders"]
    cm = np.linspace(0.8, 1.2, neuron.n_compartments)
    write_neuron_script(neuron, neuron.default_densities(), tmp_path / "n.py", capacitance=cm, axial_resistivity=70.0)
    data = json.loads((tmp_path / "n.json").read_text())
    assert data["capacitance_uF_cm2"] == cm.tolist()
    assert {section["Ra_ohm_cm"] for section in data["sections"]} == {70.0}
    assert data["protocol"] is None


def test_what_cannot_be_exported(neurons, tmp_path):
    for neuron, path, keywords, message in [
        (neurons["direct"], "n.txt", {}, r"n.txt must be a Python file"),
        (neurons["direct"], "my-neuron.py", {}, "can be imported"),
        (neurons["direct"], "n.py", {"axial_resistivity": 70.0}, "coupling was given directly"),
        (neurons["direct"], "n.py", {"capacitance": np.ones(3)}, r"capacitance has shape \(3,\)"),
        (Neuron("graph", from_adjacency(cycle_and_island(), 1e-3), CHANNEL_SETS["hh"]), "n.py", {}, "cycle"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_neuron_script(neuron, neuron.default_densities(), tmp_path / path, **keywords)
    with pytest.raises(ValueError, match="densities have shape"):
        write_neuron_script(neurons["direct"], np.ones((3, 2)), tmp_path / "n.py")
    assert not (tmp_path / "n.py").exists()
