"""The picture of docs/kernels.md: a step and its adjoint, elimination, lanes, and the path of a gradient with checkpoints.

``make docs`` (``python -m gradevo.figures.kernels docs``) draws it anew. Orders, fill and checkpoints come from the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gradevo.figures.style import PAGE_IN, save
from gradevo.kernels.codegen import VECTOR_BYTES
from gradevo.kernels.elimination import Elimination, plan_elimination
from gradevo.morphology import Morphology, balanced_tree, from_adjacency

FORWARD, BACKWARD, FAINT = "#0072B2", "#D55E00", "#CCCCCC"
LANES = VECTOR_BYTES // 8
STATES = ("V", "m", "h", "n")

# Panel a: what is known at each place, forward and backward; and what leads from one place to the next, in both directions.
STAGES = (
    (0.0, r"$V,\ x$", r"$\bar V,\ \bar x$"),
    (3.2, r"$x^{+}$", r"$\bar x^{+}$"),
    (6.6, r"$V^*$", r"$\mu = M^{-1}\,\bar V^{+} /\, \theta$"),
    (10.0, r"$V^{+},\ x^{+}$", r"$\bar V^{+},\ \bar x^{+}$"),
)
FORWARDS = (
    "gates relax towards $x_\\infty(V)$:\nexponentials",
    "$M(x^{+})\\, V^* = AV + \\Sigma gE + I$:\none solve",
    "$V^{+} = V + (V^* - V)\\, /\\, \\theta$",
)
BACKWARDS = (
    "$\\partial x^+/\\partial V$ and $e^{-h/\\tau}$,\nkept with the states",
    "$\\bar g_c = \\mu\\,(E_c - V^*)$ to densities\nand gates",
    "the same matrix $M$:\none solve",
)


def kernels() -> Figure:
    """All panels."""
    figure = Figure(figsize=(PAGE_IN, 6.2))
    rows = figure.add_gridspec(3, 6, height_ratios=(1.0, 1.25, 1.15))
    _step(figure.add_subplot(rows[0, :]))
    tree = balanced_tree(2, length_um=200.0)
    plan = plan_elimination(tree.n_nodes, tree.edges)
    _tree(figure.add_subplot(rows[1, :2]), tree, plan)
    _matrix(figure.add_subplot(rows[1, 2:4]), plan, "c  its matrix: no fill")
    cycle = from_adjacency(_cycle(), 0.5e-3)
    plan = plan_elimination(cycle.n_nodes, cycle.edges)
    _matrix(figure.add_subplot(rows[1, 4:]), plan, "d  a cycle of six: fill")
    _lanes(figure.add_subplot(rows[2, :3]))
    _checkpoints(figure.add_subplot(rows[2, 3:]), n_steps=36)
    return figure


def _step(ax: Axes) -> None:
    """One step forward (above) and the same step backward (below)."""
    ax.set(xlim=(-0.3, 10.3), ylim=(-1.55, 1.6), title="a  one step, and the same step backwards")
    ax.axis("off")
    for x, *texts in STAGES:
        for text, y, color in zip(texts, (0.75, -0.75), (FORWARD, BACKWARD), strict=True):
            ax.text(x, y, text, ha="center", va="center", fontsize=9, color=color)
    for (left, *_), (right, *_), forward, backward in zip(STAGES, STAGES[1:], FORWARDS, BACKWARDS, strict=False):
        a, b = left + 0.75, right - 0.75
        _arrow(ax, (a, 0.75), (b, 0.75), FORWARD)
        _arrow(ax, (b, -0.75), (a, -0.75), BACKWARD)
        ax.text((a + b) / 2, 0.9, forward, ha="center", va="bottom", fontsize=6.5)
        ax.text((a + b) / 2, -0.9, backward, ha="center", va="top", fontsize=6.5)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.0, "shrinkA": 0, "shrinkB": 0})


def node_positions(morphology: Morphology) -> np.ndarray:
    """[nodes, 2] um: centres of compartments, and branch points at the end of the compartment they follow."""
    m, n = morphology, morphology.n_compartments
    at = np.zeros((m.n_nodes, 2))
    at[:n] = (m.start_um + m.end_um)[:, :2] / 2
    for i, j in np.sort(m.edges, axis=1):
        if j >= n and m.parents[i] not in m.edges[(m.edges == j).any(axis=1)]:
            at[j] = m.end_um[i, :2]
    return at


def _tree(ax: Axes, tree: Morphology, plan: Elimination) -> None:
    at, n = node_positions(tree), tree.n_compartments
    for i, j in tree.edges:
        ax.plot(*at[[i, j]].T, color=FAINT, lw=2, zorder=1)
    ax.scatter(*at[:n].T, s=70, color="white", edgecolor=FORWARD, zorder=2)
    ax.scatter(*at[n:].T, s=70, color="white", edgecolor="black", linestyle=":", zorder=2)
    for position, node in enumerate(plan.order):
        ax.text(at[node, 0], at[node, 1], str(position), ha="center", va="center", fontsize=6, zorder=3)
    ax.set(aspect="equal", title="b  leaves first (dotted: branch points)")
    ax.margins(0.12)
    ax.axis("off")


def entries(plan: Elimination) -> tuple[np.ndarray, np.ndarray]:
    """(row, column) [entries, 2] of the matrix in the order of elimination, and which of them are fill [entries]."""
    place = np.argsort(plan.order)
    owner = np.repeat(np.arange(len(plan.order)), np.diff(plan.start))
    return np.column_stack([owner, place[plan.column]]), plan.fill


def _matrix(ax: Axes, plan: Elimination, title: str) -> None:
    size = len(plan.order)
    pairs, fill = entries(plan)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    filled = np.concatenate([fill, fill])
    ax.scatter(np.arange(size), np.arange(size), marker="s", s=16, color=FAINT)
    ax.scatter(*both[~filled].T, marker="s", s=16, color=FORWARD)
    ax.scatter(*both[filled].T, marker="x", s=16, color=BACKWARD)
    ax.set(aspect="equal", xlim=(-0.8, size - 0.2), ylim=(size - 0.2, -0.8), title=title)
    ax.set(xlabel="node, in the order of elimination")
    ax.set_xticks([0, size - 1])
    ax.set_yticks([0, size - 1])


def _cycle() -> np.ndarray:
    """Six compartments in a ring, one of them with a tail of two."""
    matrix = np.zeros((8, 8), dtype=int)
    for i, j in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (2, 6), (6, 7)]:
        matrix[i, j] = matrix[j, i] = 1
    return matrix


def _lanes(ax: Axes) -> None:
    """Memory of a block: compartments, in each its variables, in each its lanes."""
    ax.set(xlim=(-2.6, LANES + 4.2), ylim=(2 * len(STATES) + 0.3, -1.5), title="e  lanes: one row is one vector instruction")
    ax.axis("off")
    for row in range(2 * len(STATES)):
        compartment, state = divmod(row, len(STATES))
        for lane in range(LANES):
            chosen = lane == 2
            ax.add_patch(Rectangle((lane, row), 1, 1, facecolor="#F5C9A6" if chosen else "white", edgecolor="#999999", lw=0.5))
        ax.text(-0.3, row + 0.5, STATES[state], ha="right", va="center", fontstyle="italic")
        if state == 0:
            ax.text(-1.2, row + 2, f"compartment {compartment}", rotation=90, ha="center", va="center", fontsize=5)
    for lane in range(LANES):
        ax.text(lane + 0.5, -0.3, str(lane), ha="center", va="bottom", fontsize=6)
    notes = (
        (1.0, "a lane: one simulation\n(candidate, stimulus)"),
        (4.0, "next in memory:\nto the right, then down"),
        (7.0, "tangents: one simulation,\na lane is a direction"),
    )
    for y, note in notes:
        ax.text(LANES + 0.3, y, note, va="center", fontsize=6.5)


def gradient_path(n_steps: int) -> list[tuple[str, int, int]]:
    """The parts of a gradient with checkpoints, in order: (what is done, from step, to step)."""
    every = int(np.ceil(np.sqrt(n_steps)))  # the most that kernels/cpu.py takes
    path = [("forward", 0, n_steps)]
    for begin in reversed(range(0, n_steps, every)):
        end = min(begin + every, n_steps)
        path += [("again", begin, end), ("backward", end, begin)]
    return path


def _checkpoints(ax: Axes, n_steps: int) -> None:
    looks = {
        "forward": (FORWARD, "-", "forward"),
        "again": (FORWARD, ":", "again, every state kept"),
        "backward": (BACKWARD, "-", "backward"),
    }
    done, labelled = 0, set()
    for part, begin, end in gradient_path(n_steps):
        color, dash, label = looks[part]
        after = done + abs(end - begin)
        ax.plot((done, after), (begin, end), dash, color=color, label=None if part in labelled else label)
        if part == "forward":
            kept = [b for what, b, _ in gradient_path(n_steps) if what == "again"]
            ax.plot(kept, kept, "o", color="black", markersize=3.5, label="kept states")
        labelled.add(part)
        done = after
    ax.set(xlabel="steps computed", ylabel="step of the simulation", title="f  a gradient with checkpoints")
    ax.legend(loc="upper right")
    ax.set(xlim=(0, done), ylim=(0, 1.45 * n_steps), yticks=[0, n_steps], xticks=[0, n_steps, done])


if __name__ == "__main__":
    matplotlib.rc_file("figures/matplotlibrc")
    with matplotlib.rc_context({"savefig.dpi": 130}):
        save(kernels(), [Path(sys.argv[1]) / "kernels.png"])
