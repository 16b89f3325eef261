"""What the figures share: how a method, a channel and a problem look everywhere, and how a figure is saved."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gradevo.files import write_aside

PAGE_IN = 7.0
"""Width of a figure over both columns of a page, inches."""


class Look(NamedTuple):
    """A method's name in print, colour, marker and line style."""

    label: str
    color: str
    marker: str
    line: Literal["-", "--", ":"]


# Okabe and Ito's colour-blind safe palette first. Cold and solid for gradient methods, warm and dashed for evolutionary
# ones, grey and dotted for those without memory, so that the family shows in grey prints too. Markers differ throughout.
LOOKS = {
    "adam": Look("Adam", "#0072B2", "o", "-"),
    "lbfgs": Look("L-BFGS", "#56B4E9", "s", "-"),
    "levenberg_marquardt": Look("Levenberg-Marquardt", "#000000", "*", "-"),
    "cma_lbfgs": Look("CMA-ES, L-BFGS", "#009E73", "p", "-"),
    "lbfgs_fd": Look("L-BFGS, differences", "#332288", "h", ":"),
    "cma_es": Look("CMA-ES", "#D55E00", "^", "--"),
    "sep_cma_es": Look("diagonal CMA-ES", "#F0A080", "<", "--"),
    "bluepyopt_cma": Look("BluePyOpt CMA-ES", "#882255", ">", "--"),
    "differential_evolution": Look("differential evolution", "#AA4499", "d", "--"),
    "genetic": Look("genetic algorithm", "#E69F00", "D", "--"),
    "ibea": Look("IBEA", "#CC79A7", "v", "--"),
    "bluepyopt_neuron_mse": Look("BluePyOpt on NEURON, voltage", "#661100", "8", "--"),
    "bluepyopt_neuron_efel": Look("BluePyOpt on NEURON, eFEL", "#999933", "H", "--"),
    "jaxley_adam": Look("Jaxley, Adam", "#117733", "$\\spadesuit$", "-"),
    "random_search": Look("random", "#777777", "X", ":"),
    "sobol": Look("Sobol", "#AAAAAA", "P", ":"),
}
_SPARE = (("#44AA99", "$\\clubsuit$"), ("#88CCEE", "$\\diamondsuit$"), ("#F0E442", "."))


class ChannelLook(NamedTuple):
    """A channel's colour and marker."""

    color: str
    marker: str


_POTASSIUM = ChannelLook("#DDAA33", "^")
CHANNEL_LOOKS = {
    "Na": ChannelLook("#332288", "o"),
    "K": _POTASSIUM,
    "Kd": _POTASSIUM,
    "M": ChannelLook("#AA4499", "v"),
    "CaT": ChannelLook("#117733", "s"),
    "Ih": ChannelLook("#88CCEE", "D"),
    "Ih_distal": ChannelLook("#44AA99", "d"),
    "KA": ChannelLook("#CC6677", "<"),
    "KA_distal": ChannelLook("#882255", ">"),
}
_SPARE_CHANNELS = (
    ChannelLook("#999933", "p"),
    ChannelLook("#661100", "h"),
    ChannelLook("#6699CC", "X"),
    ChannelLook("#888888", "P"),
)

S_CM2_TO_MS_CM2 = 1e3


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """A look for each method, in the order of LOOKS; methods that have none get the spare ones, in the given order."""
    given = list(dict.fromkeys(methods))
    known = {name: look for name, look in LOOKS.items() if name in given}
    others = [name for name in given if name not in LOOKS]
    spare = {name: Look(name, *_SPARE[i % len(_SPARE)], ":") for i, name in enumerate(others)}
    return known | spare


def channel_looks(channels: Iterable[str]) -> dict[str, ChannelLook]:
    """A look for each channel, in the given order; those without one of their own get the spare ones."""
    others = [name for name in dict.fromkeys(channels) if name not in CHANNEL_LOOKS]
    spare = {name: _SPARE_CHANNELS[i % len(_SPARE_CHANNELS)] for i, name in enumerate(others)}
    return {name: CHANNEL_LOOKS.get(name) or spare[name] for name in dict.fromkeys(channels)}


def density_symbol(channel: str) -> str:
    """A g with the channel's name as its subscript, for matplotlib."""
    subscript = channel.replace("_", r"\ ")
    return f"$g_{{{subscript}}}$"


def rows(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """The rows in which each named column has the given value."""
    for column, value in values.items():
        table = table.loc[table[column] == value]  # pyright: ignore[reportAssignmentType]
    return table


def problem_label(name: str) -> str:
    """``tree24_0_all`` as ``tree24, 0 | all``: neuron, then stimulated | recorded, all or a number;
    other names with spaces."""
    match = re.fullmatch(r"([A-Za-z0-9]+)_(all|\d+)_(all|\d+)", name)
    return f"{match[1]}, {match[2]} | {match[3]}" if match else name.replace("_", " ")


def method_legend(figure: Figure, methods: dict[str, Look], *, markers: bool = True, extra: list[Line2D] | None = None):
    """One legend under the whole figure."""
    handles = [
        Line2D([], [], color=look.color, marker=look.marker if markers else None, linestyle=look.line, label=look.label)
        for look in methods.values()
    ]
    handles += extra or []
    if not handles:
        return
    # as many columns as fit beside each other, the longest label being the measure (0.06 inches a letter)
    widest = 0.4 + 0.06 * max(len(str(handle.get_label())) for handle in handles)
    per_row = max(2, int(figure.get_figwidth() / widest))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), per_row), handlelength=2.4)


def label_log_axis(ax: Axes, axis: str) -> None:
    """Tick labels of a logarithmic axis ("x" or "y") once its limits are known.

    A few powers of ten, or plain numbers at 1, 2 and 5 where the limits are less than two decades apart.
    """
    target, limits = (ax.xaxis, ax.get_xlim()) if axis == "x" else (ax.yaxis, ax.get_ylim())
    if limits[1] < 100 * limits[0]:
        target.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        target.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e5 else f"{value:.0e}"))
    else:
        target.set_major_locator(LogLocator(numticks=5))
    target.set_minor_formatter(NullFormatter())


COST_LABELS = {"simulation_equivalents": "simulation-equivalents", "wall_s": "wall-clock time (s)"}
"""Axes of cost that are drawn."""


def letter(ax: Axes, text: str) -> None:
    """A panel's letter, left of its title."""
    ax.annotate(
        text, (0, 1), xycoords="axes fraction", xytext=(-22, 5), textcoords="offset points", fontsize=9, fontweight="bold",
        va="bottom", annotation_clip=False,
    )  # fmt: skip


def mark(figure: Figure, text: str) -> None:
    """A remark on the figure itself, above everything else."""
    figure.suptitle(text, x=0.99, ha="right", fontsize=6, color="#B00000")


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure in each path's format, aside first, so that nobody sees half a file."""
    # laid out once, and not again for each format
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for path in map(Path, paths):
        # no date in the file: the same figure is the same bytes
        metadata = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(path.suffix)
        write_aside(path, partial(_write, figure, metadata=metadata))


def _write(figure: Figure, path: Path, *, metadata: dict[str, Any] | None) -> None:
    figure.savefig(path, metadata=metadata)
    if path.suffix == ".svg":
        path.write_text(slim_svg(path.read_text()))
    elif path.suffix == ".png" and not _has_shades(figure):
        slim_png(path)


def _has_shades(figure: Figure) -> bool:
    """Whether colours stand for numbers in it: they need more than a palette has."""
    mapped = figure.findobj(lambda artist: isinstance(artist, ScalarMappable))
    return any(artist.get_array() is not None for artist in mapped)  # pyright: ignore[reportAttributeAccessIssue]


def slim_svg(text: str) -> str:
    """Places to a hundredth of a point, which is finer than any printer; no indentation, no groups around single ticks, and
    no style of a tick that its definition has."""

    def rounded(match: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), match[0])

    text = re.sub(r"\n +(?=<)", "\n", re.sub(r'\b(?:d|x|y)="[^"]*"', rounded, text))
    text = re.sub(r'<g id="line2d_\d+">\n<g>\n(<use [^>]*/>)\n</g>\n</g>', r"\1", text)
    styles = dict(re.findall(r'<path id="(\w+)" d="[^"]*" (style="[^"]*")/>', text))
    return re.sub(
        r'(<use xlink:href="#(\w+)"[^>]*) (style="[^"]*")/>',
        lambda use: f"{use[1]}/>" if styles.get(use[2]) == use[3] else use[0],
        text,
    )


def slim_png(path: Path) -> None:
    """With a palette, where its 256 colours show all but one pixel in 200 as they are: a third of the size."""
    with Image.open(path) as opened:
        image, dots = opened.convert("RGB"), opened.info.get("dpi")
    small = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    off = np.abs(np.asarray(small.convert("RGB"), dtype=int) - np.asarray(image, dtype=int)).max(axis=2)
    if (off > 16).mean() < 1 / 200:
        small.save(path, format="PNG", optimize=True, dpi=dots)
