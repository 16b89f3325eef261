"""Steady states and time constants of a channel set, and the page docs/channels.md, both from the declarations.

``make docs`` (``python -m gradevo.figures.channels docs``) draws the figures and writes the page anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import sympy as sp
from matplotlib.figure import Figure
from sympy.printing.str import StrPrinter

from gradevo.channels import CHANNEL_SETS
from gradevo.channels.base import ChannelSet, Gate, V
from gradevo.figures.style import PAGE_IN, channel_looks, label_log_axis, save

VOLTAGES_MV = np.linspace(-120.0, 60.0, 361)
"""Where the curves are drawn."""

_DASHES = ("-", "--", ":")


def _linoid(x: np.ndarray) -> np.ndarray:
    safe = np.where(np.abs(x) < 1e-6, 1.0, x)
    return np.where(np.abs(x) < 1e-6, 1 + x / 2, -safe / np.expm1(-safe))


_FUNCTIONS: dict[str, Callable] = {
    "linoid": _linoid,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "at_least": np.maximum,
}


def curve(expression: sp.Expr, voltages_mV: np.ndarray) -> np.ndarray:
    """A declared expression at each voltage."""
    value = sp.lambdify(V, expression, modules=[_FUNCTIONS, "numpy"])(voltages_mV)
    return np.broadcast_to(np.asarray(value, dtype=float), voltages_mV.shape)


def channel_curves(channels: ChannelSet) -> Figure:
    """Left the gates' steady states, right the time constants of those that have one, a colour per channel."""
    figure = Figure(figsize=(PAGE_IN * 0.8, 2.2))
    steady, slow = figure.subplots(1, 2)
    gated = [c for c in channels.channels if c.gates]
    looks = channel_looks([c.name for c in gated])
    for channel in gated:
        color = looks[channel.name].color
        for gate, dash in zip(channel.gates, _DASHES, strict=False):
            label = f"{channel.name.replace('_', ' ')}: {gate.name}"
            steady.plot(VOLTAGES_MV, curve(gate.infinity, VOLTAGES_MV), dash, color=color, label=label)
            if not gate.instantaneous:
                slow.plot(VOLTAGES_MV, curve(1 / gate.rate, VOLTAGES_MV), dash, color=color)
    steady.set(ylabel="steady state", xlabel="membrane potential (mV)", ylim=(-0.03, 1.03))
    slow.set(ylabel="time constant (ms)", xlabel="membrane potential (mV)", yscale="log")
    label_log_axis(slow, "y")
    figure.legend(loc="outside right center")
    return figure


class _ShortPrinter(StrPrinter):
    def _print_Float(self, expr: sp.Float) -> str:
        return f"{float(expr):.6g}"


_SHORT = _ShortPrinter()


def _formulas(gate: Gate) -> list[str]:
    if gate.alpha is not None:
        return [f"alpha = {_SHORT.doprint(gate.alpha)}", f"beta  = {_SHORT.doprint(gate.beta)}"]
    tau = "0 (instantaneous)" if gate.instantaneous else _SHORT.doprint(gate.time_constant)
    return [f"inf = {_SHORT.doprint(gate.infinity)}", f"tau = {tau}"]


def _section(channels: ChannelSet) -> str:
    rows = [
        f"| {c.name} | {c.density_S_cm2:.4g} | {c.reversal_mV:.4g} | "
        f"{' '.join(g.name + (f'^{g.power}' if g.power > 1 else '') for g in c.gates) or '1'} |"
        for c in channels.channels
    ]
    formulas = []
    for channel in channels.channels:
        for gate in channel.gates:
            title = f"{channel.name} {gate.name}"
            formulas += [f"{title if k == 0 else '':<12} {line}" for k, line in enumerate(_formulas(gate))]
    start = "" if channels.gate_voltage_mV is None else f", gates at their steady state for {channels.gate_voltage_mV:.4g} mV"
    return "\n".join(
        [
            f"## {channels.name}",
            "",
            f"{channels.source}.",
            "",
            f"Capacitance {channels.capacitance_uF_cm2:.4g} uF/cm2; starts at {channels.initial_voltage_mV:.4g} mV{start}; "
            f"fitted unless a study says otherwise: {', '.join(channels.free)}.",
            "",
            "| channel | density (S/cm2) | reversal (mV) | gates |",
            "|---|---|---|---|",
            *rows,
            "",
            f"![Steady states and time constants of {channels.name}](channels/{channels.name}.png)",
            "",
            "```text",
            *formulas,
            "```",
            "",
        ]
    )


_INTRODUCTION = """\
# Channels

This page and its figures are written from the declarations in `src/gradevo/channels/` by `make docs`; edit those, not this.

A channel passes density x gates x (V - reversal). A gate x follows dx/dt = alpha (1 - x) - beta x, or dx/dt = (inf - x) / tau; V
is in mV, times in ms, rates in 1/ms. linoid(x) = x / (1 - exp(-x)); sigmoid(x) = 1 / (1 + exp(-x)); softplus(x) =
ln(1 + exp(x)); at_least(x, a) is the larger of the two. Temperature is part of the constants.

In a study, `channels: hh` names one set. `channels: [hh, ih, k_a]` takes the first as the membrane (capacitance, leak, initial
state) and adds the channels of the others but their leaks. `ih`, `k_a` and their distal forms are meant for that.

Every channel is compared with NEURON, through the mechanism that `gradevo.nmodl` writes from the same declaration: within 1e-6
mV over 100 ms of spiking (`tests/test_neuron_agreement.py`). How to add one: [adding_a_channel.md](adding_a_channel.md).
"""


def channels_page() -> str:
    """The text of docs/channels.md."""
    return "\n".join([_INTRODUCTION, *(_section(s) for s in CHANNEL_SETS.values())])


def write_docs(folder: Path) -> None:
    """channels.md and channels/<name>.png in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for channels in CHANNEL_SETS.values():
        with matplotlib.rc_context({"savefig.dpi": 110}):
            save(channel_curves(channels), [folder / "channels" / f"{channels.name}.png"])
    (folder / "channels.md").write_text(channels_page())


if __name__ == "__main__":
    matplotlib.rc_file("figures/matplotlibrc")
    write_docs(Path(sys.argv[1]))
