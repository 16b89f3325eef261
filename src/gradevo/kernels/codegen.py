"""From a channel declaration to the source of its fused kernel.

The generated module is primitives.py, the channel set's code, driver.py, across_driver.py, tangent_driver.py, squares.py and
comparison_driver.py, in one file (modules.py).
"""

import ast
import hashlib
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import sympy as sp

from gradevo.channels.base import ChannelSet, Gate, V
from gradevo.channels.expressions import evaluate
from gradevo.kernels.expressions import assignments
from gradevo.kernels.modules import module_once
from gradevo.kernels.rounding import fuse_first

VOLTAGE_LIMIT_MV = 1e4
"""A simulation that ends outside this range, or as NaN, is flagged as diverged."""

VECTOR_BYTES = 64
"""A vector of lanes: one AVX-512 register, or two of AVX2."""

USUAL_STEP_MS, USUAL_MV = 0.025, (-80.0, -40.0, 0.0, 40.0)
"""What a gate is judged by when code is made that is quick for short steps, and right for all."""

_KEEPING = {"run_steps": "run_kept", "run_across": "run_kept_across"}
"""Functions of the drivers, and what they are called where every state is kept."""

_HERE = Path(__file__).parent
_HEADER = '@njit(fastmath=EXACT, error_model="numpy", forceinline=True)'
_INDENT = "    "


def _gate_powers(channels: ChannelSet) -> list[list[tuple[int, int]]]:
    """Per channel, (index of the gate in the set, its power)."""
    out, i = [], 0
    for channel in channels.channels:
        out.append([(i + k, g.power) for k, g in enumerate(channel.gates)])
        i += len(channel.gates)
    return out


@cache
def _curves(channels: ChannelSet, slopes: bool) -> list[str]:
    """Code that leaves inf_i and rate_i of every gate (and, with ``slopes``, dinf_i and drate_i, their derivatives in V)."""
    values: dict[str, sp.Expr] = {}
    derivatives: dict[str, sp.Expr] = {}
    after: list[str] = []
    for i, gate in enumerate(channels.gates):
        if gate.alpha is not None and gate.beta is not None:
            values |= {f"alpha_{i}": gate.alpha, f"beta_{i}": gate.beta}
            derivatives |= {f"dalpha_{i}": sp.diff(gate.alpha, V), f"dbeta_{i}": sp.diff(gate.beta, V)}
            after += [f"rate_{i} = alpha_{i} + beta_{i}", f"tau_{i} = 1.0 / rate_{i}", f"inf_{i} = alpha_{i} * tau_{i}"]
            if slopes:
                after += [f"drate_{i} = dalpha_{i} + dbeta_{i}", f"dinf_{i} = (dalpha_{i} - inf_{i} * drate_{i}) * tau_{i}"]
            continue
        assert gate.time_constant is not None
        values[f"inf_{i}"] = gate.infinity
        derivatives[f"dinf_{i}"] = sp.diff(gate.infinity, V)
        if not gate.instantaneous:
            values[f"tau_{i}"] = gate.time_constant
            derivatives[f"dtau_{i}"] = sp.diff(gate.time_constant, V)
            after.append(f"rate_{i} = 1.0 / tau_{i}")
            if slopes:
                after.append(f"drate_{i} = -dtau_{i} * rate_{i} * rate_{i}")
    both = values | derivatives
    return assignments(both, both if slopes else values, _INDENT) + [_INDENT + line for line in after]


def _product(factors: list[str]) -> str:
    return " * ".join(factors) if factors else "1.0"


def _conductances(powers: list[list[tuple[int, int]]]) -> list[str]:
    """Code that leaves g_c, the conductance of every channel (uS), from its gates x_i and its density at ``dens[at]``: rounded by
    itself, so that the adjoint's matrix is the step's to the bit."""
    lines = []
    for c, gates in enumerate(powers):
        factors = [f"load(dens, at + {c} * WIDTH)"] + [f"x_{i}" for i, p in gates for _ in range(p)]
        product = _product(factors)
        lines.append(f"{_INDENT}g_{c} = {f'alone({product})' if gates else product}")
    return lines


def _decays(channels: ChannelSet) -> list[str]:
    """Code that leaves kept_i = exp(-h rate_i) of every gate that takes time.

    A step is short against most time constants, and where all of h rate_i are small, in all lanes, their exponentials need no
    reduction of their arguments. Both branches give the same bits, so that a lane cannot feel its neighbours.
    """
    gates = [i for i, gate in enumerate(channels.gates) if not gate.instantaneous]
    calm = [i for i in gates if _is_calm(channels.gates[i])]
    lines = [f"step_{i} = -h * rate_{i}" for i in gates]
    lines += [f"kept_{i} = exp(step_{i})" for i in gates if i not in calm]
    if calm:
        squares = " + ".join(f"step_{i} * step_{i}" for i in calm)
        lines.append(f"if everywhere({squares} < NEAR_ZERO * NEAR_ZERO):")
        lines += [f"{_INDENT}kept_{i} = exp_near_zero(step_{i})" for i in calm]
        lines += ["else:", *(f"{_INDENT}kept_{i} = exp(step_{i})" for i in calm)]
    return [_INDENT + line for line in lines]


def _is_calm(gate: Gate) -> bool:
    """Whether a usual step (USUAL_STEP_MS) is short against the gate's time constant at usual voltages."""
    # numba comes with it, which is not needed before there is a kernel to make
    from gradevo.kernels.primitives import NEAR_ZERO

    return all(float(evaluate(gate.rate, v)) * USUAL_STEP_MS < NEAR_ZERO for v in USUAL_MV)


def _advance(channels: ChannelSet) -> list[str]:
    """One compartment, one step: gates move on and are stored; returns its part of the matrix and of the right-hand side."""
    lines = [_HEADER, "def advance(states, now, new, dens, at, base, capacitance, h):", f"{_INDENT}V = load(states, now)"]
    lines += _curves(channels, slopes=False) + _decays(channels)
    for i, gate in enumerate(channels.gates):
        if gate.instantaneous:
            lines.append(f"{_INDENT}x_{i} = inf_{i}")
        else:
            lines.append(f"{_INDENT}x_{i} = inf_{i} + (load(states, now + {i + 1} * WIDTH) - inf_{i}) * kept_{i}")
        lines.append(f"{_INDENT}store(states, new + {i + 1} * WIDTH, x_{i})")
    return [*lines, *_matrix_part(channels), ""]


def _matrix_part(channels: ChannelSet) -> list[str]:
    """Code that returns a compartment's part of the matrix and of the right-hand side, from the gates x_i."""
    total = " + ".join(f"g_{c}" for c in range(len(channels.channels)))
    driven = " + ".join(f"g_{c} * {channel.reversal_mV!r}" for c, channel in enumerate(channels.channels))
    returned = f"{_INDENT}return base + ({total}), capacitance * V + ({driven})"
    return [*_conductances(_gate_powers(channels)), returned]


def _conductance(channels: ChannelSet) -> list[str]:
    """The same part of the matrix from gates that are known."""
    powers = _gate_powers(channels)
    lines = [_HEADER, "def conductance(states, new, dens, at, base):"]
    lines += [f"{_INDENT}x_{i} = load(states, new + {i + 1} * WIDTH)" for i in range(len(channels.gates))]
    lines += _conductances(powers)
    return [*lines, f"{_INDENT}return base + ({' + '.join(f'g_{c}' for c in range(len(powers)))})", ""]


def _gate_slopes(channels: ChannelSet, new: str) -> list[str]:
    """Code that leaves, for the step from ``now`` to ``new``, kept_i = dx_new/dx_old, the gate x_i after it, which the code
    ``new`` (of i) makes, and slope_i = dx_new/dV of every gate.

    The slope takes what is left of a gate's distance from its target, (inf - x_old) kept, from where it ended: inf - x_new.
    """
    lines = _curves(channels, slopes=True) + _decays(channels)
    for i, gate in enumerate(channels.gates):
        if gate.instantaneous:
            lines += [f"{_INDENT}x_{i} = inf_{i}", f"{_INDENT}slope_{i} = dinf_{i}"]
        else:
            lines += [
                f"{_INDENT}x_{i} = {new.format(i=i, at=i + 1)}",
                f"{_INDENT}slope_{i} = dinf_{i} * (1.0 - kept_{i}) + h * (inf_{i} - x_{i}) * drate_{i}",
            ]
    return lines


def _current_slopes(channels: ChannelSet) -> list[list[str]]:
    """Per channel, code that leaves, from the gates x_i and the solved voltage, pull_c = E_c - V* of channel c, open_c, the
    product of its gates, and open_c_i, the derivative of that in gate i."""
    every = []
    for c, gates in enumerate(_gate_powers(channels)):
        lines = [f"{_INDENT}pull_{c} = {channels.channels[c].reversal_mV!r} - solved"]
        if gates:
            lines.append(f"{_INDENT}open_{c} = {_product([f'x_{i}' for i, p in gates for _ in range(p)])}")
        for i, p in gates:
            others = [f"x_{k}" for k, q in gates for _ in range(q if k != i else q - 1)]
            lines.append(f"{_INDENT}open_{c}_{i} = {_product(([repr(float(p))] if p > 1 else []) + others)}")
        every.append(lines)
    return every


def _retreat(channels: ChannelSet) -> list[str]:
    """One compartment, one step, backwards: from mu, the adjoint of the right-hand side, to those of densities, gates, V. What
    the gates' rates have to do with it was kept in the state's row by ``advance_linearised``."""
    header = "def retreat(states, now, new, dens, at, mu, capacitance, theta, volts_bar, v_at, gates_bar, x_at, dens_bar):"
    after, known = 1 + len(channels.gates), []
    for i, gate in enumerate(channels.gates):
        kept = [] if gate.instantaneous else [f"{_INDENT}kept_{i} = load(states, new + {after + 2 * i} * WIDTH)"]
        known.append([*kept, f"{_INDENT}slope_{i} = load(states, new + {after + 2 * i + 1} * WIDTH)"])
    gates = [f"{_INDENT}x_{i} = load(states, new + {i + 1} * WIDTH)" for i in range(len(channels.gates))]
    return [_HEADER, header, f"{_INDENT}V = load(states, now)", *gates, *_transposed_step(channels, known)]


def _retreat_anew(channels: ChannelSet) -> list[str]:
    """As ``retreat`` for a device whose arithmetic is quicker than its memory: from the states alone."""
    header = "def retreat_anew(states, now, new, dens, at, mu, capacitance, theta, h, volts_bar, v_at, gates_bar, x_at, dens_bar)"
    again = _gate_slopes(channels, "load(states, new + {at} * WIDTH)")
    backwards = _transposed_step(channels, [[] for _ in channels.gates])
    return [_HEADER, f"{header}:", f"{_INDENT}V = load(states, now)", *again, *backwards]


def _transposed_step(channels: ChannelSet, known: list[list[str]]) -> list[str]:
    """The rest of both, from V, the gates x_i, and kept_i and slope_i, which the lines ``known`` of each gate leave."""
    slopes = _current_slopes(channels)
    lines = [
        f"{_INDENT}solved = V + theta * (load(states, new) - V)",
        f"{_INDENT}incoming = load(volts_bar, v_at) * (1.0 - 1.0 / theta) + capacitance * mu",
    ]
    for c, gates in enumerate(_gate_powers(channels)):
        here = f"dens_bar, at + {c} * WIDTH"
        opened = f" * open_{c}" if gates else ""
        lines += [
            *slopes[c],
            f"{_INDENT}toward_{c} = mu * pull_{c}",
            f"{_INDENT}store({here}, load({here}) + toward_{c}{opened})",
        ]
        if gates:
            lines.append(f"{_INDENT}share_{c} = toward_{c} * load(dens, at + {c} * WIDTH)")
        for i, _ in gates:
            kept = "0.0" if channels.gates[i].instantaneous else f"bar_{i} * kept_{i}"
            lines += [
                f"{_INDENT}bar_{i} = load(gates_bar, x_at + {i} * WIDTH) + share_{c} * open_{c}_{i}",
                *known[i],
                f"{_INDENT}incoming += bar_{i} * slope_{i}",
                f"{_INDENT}store(gates_bar, x_at + {i} * WIDTH, {kept})",
            ]
    return [*lines, f"{_INDENT}store(volts_bar, v_at, incoming)", ""]


def _linearise(channels: ChannelSet) -> list[str]:
    """One compartment, one step, as ``advance``; and what the linearised step multiplies with: kept and slope of every gate."""
    lines = [
        _HEADER,
        "def advance_linearised(states, now, new, dens, at, base, capacitance, h, coefficients, c_at):",
        f"{_INDENT}V = load(states, now)",
        *_gate_slopes(channels, "inf_{i} + (load(states, now + {at} * WIDTH) - inf_{i}) * kept_{i}"),
    ]
    for i, gate in enumerate(channels.gates):
        lines += [
            f"{_INDENT}store(states, new + {i + 1} * WIDTH, x_{i})",
            f"{_INDENT}store(coefficients, c_at + {2 * i} * WIDTH, {'0.0' if gate.instantaneous else f'kept_{i}'})",
            f"{_INDENT}store(coefficients, c_at + {2 * i + 1} * WIDTH, slope_{i})",
        ]
    return [*lines, *_matrix_part(channels), ""]


def _drive(channels: ChannelSet) -> list[str]:
    """The rest, once V* is known: d(current)/dx of every gate, and the source of every channel."""
    lines = [
        _HEADER,
        "def drive(states, new, dens, at, solved, coefficients, c_at, sources, s_at):",
        *(f"{_INDENT}x_{i} = load(states, new + {i + 1} * WIDTH)" for i in range(len(channels.gates))),
    ]
    for c, (gates, slopes) in enumerate(zip(_gate_powers(channels), _current_slopes(channels), strict=True)):
        opened = f" * open_{c}" if gates else ""
        lines += [*slopes, f"{_INDENT}store(sources, s_at + {c} * WIDTH, pull_{c}{opened})"]
        for i, _ in gates:
            value = f"pull_{c} * load(dens, at + {c} * WIDTH) * open_{c}_{i}"
            lines.append(f"{_INDENT}store(coefficients, c_at + {2 * len(channels.gates) + i} * WIDTH, {value})")
    return [*lines, ""]


def _tangent(channels: ChannelSet) -> list[str]:
    """One compartment, one linearised step along all directions: gates move on, and the right-hand side is left in ``rhs``, less
    what the first node that was eliminated before it contributes."""
    gates = range(len(channels.gates))
    lines = [_HEADER, "def tangent(coefficients, c_at, delta, at, rhs, to, n_directions, charge, factor, child):"]
    for i in gates:
        for name, k in (("kept", 2 * i), ("slope", 2 * i + 1), ("drive", 2 * len(gates) + i)):
            lines.append(f"{_INDENT}{name}_{i} = peek(coefficients, c_at + {k} * WIDTH)")
    body = ["V = load(delta, at + d)", "right = charge * V - factor * load(rhs, child + d)"]
    for i, gate in enumerate(channels.gates):
        here = f"delta, at + {i + 1} * n_directions + d"
        kept = "" if gate.instantaneous else f"kept_{i} * load({here}) + "
        body += [f"x_{i} = {kept}slope_{i} * V", f"store({here}, x_{i})", f"right = right + drive_{i} * x_{i}"]
    body.append("store(rhs, to + d, right)")
    lines.append(f"{_INDENT}for d in range(0, n_directions, WIDTH):")
    return [*lines, *(2 * _INDENT + line for line in body), ""]


def channel_source(channels: ChannelSet) -> str:
    """The channels' half of a kernel: functions over one compartment's lanes."""
    lines = [f"VOLTAGE_LIMIT = {VOLTAGE_LIMIT_MV!r}", f"VARIABLES = {1 + len(channels.gates)}", ""]
    parts = (_advance, _conductance, _retreat, _retreat_anew, _linearise, _drive, _tangent)
    return fuse_first("\n".join([*lines, *(line for part in parts for line in part(channels))]))


def kernel_source(channels: ChannelSet, precision: str = "float64") -> str:
    """The whole text of a channel set's kernel module, for numbers of one precision (float64 or float32)."""
    single = precision == "float32"
    primitives = (_HERE / "primitives.py").read_text().replace("SINGLE = False", f"SINGLE = {single}", 1)
    drivers = [_in_two((_HERE / name).read_text()) for name in ("driver.py", "across_driver.py", "tangent_driver.py")]
    side_by_side = (_HERE / "comparison_driver.py").read_text()
    across = re.sub(r"\b(compare|forward|adjoint)\(", r"\1_across(", side_by_side)
    drivers += [(_HERE / "squares.py").read_text(), side_by_side, across]
    lanes = hashlib.sha256((_HERE / "lanes.py").read_bytes()).hexdigest()
    width = VECTOR_BYTES // (4 if single else 8)
    note = (
        f"# Generated by gradevo from the channel set {channels.name!r}, {precision}; edit the declaration, not this file.\n"
        f"# lanes.py {lanes}\n"
    )
    setting = (
        "from gradevo.kernels.lanes import align_stack, alone, everywhere, memory\n\n"
        f"WIDTH = {width}\nload, store, load_two, store_two, peek, poke, expect_load, expect_store = memory(WIDTH)\n\n"
    )
    return note + "\n\n".join([primitives, setting + channel_source(channels), _advance_two(channels), *drivers])


def _advance_two(channels: ChannelSet) -> str:
    """``advance`` for two compartments at once, whose rows lie ``states_apart`` and ``dens_apart`` numbers apart: while the
    results of one are waited for, the processor goes on with the other."""
    text = fuse_first("\n".join(_advance(channels)))
    text = re.sub(r"def (\w+)\((.*)\):", r"def \1_two(\2, states_apart, dens_apart):", text)
    text = re.sub(r"\bload\((\w+), ([^()]+)\)", r"load_two(\1, \2, \1_apart)", text)
    return re.sub(r"\bstore\((\w+), ([^,]+), (.*)\)", r"store_two(\1, \2, \1_apart, \3)", text)


def _in_two(driver: str) -> str:
    """A driver's text with two functions for each that asks for KEPT: with one function of two branches, how LLVM shares work
    between them would decide how their sums are rounded, and no two copies of the function would be sure to agree."""
    lines = driver.split("\n")
    for node in reversed(ast.parse(driver).body):
        if isinstance(node, ast.FunctionDef) and node.name in _KEEPING:
            begin, end = node.decorator_list[0].lineno - 1, node.end_lineno
            text = "\n".join(lines[begin:end])
            keeping = re.sub(r"\bKEPT\b", "True", text).replace(f"def {node.name}(", f"def {_KEEPING[node.name]}(")
            lines[begin:end] = [re.sub(r"\bKEPT\b", "False", text), "", "", keeping]
    return "\n".join(lines)


def kernel_module(channels: ChannelSet, precision: str = "float64") -> ModuleType:
    """The kernel module of a channel set. Raises OSError if the cache folder cannot be written."""
    return module_once("kernel", kernel_source, channels, precision)
