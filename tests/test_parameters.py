"""How parameters map to compartments: the dial from one density per channel to one per compartment, and what is passive."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from gradevo import fit_rows, study
from gradevo.channels import CHANNEL_SETS
from gradevo.config import check_config
from gradevo.morphology import chain, random_tree
from gradevo.neuron import Neuron
from gradevo.parameters import Inputs, make_parameters
from gradevo.problem import Problem
from gradevo.regions import contiguous_regions
from tests.conftest import make_neuron
from tests.fitting import toy_config

HH = CHANNEL_SETS["hh"]
TREE = Neuron("tree", random_tree(12, seed=3), HH)


def tree_config(neuron: dict | None = None, **problem) -> dict:
    """A squid-axon soma with eleven dendritic compartments, driven and recorded at four."""
    config = toy_config(
        **{
            "neuron": "tree",
            "stimuli": {
                "kind": "random_steps", "count": 2, "every_ms": 2, "low_uA_cm2": -5, "high_uA_cm2": 25, "seed": 6,
            },
            "stimulated": [0, 4, 8],
            "recorded": [0, 3, 6, 11],
            "duration_ms": 6,
            "sample_interval_ms": 0.2,
            "dt_ms": 0.05,
            "bounds": [0.2, 4],
        }
        | problem
    )  # fmt: skip
    config["neurons"]["tree"] = {
        "morphology": {"kind": "random_tree", "sections": 12, "seed": 3},
        "channels": "hh",
        "densities": {"kind": "smooth", "seed": 2, "length_um": 150},
    } | (neuron or {})
    return check_config(config)


def tree_problem(neuron: dict | None = None, **problem) -> Problem:
    return study.make_problem(tree_config(neuron, **problem), "toy")


def test_a_region_per_compartment_is_the_layout_by_channel():
    parameters = make_parameters(TREE, ("Na", "K"))
    n = TREE.n_compartments
    values = np.random.default_rng(0).uniform(size=(3, 2 * n))
    full = parameters.inputs(values).densities
    np.testing.assert_array_equal(full[:, :2].reshape(3, -1), values)
    np.testing.assert_array_equal(full[:, 2], np.repeat(TREE.default_densities()[2][None], 3, axis=0))
    assert parameters.names[n + 3] == "K[3]"
    assert set(parameters.units) == {"S/cm2"}


def test_names_and_units_follow_the_quantities():
    regions = {"Na": 2, "K": 1, "leak": 1, "capacitance": 2}
    parameters = make_parameters(TREE, ("Na", "K", "leak", "capacitance", "axial_resistivity"), regions)
    assert parameters.names == ("Na[0]", "Na[1]", "K", "leak", "capacitance[0]", "capacitance[1]", "axial_resistivity")
    assert parameters.units == ("S/cm2",) * 4 + ("uF/cm2",) * 2 + ("ohm cm",)
    np.testing.assert_allclose(parameters.defaults, [0.12, 0.12, 0.036, 0.0003, 1, 1, 100], rtol=1e-14)
    assert parameters.error_columns == (
        "density_error_Na_mean_abs_S_cm2",
        "density_error_K_mean_abs_S_cm2",
        "density_error_leak_mean_abs_S_cm2",
        "capacitance_error_mean_abs_uF_cm2",
        "axial_resistivity_error_mean_abs_ohm_cm",
        "density_error_median_rel",
        "density_error_max_rel",
    )


@pytest.mark.parametrize("k", [1, 3, 7, 12])
def test_gradients_are_gathered_by_the_transpose_of_the_map(k):
    """d(inputs . w) / d parameters, for any w, is `gradient(w)`: the map is linear."""
    free = ("K", "capacitance", "Na", "axial_resistivity")
    parameters = make_parameters(TREE, free, {"Na": k, "K": 2, "capacitance": k})
    rng = np.random.default_rng(k)
    values = rng.uniform(1, 2, size=(2, parameters.n_parameters))
    weights = Inputs(rng.normal(size=(2, 3, 12)), rng.normal(size=(2, 12)), rng.normal(size=2))
    gathered = parameters.gradient(weights)
    for p in range(parameters.n_parameters):
        moved = values.copy()
        moved[:, p] += 1.0
        change = np.zeros(2)
        for before, after, weight in zip(parameters.inputs(values), parameters.inputs(moved), weights, strict=True):
            change += ((after - before) * weight).reshape(2, -1).sum(axis=1)
        np.testing.assert_allclose(gathered[:, p], change, atol=1e-12)


def test_what_the_parameters_can_express_they_express_to_the_bit():
    labels = contiguous_regions(TREE.morphology, 4)
    densities = TREE.default_densities()
    densities[:2] *= np.random.default_rng(0).uniform(1, 2, size=(2, 4))[:, labels]
    for k, expressible in ((4, True), (7, True), (12, True), (3, False)):
        parameters = make_parameters(TREE, ("Na", "K"), {"Na": k, "K": k})
        true = parameters.select(densities)
        truth = parameters.express(true)
        assert (truth is not None) == expressible
        if truth is not None:
            np.testing.assert_array_equal(parameters.inputs(truth[None]).densities[0], densities)
            assert set(parameters.errors(truth, true).values()) == {0.0}


def test_errors_are_counted_per_compartment_for_densities_and_once_for_what_is_global():
    parameters = make_parameters(TREE, ("Na", "capacitance", "axial_resistivity"), {"Na": 1})
    true = parameters.select(TREE.default_densities())
    true[0] *= np.linspace(1, 2, 12)
    errors = parameters.errors(np.array([0.12, 1.5, 50.0]), true)
    assert errors["density_error_Na_mean_abs_S_cm2"] == pytest.approx(0.12 * 0.5)
    assert errors["capacitance_error_mean_abs_uF_cm2"] == pytest.approx(0.5)
    assert errors["axial_resistivity_error_mean_abs_ohm_cm"] == pytest.approx(50.0)
    relative = [*(1 - 1 / np.linspace(1, 2, 12)), 0.5, 0.5]
    assert errors["density_error_median_rel"] == pytest.approx(np.median(relative))
    assert errors["density_error_max_rel"] == pytest.approx(0.5)


@pytest.mark.parametrize(("k", "n_parameters"), [(1, 2), (6, 12), (12, 24), ("all", 24)])
def test_the_dial_turns_one_morphology_from_two_parameters_to_all(k, n_parameters):
    problem = tree_problem({"regions": k})
    assert problem.n_parameters == n_parameters == len(problem.parameter_names)
    assert problem.truth is not None
    assert problem.loss_of_densities(problem.truth[None])[0] == 0
    assert problem.density_errors(problem.truth)["density_error_max_rel"] == 0
    thetas = problem.sample_initial(np.random.default_rng(0), 2)
    _, gradients = problem.loss_and_gradient(thetas)
    direction = np.random.default_rng(1).standard_normal(n_parameters)
    step = 1e-5
    numeric = (problem.loss(thetas + step * direction) - problem.loss(thetas - step * direction)) / (2 * step)
    np.testing.assert_allclose(gradients @ direction, numeric, rtol=2e-5)


FREE_KINDS = {
    "leak": {"leak": 3},
    "capacitance": {"capacitance": 1},
    "regional capacitance": {"capacitance": 4},
    "capacitance per compartment": {"capacitance": "all"},
    "axial resistivity": {"axial_resistivity": 1},
    "everything": {"Na": 2, "axial_resistivity": 1, "K": "all", "leak": 1, "capacitance": 3},
}


@pytest.mark.parametrize("kind", FREE_KINDS)
@pytest.mark.parametrize("view", ["logit", "identity"])
def test_gradients_of_every_kind_of_parameter_are_those_of_central_differences(kind, view):
    problem = tree_problem(free=FREE_KINDS[kind]).view(view)
    values = problem.parameters.defaults * np.random.default_rng(2).uniform(0.7, 1.4, size=(2, problem.n_parameters))
    thetas = problem.coordinates.from_density(values)
    losses, gradients = problem.loss_and_gradient(thetas)
    np.testing.assert_array_equal(losses, problem.loss(thetas))
    for p in range(problem.n_parameters):
        step = np.zeros(problem.n_parameters)
        step[p] = 2e-5 * max(abs(thetas[0, p]), 1e-6 if view == "identity" else 1)
        numeric = (problem.loss(thetas + step) - problem.loss(thetas - step)) / (2 * step[p])
        np.testing.assert_allclose(gradients[:, p], numeric, rtol=2e-4, atol=1e-7 * np.abs(gradients).max())
    # tangents know them by another road
    products = problem.residual_products(thetas[0])
    assert products.loss == pytest.approx(losses[0], rel=1e-12)
    np.testing.assert_allclose(2 * products.gradient_half, gradients[0], rtol=1e-8, atol=1e-9 * np.abs(gradients).max())


def test_a_truth_with_its_passive_properties_is_recovered():
    """Five parameters of a cable: three densities, capacitance and axial resistivity, from four noise-free traces."""
    config = tree_config(
        {
            "morphology": {"kind": "chain", "compartments": 4, "length_um": 120, "axial_resistivity_ohm_cm": 150},
            "densities": {"kind": "lognormal", "seed": 4, "channels": ["Na", "K", "leak"]},
            "regions": 1,
        },
        stimulated=[0],
        recorded="all",
        free=["Na", "K", "leak", "capacitance", "axial_resistivity"],
        bounds={"leak": [0.2, 8], "capacitance": [0.5, 4], "axial_resistivity": [0.25, 2]},
    )
    problem = study.make_problem(config, "toy")
    assert problem.truth is not None
    assert problem.parameter_names == ("Na", "K", "leak", "capacitance", "axial_resistivity")
    np.testing.assert_allclose(problem.truth[3:], [1.0, 150.0])
    config |= {"stop_loss": 1e-13, "methods": {"lbfgs": {"starts": 2}}}
    result = study.run_fit(config, problem, "lbfgs", 0)
    row = fit_rows.summary_row(config, problem, result)
    assert row["success_density"], result.best_densities / problem.truth
    assert row["density_error_max_rel"] < 1e-3
    assert row["capacitance_error_mean_abs_uF_cm2"] < 1e-3
    assert row["axial_resistivity_error_mean_abs_ohm_cm"] < 0.15
    table = {r["channel"]: r for r in fit_rows.density_rows(problem, result)}
    assert table["axial_resistivity"]["unit"] == "ohm cm"
    assert table["axial_resistivity"]["true"] == 150
    assert table["capacitance"]["fitted"] == result.best_densities[3]


@pytest.mark.parametrize("impossible", [0.0, -1.0, np.inf])
def test_a_candidate_that_cannot_be_has_an_infinite_loss_and_no_gradient(impossible):
    problem = tree_problem(free=["Na", "capacitance", "axial_resistivity"], regions=1).view("identity")
    for p in (1, 2):
        values = np.repeat(problem.parameters.defaults[None], 2, axis=0)
        values[1, p] = impossible
        losses, gradients = problem.loss_and_gradient(values)
        assert np.isfinite(losses[0])
        assert np.isinf(losses[1])
        assert (gradients[0] != 0).all()
        assert (gradients[1] == 0).all()
        np.testing.assert_array_equal(problem.loss(values), losses)


def test_regional_gradients_do_not_depend_on_the_batch():
    problem = tree_problem({"regions": 4})
    thetas = problem.sample_initial(np.random.default_rng(0), 9)
    losses, gradients = problem.loss_and_gradient(thetas)
    for i in (0, 8):
        loss, gradient = problem.loss_and_gradient(thetas[i : i + 1])
        np.testing.assert_array_equal(loss[0], losses[i])
        np.testing.assert_array_equal(gradient[0], gradients[i])


def test_a_fit_coarser_than_the_truth_is_judged_per_compartment():
    fine, coarse = tree_problem(), tree_problem(regions=2)
    assert coarse.n_parameters == 4
    assert coarse.truth is None
    np.testing.assert_array_equal(coarse.target, fine.target)
    values = coarse.densities(coarse.sample_initial(np.random.default_rng(0), 1))[0]
    spread = coarse.parameters.per_compartment(values).reshape(-1)
    assert coarse.density_errors(values) == fine.density_errors(spread)
    assert coarse.density_errors(values)["density_error_max_rel"] > 0
    np.testing.assert_allclose(coarse.loss_of_densities(values[None]), fine.loss_of_densities(spread[None]), rtol=1e-12)
    np.testing.assert_allclose(
        coarse.view("unit").loss(coarse.view("unit").sample_initial(np.random.default_rng(0), 1)),
        coarse.loss(coarse.sample_initial(np.random.default_rng(0), 1)),
    )


def test_a_fit_finer_than_the_truth_can_express_it():
    problem = tree_problem({"regions": 3}, regions="all")
    assert problem.n_parameters == 24
    assert problem.truth is not None
    assert problem.loss_of_densities(problem.truth[None])[0] == 0


def test_the_declared_quantities_regions_and_bounds_reach_the_problem():
    problem = tree_problem(
        {"regions": 3},
        free={"Na": 5, "leak": 1, "K": "all"},
        bounds={"Na": [0.1, 5], "leak": [0.5, 2]},
    )
    assert problem.free == ("Na", "K", "leak"), "in the neuron's order, whatever the declaration's"
    assert problem.n_parameters == 5 + 12 + 1
    defaults = problem.parameters.defaults
    np.testing.assert_allclose(problem.low / defaults, [0.1] * 5 + [0.3] * 12 + [0.5])
    np.testing.assert_allclose(problem.high / defaults, [5] * 5 + [3] * 12 + [2])
    listed = tree_problem({"regions": 3}, free=["K", "leak"])
    assert listed.n_parameters == 6


def test_what_is_not_free_is_known():
    """The truth varies the leak too and the fit only Na: K and the leak keep their true densities."""
    problem = tree_problem({"densities": {"kind": "lognormal", "seed": 1, "channels": ["Na", "K", "leak"]}}, free=["Na"])
    assert problem.truth is not None
    full = problem.full_densities(problem.truth[None])[0]
    default = problem.neuron.default_densities()
    assert all((full[c] != default[c]).all() for c in range(3))
    assert problem.loss_of_densities(problem.truth[None])[0] == 0
    with pytest.raises(ValueError, match=r"densities have shape \(2, 12\)"):
        replace(problem, fixed=full[:2])


def test_rows_of_tables_hold_the_parameter_of_the_compartments_region():
    config = tree_config({"regions": 2})
    problem = study.make_problem(config, "toy")
    result = study.run_fit(config | {"budget_equivalents": 100}, problem, "adam", 0)
    assert result.metadata["parameters"] == ("Na[0]", "Na[1]", "K[0]", "K[1]")
    table = fit_rows.density_rows(problem, result)
    assert len(table) == 24
    for row in table:
        p = problem.parameter_names.index(f"{row['channel']}[{row['region']}]")
        assert row["fitted"] == result.best_densities[p]
        assert problem.truth is not None
        assert row["true"] == problem.truth[p]
        assert row["unit"] == "S/cm2"


@pytest.mark.parametrize(
    ("free", "regions", "message"),
    [
        (("Ca",), {}, "free 'Ca' is not in neuron 'tree'; it has Na, K, leak, capacitance, axial_resistivity"),
        ((), {}, "must be one or more different names"),
        (("Na", "Na"), {}, "must be one or more different names"),
        (("Na",), {"K": 2}, "regions are given for 'K', which is not free"),
        (("Na",), {"Na": 13}, "regions is 13; a neuron of 12 compartments"),
        (("axial_resistivity",), {"axial_resistivity": 2}, "axial_resistivity has 2 regions"),
    ],
)
def test_quantities_that_cannot_be_free_are_named(free, regions, message):
    with pytest.raises(ValueError, match=message):
        make_parameters(TREE, free, regions)


def test_a_neuron_coupled_directly_has_no_axial_resistivity():
    with pytest.raises(ValueError, match="was coupled directly and has no axial resistivity"):
        make_parameters(make_neuron("chain", "hh"), ("axial_resistivity",))
    assert make_parameters(make_neuron("cable", "hh"), ("axial_resistivity",)).defaults.tolist() == [100.0]


@pytest.mark.parametrize(
    ("neuron", "problem", "message"),
    [
        ({}, {"free": ["Na", "capacitanse"]}, "problems.toy.free: 'capacitanse' is not in neuron 'tree'; did you mean 'capac"),
        ({}, {"bounds": {"Ka": [1, 2]}}, "problems.toy.bounds: 'Ka' is not in neuron 'tree'; did you mean 'K'"),
        ({}, {"bounds": {"K": [2, 1]}}, "problems.toy.bounds.K cross: 2 >= 1"),
        ({}, {"bounds": [2, 2]}, "problems.toy.bounds cross: 2 >= 2"),
        ({}, {"free": []}, "problems.toy.free"),
        ({}, {"free": {"Na": 0}}, "problems.toy.free"),
        ({"regions": "some"}, {}, "neurons.tree.regions"),
        (
            {"morphology": {"kind": "chain", "compartments": 12, "coupling_S_cm2": 1e-3}},
            {"free": ["Na", "axial_resistivity"]},
            "'tree' is coupled directly and has no axial resistivity",
        ),
    ],
)
def test_a_config_that_cannot_be_is_named(neuron, problem, message):
    with pytest.raises(ValueError, match=message):
        tree_config(neuron, **problem)


def test_true_values_are_checked():
    problem = tree_problem(regions=2)
    assert problem.true_values is not None
    with pytest.raises(ValueError, match="both given"):
        replace(problem, truth=problem.parameters.defaults)
    with pytest.raises(ValueError, match=r"true_values has shape \(2, 11\)"):
        replace(problem, true_values=problem.true_values[:, 1:])
    assert np.isnan(list(replace(problem, true_values=None).density_errors(problem.parameters.defaults).values())).all()


def test_the_documentation_counts_its_parameters_rightly():
    text = (Path(__file__).parents[1] / "docs/parameters.md").read_text()
    written = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    config = toy_config()
    rest = {"stimulated": [0], "recorded": [0]}
    config["problems"] = {name: config["problems"]["toy"] | rest | declared for name, declared in written["problems"].items()}
    config["neurons"] = written["neurons"]
    config = check_config(config)
    counts = {name: study.make_problem(config, name).n_parameters for name in config["problems"]}
    assert counts == {"dial_12": 12, "dial_48": 48, "dial_2": 2, "passive": 12}


def test_one_compartment_has_one_region():
    parameters = make_parameters(Neuron("soma", chain(1), HH), ("Na", "K"))
    assert parameters.names == ("Na", "K")
