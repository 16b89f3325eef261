"""The published data (not part of this project): put its folder in GRADEVO_GOLDEN, or in ../shared/data, to run these."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradevo.reproduce import make_neuron, read_condition, reproduce_jones2024, trace_differences

FOLDER = Path(os.environ.get("GRADEVO_GOLDEN", Path(__file__).parents[3] / "shared" / "data")) / "jones2024"
TOY = {"toy_stim_all_rec_all": "all", "toy_stim_0_1_-1_rec_all": "all", "toy_stim_all_rec_0": "0"}
needs_data = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no published data in {FOLDER}; set GRADEVO_GOLDEN")


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).mean()))


@needs_data
@pytest.mark.parametrize("name", TOY)
def test_truth_gives_the_stored_traces(name):
    condition = read_condition(FOLDER / f"{name}.npz")
    assert rms(trace_differences(condition, make_neuron(condition))) < 0.01


@needs_data
def test_the_large_file_holds_a_chain_not_its_adjacency():
    condition = read_condition(FOLDER / "test_184_seed20230622.npz")
    assert rms(trace_differences(condition, make_neuron(condition, as_chain=True), 20)) < 0.02
    # converged in the step: 2.1253 mV at 5 us, 2.1258 mV at 2 us
    assert rms(trace_differences(condition, make_neuron(condition), 20)) == pytest.approx(2.125, abs=0.01)


@needs_data
@pytest.mark.parametrize("name", TOY)
def test_lbfgs_recovers_every_density(name, tmp_path):
    out = tmp_path / "report.json"
    reproduce_jones2024(FOLDER / f"{name}.npz", record=TOY[name], method="lbfgs", json_path=out)
    report = json.loads(out.read_text())
    assert report["max_rel_density_error"] < 0.005
    assert report["history_max_abs_g_Na"] is None


@needs_data
def test_published_adam_path_is_followed():
    report = reproduce_jones2024(FOLDER / "toy_stim_all_rec_all.npz", method="adam")
    assert report["history_max_abs_g_Na"] < 0.5
    assert report["history_max_abs_g_K"] < 0.5
    for channel in ("g_Na", "g_K"):
        ours, published = report[f"final_mean_abs_error_{channel}"], report[f"published_mean_abs_error_{channel}"]
        # two digits: within one unit of the second
        assert ours == pytest.approx(published, abs=0.01)


def made_file(folder: Path, **changed: np.ndarray) -> Path:
    """A small file of the same form, from invented currents: for what bad input says."""
    content: dict[str, Any] = {"current": np.ones((3, 6, 48)), "voltage": np.full((3, 6, 48), -60.0)} | changed
    np.savez(folder / "made.npz", allow_pickle=False, **content)
    return folder / "made.npz"


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_condition(tmp_path / "nowhere.npz")
    (tmp_path / "text.npz").write_text("not numbers")
    with pytest.raises(ValueError, match="cannot be read"):
        read_condition(tmp_path / "text.npz")
    voltage = np.full((3, 6, 48), -60.0)
    voltage[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"voltage\[1, 2, 3\] is nan"):
        read_condition(made_file(tmp_path, voltage=voltage))
    with pytest.raises(ValueError, match=r"current has shape \(3, 5, 48\)"):
        read_condition(made_file(tmp_path, current=np.ones((3, 5, 48))))
    with pytest.raises(ValueError, match="g_K_true has shape"):
        read_condition(made_file(tmp_path, g_Na_true=np.ones(6), g_K_true=np.ones(5)))
    with pytest.raises(ValueError, match="recorded site 6 does not exist"):
        reproduce_jones2024(made_file(tmp_path), record="0,6")
    with pytest.raises(ValueError, match="use adam or lbfgs"):
        reproduce_jones2024(made_file(tmp_path), method="annealing")


def test_a_file_without_truth_or_history_gives_nulls(tmp_path):
    report = reproduce_jones2024(made_file(tmp_path), record="0,-1", method="lbfgs", json_path=tmp_path / "r.json")
    stored = json.loads((tmp_path / "r.json").read_text())
    assert report["trace_rms_mV"] is None
    assert stored["max_rel_density_error"] is None
    assert stored["published_mean_abs_error_g_Na"] is None
    assert np.isfinite(stored["final_loss"])
