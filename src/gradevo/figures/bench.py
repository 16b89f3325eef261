"""The benchmark: time at the headline size, and time against the amount of work."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradevo.figures.style import PAGE_IN, Look, label_log_axis

SIMULATOR_LOOKS = {
    "gradevo": Look("gradevo", "#0072B2", "o", "-"),
    "jaxley": Look("Jaxley", "#D55E00", "^", "--"),
    "neuron": Look("NEURON", "#555555", "s", ":"),
}
PASS_LABELS = {"forward": "forward", "gradient": "loss + gradient"}


Row = dict[str, Any]


def bench_figure(found: dict[str, Any]) -> Figure:
    """What ``gradevo bench`` found (the contents of bench.json).

    Every simulator at the headline size, with whiskers to its fastest and slowest run. Where other sizes were timed: float64
    medians against compartments x simulations x steps, at the best number of cores, with densities of their own everywhere.
    """
    timings = [one for one in found["timings"] if "skipped" not in one]
    case = found["headline_case"]
    headline = [
        one for one in timings if all(one[key] == case[key] for key in ("compartments", "simulations", "steps", "densities"))
    ]
    double = [one for one in timings if one["precision"] == "float64" and one["densities"] > 2]
    panels = 2 if len({_work(one) for one in double}) > 1 else 1
    figure = Figure(figsize=(PAGE_IN if panels == 2 else PAGE_IN * 0.6, 2.9), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _dots(axes[0], headline)
    axes[0].set_title("{compartments} compartments, {simulations} simulations, {steps} steps".format(**case))
    if panels == 2:
        _prices(axes[1], double)
    return figure


def _work(one: Row) -> int:
    return one["compartments"] * one["simulations"] * one["steps"]


def _dots(ax: Axes, headline: list[Row]) -> None:
    """A group of dots for each pass, one for each simulator, precision and number of cores, slowest first; open for float32."""
    ticks, position = [], 0.0
    for what, label in PASS_LABELS.items():
        ax.annotate(
            label, (0.0, position - 1.0), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontweight="bold",
        )  # fmt: skip
        for one in sorted((one for one in headline if one["what"] == what), key=lambda one: -one["median_s"]):
            look, single = SIMULATOR_LOOKS[one["simulator"]], one["precision"] == "float32"
            ax.plot([one["min_s"], one["max_s"]], [position, position], color=look.color, linewidth=0.8)
            ax.plot(one["median_s"], position, look.marker, color=look.color, fillstyle="none" if single else "full")
            ax.annotate(
                f"{one['median_s']:.3g} s", (one["max_s"], position), xytext=(5, 0), textcoords="offset points", va="center",
                fontsize="x-small",
            )  # fmt: skip
            cores = "1 core" if one["threads"] == 1 else f"{one['threads']} cores"
            ticks.append((position, f"{look.label}, {'32' if single else '64'} bit, {cores}"))
            position += 1.0
        position += 1.6
    ax.set_yticks([at for at, _ in ticks], [text for _, text in ticks])
    ax.set_ylim(position - 2.0, -1.8)
    ax.set_xscale("log")
    times = [one[end] for one in headline for end in ("min_s", "max_s")]
    ax.set_xlim(min(times) / 2.0, max(times) * 5.0)
    ax.grid(axis="x", linewidth=0.3, color="0.85")
    ax.set_xlabel("time (s)")


def _prices(ax: Axes, double: list[Row]) -> None:
    """What a compartment's step costs at every size: filled markers for gradients, open ones for forward passes. A cost in
    proportion to the work is a level row of markers."""
    handles = []
    for name, look in SIMULATOR_LOOKS.items():
        for what, filled in (("gradient", True), ("forward", False)):
            best: dict[tuple[int, int, int], float] = {}
            for one in double:
                if one["simulator"] == name and one["what"] == what:
                    size = (one["compartments"], one["simulations"], one["steps"])
                    best[size] = min(best.get(size, float("inf")), one["median_s"])
            if best:
                work = [n * simulations * steps for n, simulations, steps in best]
                (marks,) = ax.plot(
                    work, [1e9 * s / w for s, w in zip(best.values(), work, strict=True)], look.marker, color=look.color,
                    markersize=4, fillstyle="full" if filled else "none", label=f"{look.label}, {PASS_LABELS[what]}",
                )  # fmt: skip
                handles.append(marks)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("compartments x simulations x steps")
    ax.set_ylabel("time per compartment and step (ns)")
    for axis in ("x", "y"):
        label_log_axis(ax, axis)
    # room for the legend above the marks
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.6)
    ax.legend(handles=handles, loc="upper right")
