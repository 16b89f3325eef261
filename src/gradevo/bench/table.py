"""The closing table of ``gradevo bench``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def bench_table(found: dict[str, Any]) -> Table:
    """The headline size: everyone's passes, and how they agreed."""
    from rich.table import Table

    case, headline = found["headline_case"], found["headline"]
    table = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        title=f"{case['compartments']} compartments, {case['simulations']} simulations, {case['steps']} steps, "
        f"{case['densities']} densities",
        caption=f"largest difference of voltages: NEURON {headline['max_abs_dv_neuron_mV']:.1g} mV, "
        f"Jaxley {headline['max_abs_dv_jaxley_mV']:.1g} mV; of gradients: Jaxley {headline['gradient_rel_diff_jaxley']:.1g}",
    )
    for name in ("simulator", "precision", "cores", "pass", "median s", "min", "max", "ratio"):
        table.add_column(name, justify="left" if name in ("simulator", "precision", "pass") else "right")
    for one in found["timings"]:
        if any(one[key] != case[key] for key in ("compartments", "simulations", "steps", "densities")):
            continue
        ratio = one["median_s"] / headline[f"gradevo_{one['what']}_s"]
        table.add_row(
            one["simulator"], one["precision"], str(one["threads"]), one["what"],
            f"{one['median_s']:.3g}", f"{one['min_s']:.3g}", f"{one['max_s']:.3g}", f"{ratio:.2g}",
        )  # fmt: skip
    return table
