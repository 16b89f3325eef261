"""What the figures compute before they draw; the drawing itself is run by tests/workflow."""

import re
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from gradevo.figure_tables.curves import CURVE_AXES, convergence_curves, profile_curves
from gradevo.figures.convergence import bends
from gradevo.figures.densities import columns_within, true_against_fitted
from gradevo.figures.kernels import entries, gradient_path, kernels, node_positions
from gradevo.figures.profiles import runtime_profiles
from gradevo.figures.style import LOOKS, looks, problem_label, save
from gradevo.kernels.elimination import plan_elimination
from gradevo.morphology import balanced_tree
from tests.workflow.running import ROOT


def history(seed: int, spent: list[float], losses: list[float]) -> pd.DataFrame:
    fit = {"problem": "p", "method": "m", "seed": seed, "simulation_equivalents": spent, "wall_s": spent, "best_loss": losses}
    return pd.DataFrame(fit | {"heldout_loss": np.nan, "density_error_median_rel": np.inf, "density_error_max_rel": 1.0})


def test_curves_hold_what_fits_had_and_bound_the_middle_half():
    fits = [
        history(0, [1.0, 10.0], [8.0, 4.0]),
        history(1, [2.0, 100.0], [6.0, 1.0]),
        history(2, [1.0, 5.0], [9.0, 5.0]),
    ]
    curves = convergence_curves(pd.concat(fits), ["p"])
    curve: Any = curves[curves["axis"] == "wall_s"]
    assert list(curve["spent"].iloc[[0, -1]]) == [2.0, 100.0]
    ends = ["best_loss", "best_loss_low", "best_loss_high"]
    assert list(curve[ends].iloc[0]) == [8.0, 6.0, 9.0]  # of three fits, the range
    assert list(curve[ends].iloc[-1]) == [4.0, 1.0, 5.0]
    assert (np.diff(curve["best_loss"]) <= 0).all()
    assert curve["heldout_loss"].isna().all()
    assert np.isposinf(curve["density_error_median_rel"]).all()


def test_thinned_profiles_are_the_profiles_at_their_costs():
    steps = {"problems": "p", "axis": "wall_s", "relative": False, "method": "m", "x": [1.0, 10.0, 100.0]}
    curve = profile_curves(pd.DataFrame(steps | {"solved": [1, 2, 4], "instances": 8, "share": [0.125, 0.25, 0.5]}), points=5)
    assert np.allclose(curve["cost"], [1, 10**0.5, 10, 10**1.5, 100])
    assert list(curve["share"]) == [0.125, 0.125, 0.25, 0.25, 0.5]


def test_every_look_is_different():
    known = list(LOOKS.values())
    assert len({look.color for look in known}) == len(known)
    assert len({look.marker for look in known}) == len(known)
    assert looks(["mine", "adam"])["mine"].color not in {look.color for look in known}


def test_labels():
    assert problem_label("tree24_0_all") == "tree24, 0 | all"
    assert problem_label("something") == "something"


def test_fits_without_a_finite_loss_do_not_stop_the_densities():
    densities = pd.DataFrame(
        {
            "problem": "p_all_all", "method": ["adam", "ibea"], "seed": 0, "channel": "Na", "compartment": 0, "region": 0,
            "unit": "S/cm2", "true": 0.1, "fitted": [0.11, np.nan],
        }
    )  # fmt: skip
    texts = [text.get_text() for ax in true_against_fitted(densities).axes for text in ax.texts]
    assert texts == ["10 %", "no finite fit"]
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


def test_a_curve_keeps_its_bends():
    """Of a staircase its corners, of a smooth curve what straight lines miss by a hundredth of a decade at most."""
    x = np.geomspace(1, 1e4, 41)
    stairs = np.where(x < 99, 1e3, 1e-3)
    assert bends(x, stairs).shape == (2, 4)
    smooth = 10 ** np.sin(np.log10(x))
    kept = bends(x, smooth)
    assert 4 < kept.shape[1] < 30
    between = np.interp(np.log10(x), *np.log10(kept))
    assert np.abs(between - np.log10(smooth)).max() <= 0.01


def test_files_are_small_and_show_the_same(tmp_path):
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots()
    x = np.geomspace(1, 1e3, 400)
    ax.loglog(x, x**-1.5, color="#0072B2")
    ax.fill_between(x, x**-1.7, x**-1.3, alpha=0.2, color="#0072B2", linewidth=0)
    paths = [tmp_path / f"plain.{ending}" for ending in ("svg", "png")]
    for path in paths:
        figure.savefig(path)
    before = paths[0].read_text()
    save(figure, [tmp_path / "slim.svg", tmp_path / "slim.png"])
    after = (tmp_path / "slim.svg").read_text()
    assert len(after) < 0.7 * len(before)
    for tag in ("<path", "<use", "<text"):
        assert after.count(tag) == before.count(tag)
    places = [
        [[float(n) for n in re.findall(r"-?\d+\.?\d*", d)] for d in re.findall(r'\bd="([^"]*)"', t)] for t in (before, after)
    ]
    assert all(np.allclose(a, b, rtol=0, atol=0.006) for a, b in zip(*places, strict=True))
    assert (tmp_path / "slim.png").stat().st_size < 0.7 * paths[1].stat().st_size
    plain, slim = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB"), dtype=int) for name in ("plain", "slim"))
    assert np.abs(plain - slim).max() <= 16


def test_shades_that_stand_for_numbers_keep_their_colours(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.subplots().imshow(np.linspace(0, 1, 900).reshape(1, -1), aspect="auto")
    save(figure, [tmp_path / "shades.png"])
    assert Image.open(tmp_path / "shades.png").mode != "P"


@pytest.mark.parametrize("width_in", [3.4, 5.0, 7.0])
def test_a_legend_of_many_channels_stays_in_a_narrow_figure(width_in):
    labels = ["NaTa", "Kv31", "Im", "Ih", "leak", "x: median of highest / lowest of the seeds"]
    with matplotlib.rc_context(fname=ROOT / "figures/matplotlibrc"):
        figure = Figure(figsize=(width_in, 2.0), layout="constrained")
        figure.subplots()
        handles = [Line2D([], [], linestyle="none", marker="o", label=label) for label in labels]
        columns = columns_within(labels, width_in)
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns)
        figure.draw_without_rendering()
        box = legend.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    assert box.x0 >= 0
    assert box.x1 <= width_in
    assert columns > 1


@pytest.mark.parametrize(("share", "said"), [(0.0, 2), (0.5, 0)])
def test_profiles_say_where_nobody_reached_a_target(share, said):
    curve = {"problems": "toy", "method": "lbfgs", "instances": 9, "cost": [1.0, 2.0], "share": [0.0, share]}
    curves = pd.concat([pd.DataFrame(curve).assign(axis=axis) for axis in CURVE_AXES])
    figure = runtime_profiles({"profile_curves": curves})
    assert sum(text.get_text() == "no fit reached a target" for ax in figure.axes for text in ax.texts) == said
