"""Mistakes in a study's configuration: refused before anything is computed, in one line that says the way out."""

import pytest
import yaml

from gradevo.config import check_config, load_config, refuse_repeated_keys
from gradevo.measured.example import write_example
from gradevo.posed import check_problems
from tests.fitting import toy_config
from tests.workflow.running import CONFIG, ROOT, copy_of_repository, snakemake, write_config


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(toy_config()) + "stop_loss: 1.0\n")
    first = next(i for i, line in enumerate(path.read_text().splitlines(), 1) if line.startswith("stop_loss"))
    last = len(path.read_text().splitlines())
    with pytest.raises(ValueError, match=rf"study.yaml has 'stop_loss' twice in .*, on lines {first} and {last}: .*rename"):
        load_config(path)


def test_of_keys_given_twice_only_repetitions_count():
    with pytest.raises(ValueError, match=r"c.yaml has 'a' twice in problems\[1\].b, on lines 2 and 3"):
        refuse_repeated_keys("problems: [0,\n {b: {a: 1,\n 'a': 2}}]", "c.yaml")
    merged = "x: &x {a: 1}\ny: &y {b: 2}\nz: {<<: *x, <<: *y, a: 3}\nw: [*x, *x]\n"
    refuse_repeated_keys(merged, "c.yaml")
    refuse_repeated_keys("x: &x [*x]", "c.yaml")
    refuse_repeated_keys("x: [", "c.yaml")
    for path in (ROOT / "config").glob("*.yaml"):
        refuse_repeated_keys(path.read_text(), path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["problems"]["toy"].update(dt_ms=0), "toy.dt_ms: 0 is less than .*; give a number above 0"),
        (lambda c: c["problems"]["toy"].pop("dt_ms"), "problems.toy: 'dt_ms' is a required property; add it: step of the"),
        (lambda c: c.update(study="my-first study"), "study: 'my-first study' is no name; use letters, .* as 'my_first_study'"),
        (lambda c: c["problems"].update({"a__b": c["problems"]["toy"]}), "problems: 'a__b' is no name; .* such as 'a_b'"),
        (lambda c: c["problems"]["toy"].update(recorded="some"), "toy.recorded: 'some' is none of the forms allowed: all, comp"),
        (lambda c: c["problems"]["toy"].update(recorded={"spred": 2}), "problems.toy.recorded: .* as { spread: 3 }"),
        (
            lambda c: c["problems"].update(
                own={"neuron": "two", "dt_ms": 0.05, "measured": {"traces": "t.csv", "sites": {"apical": "apical"}}}
            ),
            r"sites.apical: 'apical' is none of the forms allowed: soma, a compartment's number, or \[x, y, z\]",
        ),
    ],
)
def test_a_refusal_says_the_way_out(change, message):
    config = toy_config()
    change(config)
    with pytest.raises(ValueError, match=message):
        check_config(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dt_ms": 0.03}, "problems.toy: .*does not divide"),
        ({"truth_dt_ms": 0.03}, "problems.toy: .*does not divide"),
        ({"stimulated": [5]}, "problems.toy: stimulated site 5 does not exist"),
        ({"regions": 7}, "problems.toy: .*7"),
        ({"recordings": [{"stimuli": [9]}]}, "problems.toy: recordings"),
        ({"loss": {"kind": "windows", "windows_ms": [[90, 91]]}, "loss_target": 1}, "problems.toy: .*windows"),
        ({"loss": {"kind": "phase_plane", "range_mV": [20, -90]}, "loss_target": 1}, "problems.toy: .*range_mV .* is empty"),
    ],
)
def test_problems_that_cannot_be_posed_are_refused_without_simulating(changes, message, monkeypatch):
    monkeypatch.setattr("gradevo.study.simulate_numpy", None)
    config = check_config(toy_config(**changes))
    with pytest.raises(ValueError, match=message):
        check_problems(config)


def test_every_seeds_neuron_is_looked_at(monkeypatch):
    monkeypatch.setattr("gradevo.study.simulate_numpy", None)
    drawn = toy_config(bounds=[0.75, 1.25]) | {"neuron_per_seed": True}
    check_problems(check_config(drawn | {"seeds": [6, 7]}))
    with pytest.raises(ValueError, match=r"problems.toy with the neuron of seed 8: truth\[1\] is 0.128.* outside its bounds"):
        check_problems(check_config(drawn | {"seeds": [6, 7, 8]}))


def test_problems_that_can_be_posed_pass_without_simulating(monkeypatch):
    monkeypatch.setattr("gradevo.study.simulate_numpy", None)
    for loss in ("mse", "spike_times", {"kind": "phase_plane", "range_mV": [-90, -20]}):
        check_problems(check_config(toy_config(loss=loss, loss_target=1, truth={"shift_mV": {"Na": 1}}, start_factor=1.5)))
    for name in ("quick", "paper", "ci", "sparse184", "evolution", "identifiability"):
        check_problems(load_config(ROOT / f"config/{name}.yaml"))


@pytest.mark.parametrize(
    ("edit", "message"), [("sweep", "problems.own: .*99"), ("text", "problems.own: .*recordings.csv.*'oops'")]
)
def test_recordings_that_cannot_be_used_are_refused(tmp_path, edit, message):
    swc, csv = write_example(tmp_path)
    if edit == "text":
        lines = csv.read_text().splitlines()
        lines[5] = ",".join([*lines[5].split(",")[:-1], "oops"])
        csv.write_text("\n".join(lines) + "\n")
    heldout = [99] if edit == "sweep" else [5]
    own = {"neuron": "cell", "dt_ms": 0.025, "noise_mV": 0.5}
    own["measured"] = {"traces": str(csv), "sites": {"soma": "soma", "dendrite": [5, 90, 0]}, "heldout": heldout}
    cell = {"morphology": {"kind": "file", "path": str(swc), "max_compartment_um": 40}, "channels": "hh"}
    config = check_config(toy_config() | {"neurons": {"cell": cell}, "problems": {"own": own}})
    with pytest.raises(ValueError, match=message):
        check_problems(config)


def test_the_workflow_refuses_before_its_first_job(tmp_path):
    folder = copy_of_repository(tmp_path)
    made = CONFIG["problems"]["pair_all_all"]
    write_config(folder, CONFIG | {"problems": {"pair_all_all": made, "pair_wrong": made | {"dt_ms": 0.03}}})
    run = snakemake(folder)
    assert run.returncode != 0
    assert "problems.pair_wrong: " in run.stdout
    assert "Traceback" not in run.stdout
    assert not list(folder.glob("results/tiny/**/*.npz"))

    path = folder / "config/tiny.yaml"
    path.write_text(yaml.safe_dump(CONFIG) + "stop_loss: 1.0\n")
    run = snakemake(folder, "--dry-run")
    assert run.returncode != 0
    assert "config/tiny.yaml has 'stop_loss' twice in the config, on lines " in run.stdout
    assert "Traceback" not in run.stdout


@pytest.mark.parametrize("length", [2e-5, 0.02])
def test_a_compartment_length_in_metres_or_millimetres_is_refused(length):
    shape = {"kind": "file", "path": "cell.swc", "max_compartment_um": length}
    neurons = {"toy": {"morphology": shape, "channels": "hh"}}
    with pytest.raises(ValueError, match=rf"max_compartment_um: {length} is less than .*0\.1; give a number at least 0\.1"):
        check_config(toy_config() | {"neurons": neurons})
