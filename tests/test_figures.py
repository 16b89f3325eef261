"""What the figures compute before they draw; the drawing itself is run by tests/workflow."""

import numpy as np
import pandas as pd

from gradevo.figures.convergence import convergence, median_and_range
from gradevo.figures.cost import cost_to_target
from gradevo.figures.densities import true_against_fitted
from gradevo.figures.kernels import entries, gradient_path, kernels, node_positions
from gradevo.figures.neurons import example_sites
from gradevo.figures.style import LOOKS, looks, problem_label
from gradevo.kernels.elimination import plan_elimination
from gradevo.morphology import balanced_tree
from gradevo.statistics import COST_COLUMNS


def test_anytime_median_holds_the_last_value():
    runs = [
        (np.array([1.0, 10.0]), np.array([8.0, 4.0])),
        (np.array([2.0, 100.0]), np.array([6.0, 1.0])),
        (np.array([1.0, 5.0]), np.array([9.0, 5.0])),
    ]
    grid, median, low, high = median_and_range(runs, points=400)
    assert grid[0] == 2.0
    assert grid[-1] == 100.0
    assert (median[0], low[0], high[0]) == (8.0, 6.0, 9.0)
    assert (median[-1], low[-1], high[-1]) == (4.0, 1.0, 5.0)
    assert (np.diff(median) <= 0).all()


def test_every_look_is_different():
    known = list(LOOKS.values())
    assert len({look.color for look in known}) == len(known)
    assert len({look.marker for look in known}) == len(known)
    assert looks(["mine", "adam"])["mine"].color not in {look.color for look in known}


def test_labels():
    assert problem_label("tree24_0_all") == "tree24, 0 | all"
    assert problem_label("something") == "something"


def test_example_sites_are_near_middle_and_far():
    distance = np.array([0.0, 50.0, 100.0, 150.0, 210.0])
    assert example_sites([0, 1, 2, 3, 4], distance) == [0, 2, 4]
    assert example_sites([3], distance) == [0]


def test_fits_without_a_finite_loss_do_not_stop_the_figures():
    """A study in which a method never saw a finite loss still has its figures."""
    history = pd.DataFrame(
        {
            "problem": "p_all_all", "method": ["adam", "adam", "ibea"], "seed": 0, "event": [0, 1, 0],
            "best_loss": [2.0, 1.0, np.inf], "simulation_equivalents": [1.0, 2.0, 1.0], "wall_s": [0.1, 0.2, 0.1],
        }
    )  # fmt: skip
    assert len(convergence(history, {"p_all_all": 1e-3}).axes) == 2
    summary = pd.DataFrame({"problem": "p_all_all", "method": ["adam", "ibea"], "seed": 0, "n_parameters": 12})
    for axis, column in COST_COLUMNS.items():
        summary[axis], summary[column] = 5.0, [3.0, np.nan]
    cost = cost_to_target(summary)
    cost.canvas.draw()
    densities = pd.DataFrame(
        {
            "problem": "p_all_all", "method": ["adam", "ibea"], "seed": 0, "channel": "Na", "compartment": 0,
            "unit": "S/cm2", "true": 0.1, "fitted": [0.11, np.nan],
        }
    )  # fmt: skip
    fitted = true_against_fitted(densities)
    texts = [text.get_text() for ax in fitted.axes for text in ax.texts]
    assert texts == ["10 %", "no finite fit"]
    passive = pd.concat([densities, densities.assign(channel="capacitance", unit="uF/cm2", true=1.0, fitted=2.0)])
    assert [text.get_text() for ax in true_against_fitted(passive).axes for text in ax.texts] == texts
    assert true_against_fitted(densities.assign(unit="uF/cm2")).texts[0].get_text() == "no problem fits densities"


def test_picture_of_the_kernels():
    """It is drawn from the code's own plans: every node once, no fill on a tree, fill on a cycle; each step backwards once."""
    tree = balanced_tree(2)
    plan = plan_elimination(tree.n_nodes, tree.edges)
    pairs, fill = entries(plan)
    assert len(pairs) == tree.n_nodes - 1
    assert not fill.any()
    assert (pairs[:, 0] < pairs[:, 1]).all()
    at = node_positions(tree)
    assert len(np.unique(at.round(6), axis=0)) == tree.n_nodes
    back = [step for what, begin, end in gradient_path(36) if what == "backward" for step in range(begin, end, -1)]
    assert back == list(range(36, 0, -1))
    assert len(kernels().axes) == 6
