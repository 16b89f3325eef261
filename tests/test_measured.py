"""Recordings from CSV files: what they become, and what is refused, by file, line, column, value and way out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradevo.channels import channel_set
from gradevo.config import check_config
from gradevo.figure_tables import example
from gradevo.figure_tables.example import example_tables
from gradevo.figure_tables.problems import problems_table
from gradevo.figure_tables.recordings import recording_tables
from gradevo.figures.planned import planned_figures
from gradevo.figures.study import draw
from gradevo.files import write_table
from gradevo.fit_rows import density_rows, loss_target, summary_row
from gradevo.fitted import fitted_voltages
from gradevo.kept import fit_key
from gradevo.measured import measured_arrays, measured_names
from gradevo.measured.example import NOISE_MV, true_densities, write_example
from gradevo.morphology import chain, from_adjacency, read_morphology
from gradevo.morphology.places import nearest_compartment, soma_compartment
from gradevo.neuron import Neuron
from gradevo.study import make_problem, make_targets, neuron_arrays, run_fit
from tests.test_reading_the_tables import documented
from tests.workflow.running import ROOT

HEAD = "sweep,time_ms,current_a_nA,voltage_a_mV,voltage_b_mV"
ROWS = ("x,0,0,-65,-65", "x,0.5,1,-60,-62", "x,1,1,-55,-60", "y,10,0,-65,", "y,10.5,0.2,-64,", "y,11,0,-64,", "y,11.5,0,-65,")
SITES = {"a": 0, "b": 2}


@pytest.fixture
def neuron() -> Neuron:
    return Neuron("three", chain(3), channel_set("hh"))


def arrays(folder: Path, neuron: Neuron, rows=ROWS, head: str = HEAD, **declared) -> dict[str, np.ndarray]:
    (folder / "r.csv").write_text("\n".join([head, *rows]) + "\n")
    return measured_arrays({"traces": str(folder / "r.csv"), "sites": SITES} | declared, neuron)


def changed(line: int, row: str) -> list[str]:
    """The rows with one, by its line in the file, replaced."""
    rows: list[str] = [*ROWS]
    rows[line - 2] = row
    return rows


def test_what_a_file_becomes(tmp_path, neuron):
    """Two sweeps of different lengths and sites, the second on a clock that begins at 10 ms."""
    found = arrays(tmp_path, neuron)
    np.testing.assert_array_equal(found["times_ms"], [0, 0.5, 1, 1.5])
    np.testing.assert_array_equal(found["target_mV"][0], [[-65, -65], [-60, -62], [-55, -60], [np.nan, np.nan]])
    np.testing.assert_array_equal(found["target_mV"][1], [[-65, np.nan], [-64, np.nan], [-64, np.nan], [-65, np.nan]])
    assert found["recorded"].tolist() == [0, 2]
    assert found["stimulated"].tolist() == [0]
    np.testing.assert_allclose(found["current_edges_ms"], [0, 0.5, 1, 1.5])
    # a row's current holds until the next row, the last one's until the end
    np.testing.assert_array_equal(found["current_nA"][:, 0], [[0, 1, 1], [0, 0.2, 0]])


def test_units_in_headers(tmp_path, neuron):
    other = "sweep,time_s,current_a_pA,voltage_a_V,voltage_b_V"
    rows = []
    for row in ROWS:
        sweep, time, current, *voltages = row.split(",")
        scaled = [f"{float(v) / 1e3}" if v else "" for v in voltages]
        rows.append(",".join([sweep, f"{float(time) / 1e3}", f"{1e3 * float(current)}", *scaled]))
    plain, scaled = arrays(tmp_path, neuron), arrays(tmp_path, neuron, rows, other)
    for key, value in plain.items():
        np.testing.assert_allclose(scaled[key], value, rtol=1e-12, err_msg=key)


def test_stimuli_in_a_file_of_their_own(tmp_path, neuron):
    """As few rows as the current has steps, at times between samples."""
    (tmp_path / "s.csv").write_text("sweep,time_ms,current_a_nA\ny,10.25,2\nx,0,0\nx,0.7,1\nx,0.8,0\ny,10.5,0\n")
    rows = [",".join(cell for i, cell in enumerate(row.split(",")) if i != 2) for row in ROWS]
    found = arrays(tmp_path, neuron, rows, "sweep,time_ms,voltage_a_mV,voltage_b_mV", stimuli=str(tmp_path / "s.csv"))
    np.testing.assert_allclose(found["current_edges_ms"], [0, 0.25, 0.5, 0.7, 0.8, 1.5])
    np.testing.assert_array_equal(found["current_nA"][:, 0], [[0, 0, 0, 1, 0], [0, 2, 0, 0, 0]])


def test_a_recording_at_1_mhz_is_in_milliseconds(tmp_path, neuron):
    rows = [f"{i},{t},0,-65,-65" for i in "xy" for t in ("0.001", "0.002", "0.003", "0.004")]
    np.testing.assert_allclose(arrays(tmp_path, neuron, rows)["times_ms"], [0, 0.001, 0.002, 0.003])


def test_a_gap_in_the_voltages_is_not_compared(tmp_path, neuron):
    found = arrays(tmp_path, neuron, changed(3, "x,0.5,1,,-62"))
    assert np.isnan(found["target_mV"][0, 1, 0])
    assert found["target_mV"][0, 1, 1] == -62


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(3, "x,0.5,1,NaN,-62"), r"r\.csv line 3, column voltage_a_mV is 'NaN'; .* leave the cell empty"),
        (changed(3, "x,0.5,1,-6O,-62"), r"line 3, column voltage_a_mV is '-6O'"),
        (changed(3, "x,0.5,,-60,-62"), r"line 3, column current_a_nA is ''; .* 0 where nothing was injected"),
        (
            changed(7, "y,11.2,0,-64,"),
            r"line 7, column time_ms is 11.2 ms, 0.7 ms after the row before; .* equal steps",
        ),
        (changed(4, "x,0.5,1,-55,-60"), r"line 4, column time_ms is 0.5 ms, not after the row before in sweep 'x'; .* sort"),
        (changed(4, "x,1,1,,"), r"line 4, column time_ms: the current of sweep 'x' goes on at 1 ms, but .* at 0.5 ms; cut"),
        (changed(3, "x,0.5,1,-60"), r"line 3 has 4 cells, the header 5"),
        (changed(3, ",0.5,1,-60,-62"), r"line 3, column sweep is empty"),
        (
            changed(3, "x,0.5,1000,-60,-62"),
            r"column current_a_nA: the largest value is 1000 nA, .* end the header in _pA",
        ),
        ([*ROWS, "z,0,0,-65,-65"], r"one row of sweep 'z' \(line 9\)"),
        ([*ROWS, "z,0,0,,", "z,0.5,0,,"], r"sweep 'z' \(from line 9\) has no recorded voltage"),
        ([row.replace("-65", "-72") for row in ROWS], r"begin at -72.0 mV .* at -65 mV; set neurons.three.initial_mV: -72.0"),
        (
            [f"{i},{t},0,-0.065,-0.065" for i in "xy" for t in (0, 1)],
            r"largest value is 0.065 mV, .* end the header in _V",
        ),
        (
            [f"{i},{t},0,-65,-65" for i in "xy" for t in (0, 0.0001, 0.0002)],
            r"r\.csv, column time_ms: the longest step between rows of a sweep is 0.0001 ms, .* did you mean time_s\?",
        ),
        ([], "has no rows below its header"),
    ],
)
def test_bad_rows_are_named(tmp_path, neuron, rows, message):
    with pytest.raises(ValueError, match=message):
        arrays(tmp_path, neuron, rows)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (HEAD.replace("sweep", "trial"), r"r\.csv has a column 'trial', which is none of sweep, time_ms"),
        (HEAD.replace("time_ms", "time_us"), r"column 'time_us': the unit of a time is ms or s, not 'us'; convert it"),
        (HEAD.replace("current_a_nA", "current_a_uA"), "the unit of a current is nA or pA, not 'uA'"),
        (HEAD.replace("time_ms", "current_b_nA"), "has no column time_ms or time_s"),
        (HEAD.replace("sweep", "current_b_nA"), "has no column sweep; .* For a single sweep, fill it with 1"),
        (HEAD.replace("voltage_b_mV", "voltage_a_V"), "two columns with the voltage of a"),
        (HEAD.replace("voltage_b_mV", "voltage_a_mV"), "two columns 'voltage_a_mV'"),
        (HEAD.replace("voltage_b", "voltage_c"), r"column voltage_c_mV: no site 'c' among measured.sites \(a, b\)"),
        (HEAD.replace(",", ";"), "separates its columns by something else than commas"),
    ],
)
def test_bad_headers_are_named(tmp_path, neuron, head, message):
    rows = [row.replace("y", "8").replace("x", "9") + ("-65" if row.endswith(",") else "") for row in ROWS]
    with pytest.raises(ValueError, match=message):
        arrays(tmp_path, neuron, rows, head)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"sites": {"a": 0, "b": 3}}, r"measured.sites.b is compartment 3; neuron 'three' has compartments 0 to 2"),
        ({"sites": {"a": 0, "b": 0}}, r"a and b are both in compartment 0 .* cut it finer"),
        ({"sites": {"a": 0, "b": [0, 500, 0]}}, r"measured.sites.b: \[0, 500, 0\] um is 500.0 um away from the neuron"),
        ({"heldout": ["z"]}, r"measured.heldout names sweep 'z'; .* has x, y"),
        ({"heldout": ["x", "y"]}, "measured.heldout names every sweep"),
        ({"heldout": ["x"]}, r"voltage_b_mV is empty in every fitted sweep"),
        ({"stimuli": "r.csv"}, r"r\.csv has voltages, which belong in"),
    ],
)
def test_bad_declarations_are_named(tmp_path, neuron, declared, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        arrays(tmp_path, neuron, **declared)


def test_a_stimulus_that_outlasts_its_trace(tmp_path, neuron):
    (tmp_path / "s.csv").write_text("sweep,time_ms,current_a_nA\nx,0,0\nx,1.5,1\ny,10,1\n")
    rows = [",".join(cell for i, cell in enumerate(row.split(",")) if i != 2) for row in ROWS]
    head = "sweep,time_ms,voltage_a_mV,voltage_b_mV"
    with pytest.raises(ValueError, match=r"s\.csv line 3, column time_ms: the current of sweep 'x' goes on at 1.5 ms"):
        arrays(tmp_path, neuron, rows, head, stimuli=str(tmp_path / "s.csv"))
    (tmp_path / "s.csv").write_text("sweep,time_ms,current_a_nA\nx,0,0\n")
    with pytest.raises(ValueError, match=r"s\.csv has no current for sweep 'y' of .*r\.csv"):
        arrays(tmp_path, neuron, rows, head, stimuli=str(tmp_path / "s.csv"))


def test_a_repetition_cannot_be_held_out(tmp_path, neuron):
    repeated = [row.replace("x", "z") for row in ROWS[:3]]
    with pytest.raises(ValueError, match=r"held-out sweep 'z' of .* has the current of fitted sweep 'x'"):
        arrays(tmp_path, neuron, [*ROWS, *repeated], heldout=["z"])


def test_other_steps_that_last_until_the_end_can_be_held_out(tmp_path, neuron):
    """The last row of a current holds until the recording ends: here all of the difference is after it."""
    (tmp_path / "s.csv").write_text("sweep,time_ms,current_a_nA\nx,0,0\nx,0.5,0.1\ny,10,0\ny,10.5,0.3\n")
    rows = [",".join(cell for i, cell in enumerate(row.split(",")) if i != 2) for row in ROWS]
    found = arrays(
        tmp_path, neuron, rows, "sweep,time_ms,voltage_a_mV,voltage_b_mV", stimuli=str(tmp_path / "s.csv"), heldout=["y"]
    )
    assert found["heldout_current_nA"].max() == 0.3


def test_places_on_a_reconstruction(tmp_path):
    swc, _ = write_example(tmp_path)
    shape = read_morphology(swc, max_compartment_um=20.0)
    assert soma_compartment(shape) == nearest_compartment(shape, [0, 0, 0]) == 0
    middles = (shape.start_um + shape.end_um) / 2
    for i in range(shape.n_compartments):
        straight = np.linalg.norm(shape.end_um[i] - shape.start_um[i]) > 0.999 * shape.lengths_um[i]
        if straight and i != 0:
            assert nearest_compartment(shape, middles[i]) == i
    beside = middles[-1] + [0, 0, 4]
    assert nearest_compartment(shape, beside) == shape.n_compartments - 1
    with pytest.raises(ValueError, match="um away from the neuron"):
        nearest_compartment(shape, middles[-1] + [0, 0, 12])


def test_a_graph_has_no_soma(tmp_path):
    graph = Neuron("graph", from_adjacency(np.ones((3, 3), dtype=int) - np.eye(3, dtype=int), 0.5e-3), channel_set("hh"))
    with pytest.raises(ValueError, match=r"measured.sites.a: this neuron has no soma; give the site's coordinates or"):
        arrays(tmp_path, graph, sites={"a": "soma", "b": 1})


@pytest.fixture
def study(tmp_path) -> dict:
    """The example's recordings as a study, its last sweep held out."""
    swc, csv = write_example(tmp_path)
    return {
        "study": "own",
        "gradient_weight": 2.5,
        "budget_equivalents": 200,
        "seeds": [0],
        "success": {"loss": 1e-3, "noise_factor": 1.1, "density_rel": 0.01},
        "neurons": {"cell": {"morphology": {"kind": "file", "path": str(swc), "max_compartment_um": 40}, "channels": "hh"}},
        "problems": {
            "own": {
                "neuron": "cell",
                "measured": {"traces": str(csv), "sites": {"soma": "soma", "dendrite": [5, 90, 0]}, "heldout": [5]},
                "noise_mV": 0.5,
                "dt_ms": 0.025,
                "free": {"Na": 3, "K": 3, "leak": 1},
                "bounds": [0.2, 4],
            }
        },
        "methods": {"lbfgs": {}},
    }


def test_the_true_densities_leave_the_noise_alone(study):
    """Through files and back, the made neuron's mean squared error is its noise's variance, within three of its deviations."""
    problem = make_problem(check_config(study), "own")
    assert problem.observed is None, "everything was recorded"
    truth = problem.parameters.means(true_densities(problem.neuron))  # Na, K and leak, all free
    loss = problem.loss_of_densities(truth[None])[0]
    assert abs(loss / NOISE_MV**2 - 1) < 3 * np.sqrt(2 / problem.target.size) + 0.02  # the time step's error on top
    heldout = problem.heldout_loss(truth[None])[0]
    assert abs(heldout / NOISE_MV**2 - 1) < 3 * np.sqrt(2 / (251 * 2)) + 0.02
    assert loss_target(study, problem) == pytest.approx(1.1 * 0.25)


def test_a_kept_fit_belongs_to_what_the_morphologys_file_says(study, tmp_path):
    """Measured targets are the same whatever the neuron."""
    (tmp_path / "targets.npz").write_bytes(b"")
    swc = Path(study["neurons"]["cell"]["morphology"]["path"])
    first = fit_key(study, "own", "lbfgs", 0, tmp_path / "targets.npz", 1)
    assert fit_key(study, "own", "lbfgs", 0, tmp_path / "targets.npz", 1) == first
    swc.write_text(swc.read_text() + "# edited\n")
    assert fit_key(study, "own", "lbfgs", 0, tmp_path / "targets.npz", 1) != first


def test_a_fit_without_a_truth(study):
    config = check_config(study)
    problem = make_problem(config, "own", make_targets(config, "own"))
    row = summary_row(config, problem, run_fit(config, problem, "lbfgs", 0))
    assert row["success_density"] is None
    assert np.isnan(row["density_error_max_rel"])
    assert np.isfinite(row["heldout_loss"])
    assert np.isnan(neuron_arrays(config, "cell")["densities_S_cm2"]).all()


def test_its_figures_come_from_tables(study, tmp_path):
    """The traces' table holds the recordings and the best fits' voltages; what is drawn follows its numbers."""
    config = check_config(study | {"methods": {"lbfgs": {}, "sobol": {}}, "seeds": [0, 1]})
    problem = make_problem(config, "own")
    results = [run_fit(config, problem, method, seed) for method in config["methods"] for seed in config["seeds"]]
    summary = pd.DataFrame([summary_row(config, problem, result) for result in results])
    densities = pd.DataFrame([row for result in results for row in density_rows(problem, result)])
    tables = recording_tables(config, summary, densities)
    assert planned_figures(config)[-2:] == ["densities", "traces_own"]
    for name, table in tables.items():
        write_table(tmp_path / f"{name}.csv", table)
        assert set(documented(f"{name}.csv")) == set(table.columns)
    assert len(tables["found"]) == 4 * (3 + 3 + 1), "fits x regions of what they fitted"

    traces = pd.read_csv(tmp_path / "traces.csv", dtype={"sweep": str})
    names = measured_names(config["problems"]["own"]["measured"])
    best = min(results[:2], key=lambda result: result.best_loss)
    assert problem.heldout is not None
    made = fitted_voltages(problem, best.best_densities)
    for i, (kind, data) in enumerate((("fitted", problem.target), ("held out", problem.heldout[1]))):
        for method, voltages in (("recorded", data), ("lbfgs", made[i])):
            shown = traces[(traces["stimuli"] == kind) & (traces["method"] == method)]
            first = names.fitted[0] if kind == "fitted" else names.heldout[0]
            one = shown[(shown["sweep"] == first) & (shown["site"] == names.sites[1])]
            assert set(one["compartment"]) == {problem.protocol.recorded[1]}
            np.testing.assert_allclose(one["voltage_mV"], voltages[0, :, 1], atol=1e-3)
            np.testing.assert_allclose(one["time_ms"], problem.protocol.sample_times_ms, atol=1e-9)

    tables |= example_tables(config, problems_table(config, summary), summary, densities)
    for name in example.TABLES:
        write_table(tmp_path / f"{name}.csv", tables[name])
    assert np.isnan(tables["example_compartments"]["true_S_cm2"].to_numpy(float)).all()
    for figure, table, column in (
        ("densities", "found", "fitted"),
        ("traces_own", "traces", "voltage_mV"),
        ("question", "example_compartments", "gradient_S_cm2"),
    ):
        before, after = tmp_path / "before.png", tmp_path / "after.png"
        draw(figure, tmp_path, [before], style=ROOT / "figures/matplotlibrc")
        write_table(tmp_path / f"{table}.csv", tables[table].assign(**{column: 0.9 * tables[table][column]}))
        draw(figure, tmp_path, [after], style=ROOT / "figures/matplotlibrc")
        assert before.read_bytes() != after.read_bytes()


def test_where_simulations_begin(study):
    study["neurons"]["cell"]["initial_mV"] = -66.5
    problem = make_problem(check_config(study), "own")
    assert problem.neuron.channels.initial_voltage_mV == -66.5
    assert problem.neuron.channels.initial_gates() == replace(channel_set("hh"), initial_voltage_mV=-66.5).initial_gates()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration_ms": 5}, "problems.own has both measured and duration_ms"),
        ({"heldout": {"count": 2, "seed": 1}}, "has both measured and heldout"),
        ({"noise_mV": 0}, "problems.own says neither noise_mV nor loss_target"),
        ({"dt_ms": 0.03}, "dt_ms 0.03 does not divide sample_interval_ms 0.1; take 0.025"),
    ],
)
def test_bad_problems_are_named(study, change, message):
    study["problems"]["own"] |= change
    with pytest.raises(ValueError, match=message):
        make_problem(check_config(study), "own")


def test_bad_studies_are_named(study):
    own = study["problems"]["own"]
    with pytest.raises(ValueError, match=r"nowhere.csv; there is no such file"):
        check_config(study | {"problems": {"own": own | {"measured": own["measured"] | {"traces": "nowhere.csv"}}}})
    with pytest.raises(ValueError, match=r"neuron_per_seed draws a neuron for each seed, but problems.own is measured"):
        check_config(study | {"neuron_per_seed": True})
    cell = study["neurons"]["cell"]
    known = {"cell": cell | {"densities": {"kind": "uniform", "seed": 1}}}
    with pytest.raises(ValueError, match=r"neurons.cell.densities are true ones"):
        check_config(study | {"neurons": known})
    simulated = {
        "neuron": "cell", "stimuli": {"kind": "steps", "amplitudes_uA_cm2": [5], "onset_ms": 1, "duration_ms": 3},
        "stimulated": 0, "recorded": 0, "duration_ms": 5, "sample_interval_ms": 0.1, "dt_ms": 0.05,
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"problems.made is simulated, but neurons.cell has no densities"):
        check_config(study | {"problems": {"made": simulated}})
    with pytest.raises(ValueError, match="'stimuli' is a required property"):
        check_config(study | {"problems": {"made": {"neuron": "cell", "dt_ms": 0.05}}})
