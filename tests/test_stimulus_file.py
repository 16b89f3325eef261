"""Currents from a CSV in simulated studies: their voltages, the sweeps and sites that are taken, what bad ones say."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gradevo.config import check_config, input_files
from gradevo.figure_tables.problems import problems_table
from gradevo.fit_rows import summary_row
from gradevo.study import make_neuron, make_problem, make_targets, run_fit
from gradevo.units import UA_PER_CM2_UM2_TO_NA
from tests.fitting import toy_config

AMPLITUDES = (4.0, 9.0, 15.0)
"""uA/cm2, a sweep each."""

ONSET_MS, WIDTH_MS = 0.5, 1.5


def study(stimuli: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A chain of three compartments of the squid's membrane, stimulated as a file or a rule says."""
    config = toy_config()
    (neuron,) = config["neurons"].values()
    neuron |= {"channels": "hh", "morphology": {"kind": "chain", "compartments": 3, "coupling_S_cm2": 1e-3}}
    problem = {
        "neuron": "chain", "stimuli": stimuli, "recorded": "all", "duration_ms": 4, "sample_interval_ms": 0.1, "dt_ms": 0.025,
        "bounds": [0.3, 3],
    }  # fmt: skip
    return config | {
        "study": "currents", "neurons": {"chain": neuron}, "problems": {"p": problem | changed}, "methods": {"lbfgs": {}},
    }  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The pulses of AMPLITUDES into compartments 2 and 0, in pA and nA, of which the first is named before the second."""
    neuron, _ = make_neuron(study({"kind": "steps"}), "chain")
    areas_um2 = neuron.morphology.areas_um2
    lines = ["sweep,time_ms,current_far_pA,current_near_nA,voltage_near_mV"]
    for sweep, density in enumerate(AMPLITUDES):
        far, near = (float(density * areas_um2[i] * UA_PER_CM2_UM2_TO_NA) for i in (2, 0))
        lines += [f"s{sweep},{ONSET_MS},{1e3 * far!r},{near!r},-65", f"s{sweep},{ONSET_MS + WIDTH_MS},0,0,"]
    return written(tmp_path / "currents.csv", lines)


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def from_file(path: Path, **changed: Any) -> dict[str, Any]:
    return {"kind": "file", "path": str(path), "sites": {"near": 0, "far": 2}} | changed


def test_a_pulse_from_a_file_is_the_pulse_of_that_kind(path):
    """The same voltages to rounding: units, sites, onsets and ends are all right."""
    pulses = {"kind": "steps", "amplitudes_uA_cm2": list(AMPLITUDES), "onset_ms": ONSET_MS, "duration_ms": WIDTH_MS}
    made = make_targets(check_config(study(pulses, stimulated=[2, 0])), "p")
    read = make_targets(check_config(study(from_file(path))), "p")
    assert read["stimulated"].tolist() == [2, 0], "in the order of the columns"
    assert made["target_mV"].max() > 0, "some of them make spikes"
    np.testing.assert_allclose(read["target_mV"], made["target_mV"], rtol=0, atol=1e-9)


def test_sweeps_are_fitted_or_held_out(path):
    config = check_config(study(from_file(path, sweeps=["s2", "s0"]), heldout=from_file(path, sweeps=["s1"])))
    assert input_files(config["problems"]["p"]) == [path]
    problem = make_problem(config, "p", make_targets(config, "p"))
    assert problem.heldout is not None
    peaks = [protocol.stimulus.values_nA[:, 0].max(axis=1) for protocol in (problem.protocol, problem.heldout[0])]
    area_um2 = problem.neuron.morphology.areas_um2[2]
    np.testing.assert_allclose(np.concatenate(peaks), np.array([15, 4, 9]) * area_um2 * UA_PER_CM2_UM2_TO_NA)
    row = summary_row(config, problem, run_fit(config, problem, "lbfgs", 0))
    assert row["best_loss"] < 1
    assert np.isfinite(row["heldout_loss"])


def test_held_out_currents_enter_where_the_fitted_ones_do(path):
    """In their order, whatever that of the columns; files and generated kinds go together both ways."""
    ramps = {"kind": "ramps", "count": 2, "every_ms": 0.5, "low_uA_cm2": 5, "high_uA_cm2": 10, "seed": 3}
    swapped = make_problem(check_config(study(ramps, stimulated=[0, 2], heldout=from_file(path))), "p")
    other = make_problem(check_config(study(from_file(path), heldout=ramps)), "p")
    assert swapped.heldout is not None
    assert other.heldout is not None
    assert (swapped.heldout[0].stimulated, other.heldout[0].stimulated) == ((0, 2), (2, 0))
    np.testing.assert_array_equal(swapped.heldout[0].stimulus.values_nA[:, ::-1], other.protocol.stimulus.values_nA)
    with pytest.raises(ValueError, match=r"heldout.sites are compartments \[0, 2\], but the fitted stimuli enter \[0, 1\]"):
        make_problem(check_config(study(ramps, stimulated=[0, 1], heldout=from_file(path))), "p")


def test_the_table_of_problems_counts_its_sites(path):
    config = check_config(study(from_file(path)))
    problem = make_problem(config, "p")
    fits = [summary_row(config, problem, run_fit(config, problem, "lbfgs", 0))]
    table = problems_table(config, pd.DataFrame([fits[0] | {"loss_target": target} for target in (3.0, 1.0, 2.0)]))
    assert table.loc[0, ["stimulated", "recorded"]].tolist() == [2, 3]
    assert table.loc[0, ["loss_target", "loss_target_high"]].tolist() == [1.0, 3.0]


@pytest.mark.parametrize("sweep", ["s0", ""])
def test_targets_of_other_currents_are_refused(path, sweep):
    """One sweep's step moved, or all sweeps' by as much, which leaves the values of the pieces as they are."""
    config = check_config(study(from_file(path)))
    targets = make_targets(config, "p")
    path.write_text(path.read_text().replace(f"{sweep},{ONSET_MS},", f"{sweep},0.7,"))
    with pytest.raises(ValueError, match="belong to other currents than its file's; make them anew"):
        make_problem(config, "p", targets)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["sweep,time_ms,voltage_near_mV", "1,0,-65"], "has no column current_<site>_nA; it needs one for every stimulated site"),
        (["sweep,time_ms,current_near_mA", "1,0,1"], "the unit of a current is nA or pA, not 'mA'; convert it"),
        (["sweep,time_ms,current_near_nA", "1,0,250"], "the largest value is 250 nA, and no neuron's current is that large"),
        (["sweep,time_ms,current_near_nA", "1,0,"], "line 2, column current_near_nA is ''; give a number"),
        (["sweep,time_ms,current_there_nA", "1,0,1"], r"no site 'there' among stimuli.sites \(near, far\)"),
        (["sweep,time_ms,current_near_nA", "1,1,1", "1,1,0"], "line 3, column time_ms is 1 ms, not after the row before"),
        (["sweep,time_ms,current_near_nA", "1,-1,1"], "is -1 ms, before the simulation begins at 0; shift the sweep's times"),
        (["sweep,time_ms,current_near_nA", "1,0,1", "1,5,0"], "goes on at 5 ms, but the problem's duration_ms is 4; cut"),
    ],
)
def test_bad_files_are_named(tmp_path, lines, message):
    path = written(tmp_path / "bad.csv", lines)
    with pytest.raises(ValueError, match=message):
        make_problem(check_config(study(from_file(path))), "p")


def test_bad_declarations_are_named(path):
    given: dict[str, Any]
    for given, message in (
        ({"stimulated": "all"}, "problems.p.stimulated: where a file's currents enter is in stimuli.sites"),
        ({"stimuli": from_file(path) | {"path": "nowhere.csv"}}, "problems.p.stimuli names nowhere.csv; there is no such file"),
        ({"stimuli": from_file(path, sites={"near": 0, "far": 9})}, "stimuli.sites.far is compartment 9"),
        ({"stimuli": from_file(path, sweeps=["s7"])}, "stimuli.sweeps names sweep 's7'; .* has s0, s1, s2"),
        ({"stimuli": from_file(path, every_ms=1)}, "unknown key 'every_ms'"),
        ({"heldout": {"count": 2, "seed": 1}}, "problems.p.heldout: 'file' are not drawn at random"),
        ({"heldout": from_file(path)}, "problems.p.heldout has the sweeps of the fitted stimuli"),
        ({"heldout": from_file(path, sweeps=["s1"])}, "held-out stimulus 0 is the fitted stimulus 1"),
        ({"stimuli": {"kind": "steps", "amplitudes_uA_cm2": [1], "onset_ms": 0, "duration_ms": 1}}, "'stimulated' is a required"),
    ):
        with pytest.raises(ValueError, match=message):
            make_problem(check_config(study(**{"stimuli": from_file(path), **given})), "p")
