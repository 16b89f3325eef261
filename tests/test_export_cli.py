"""``gradevo export``: what it writes, and what it says about bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from gradevo.cli import app
from gradevo.config import load_config
from gradevo.morphology import read_morphology
from gradevo.study import make_neuron, make_problem

ROOT = Path(__file__).parents[1]
CI = str(ROOT / "config/ci.yaml")


def export(*arguments: object):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_swc_of_a_studys_neuron(tmp_path):
    run = export("swc", CI, "tree4", tmp_path / "tree4.swc")
    assert run.exit_code == 0, run.output
    assert read_morphology(tmp_path / "tree4.swc", 1e9).n_compartments == 4
    assert "must end in .swc" in str(export("swc", CI, "tree4", tmp_path / "tree4.txt").exception)


def test_the_true_neuron_and_a_fit_of_it(tmp_path):
    config = yaml.safe_load((ROOT / "config/ci.yaml").read_text())
    config["problems"]["tree4_0_all"]["free"] = ["Na", "leak", "capacitance", "axial_resistivity"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    run = export("neuron", tmp_path / "study.yaml", "tree4_0_all", tmp_path / "true/tree4.py")
    assert run.exit_code == 0, run.exception
    assert "nrnivmodl" in run.output
    _, true = make_neuron(load_config(tmp_path / "study.yaml"), "tree4")
    data = json.loads((tmp_path / "true/tree4.json").read_text())
    np.testing.assert_array_equal(list(data["densities_S_cm2"].values()), true)

    posed = make_problem(load_config(tmp_path / "study.yaml"), "tree4_0_all")
    best = posed.sample_initial(np.random.default_rng(0), 1)
    values = posed.densities(best)[0]
    fit = tmp_path / "fit.json"
    named = {"parameters": posed.parameter_names}
    fit.write_text(json.dumps({"best_parameters": values.tolist(), "totals": {"problem": "tree4_0_all"}, "metadata": named}))
    run = export("neuron", tmp_path / "study.yaml", "tree4_0_all", tmp_path / "fit/tree4.py", "--fit", fit)
    assert run.exit_code == 0, run.exception
    data = json.loads((tmp_path / "fit/tree4.json").read_text())
    by_name = dict(zip(posed.parameter_names, values, strict=True))
    assert data["densities_S_cm2"]["hh_Na"] == [by_name[f"Na[{i}]"] for i in range(4)]
    assert data["densities_S_cm2"]["hh_K"] == true[1].tolist()
    assert {s["Ra_ohm_cm"] for s in data["sections"]} == {by_name["axial_resistivity"]}
    assert data["capacitance_uF_cm2"] == pytest.approx(posed.parameters.inputs(values[None]).capacitance[0].tolist())


def test_the_true_neuron_is_the_one_that_made_the_data(tmp_path):
    """Its gates are shifted and its compartments finer than those of the neuron that is fitted."""
    config = yaml.safe_load((ROOT / "config/ci.yaml").read_text())
    config["problems"]["tree4_0_all"]["truth"] = {"shift_mV": {"Na": 2}, "refine": 3}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    run = export("neuron", tmp_path / "study.yaml", "tree4_0_all", tmp_path / "out/tree4.py")
    assert run.exit_code == 0, run.exception
    data = json.loads((tmp_path / "out/tree4.json").read_text())
    assert sum(section["nseg"] for section in data["sections"]) == 1 + 3 * 3
    shifted = next(path for path in (tmp_path / "out").glob("*.mod") if path.stem.endswith("_Na"))
    assert shifted.stem != "hh_Na"


def test_each_seeds_own_neuron(tmp_path):
    """Na is fitted; K varies too and is not."""
    config = yaml.safe_load((ROOT / "config/ci.yaml").read_text()) | {"neuron_per_seed": True}
    config["problems"]["tree4_0_all"]["free"] = ["Na"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    declared = load_config(tmp_path / "study.yaml")
    values = make_problem(declared, "tree4_0_all", seed=1).parameters.defaults
    fit = tmp_path / "fit.json"
    totals, named = {"problem": "tree4_0_all", "seed": 1}, {"parameters": [f"Na[{i}]" for i in range(4)]}
    fit.write_text(json.dumps({"best_parameters": values.tolist(), "totals": totals, "metadata": named}))
    for arguments, seed in ((("--fit", fit), 1), (("--seed", 1), 1), ((), 0)):
        run = export("neuron", tmp_path / "study.yaml", "tree4_0_all", tmp_path / "out/tree4.py", *arguments)
        assert run.exit_code == 0, run.exception
        data = json.loads((tmp_path / "out/tree4.json").read_text())
        assert data["densities_S_cm2"]["hh_K"] == make_neuron(declared, "tree4", seed)[1][1].tolist()


@pytest.mark.parametrize("name", ["neuron.py", "json.py", "class.py"])
def test_a_name_that_python_needs_itself(name, tmp_path):
    run = export("neuron", CI, "chain2_all_all", tmp_path / name)
    assert "has the name of a module" in str(run.exception)


def test_mechanisms_of_another_script_are_not_overwritten(tmp_path):
    config = yaml.safe_load((ROOT / "config/ci.yaml").read_text())
    config["neurons"]["chain2"]["initial_mV"] = -62  # its gates begin elsewhere, which is said in the mechanism
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    assert export("neuron", CI, "chain2_all_all", tmp_path / "out/a.py").exit_code == 0
    assert export("neuron", CI, "chain2_all_all", tmp_path / "out/a.py").exit_code == 0
    run = export("neuron", tmp_path / "study.yaml", "chain2_all_all", tmp_path / "out/b.py")
    assert "is there already and differs" in str(run.exception)
    assert not (tmp_path / "out/b.py").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no fit"),
        ("{}", "is not a stored fit"),
        ('{"best_parameters": [1.0], "totals": {"problem": "other"}}', "is a fit of problem 'other' with 1 parameters"),
        ('{"best_parameters": [null, 1, 1, 1], "totals": {"problem": "chain2_all_all"}, "status": "diverged"}', "'diverged'"),
        (
            '{"best_parameters": [1, 1, 1, 1], "totals": {"problem": "chain2_all_all"}, '
            '"metadata": {"parameters": ["Na[0]", "Na[1]", "K[0]", "leak[0]"]}}',
            "parameter 3 is 'leak[0]' there, 'K[1]' in problem 'chain2_all_all' now",
        ),
    ],
)
def test_a_file_that_is_no_fit(content, message, tmp_path):
    fit = tmp_path / "fit.json"
    if content is not None:
        fit.write_text(content)
    run = export("neuron", CI, "chain2_all_all", tmp_path / "n.py", "--fit", fit)
    assert message in str(run.exception)
    assert not (tmp_path / "n.py").exists()
