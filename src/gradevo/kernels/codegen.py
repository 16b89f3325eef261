"""From a channel declaration to the source of its fused kernel (and, in reference.py, of its torch form).

The generated module is primitives + the channel set's scalar code + driver.py, in one file whose name is the hash of its
text. Numba's disk cache then works across processes, a changed declaration can never meet a stale binary, and two jobs that
generate the same kernel write the same bytes and rename them into place.
"""

import hashlib
import importlib.util
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

from gradevo.channels.base import ChannelSet, Gate, V

VOLTAGE_LIMIT_MV = 1e4
"""A simulation that ends outside this range, or as NaN, is flagged as diverged."""

_HERE = Path(__file__).parent


class _ScalarPrinter(PythonCodePrinter):
    """Prints calls to the primitives by their bare names, and every number with 17 digits."""

    def _print_Function(self, expr: sp.Function) -> str:
        return f"{expr.func.__name__}({', '.join(self._print(a) for a in expr.args)})"

    def _print_exp(self, expr: sp.exp) -> str:
        return f"exp({self._print(expr.args[0])})"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(float(expr))

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, power = expr.as_base_exp()
        if power.is_Integer and 0 < int(power) <= 6:
            return "(" + "*".join([f"({self._print(base)})"] * int(power)) + ")"
        if power.is_Integer and -6 <= int(power) < 0:
            return f"(1.0/({self._print(sp.Pow(base, -power))}))"
        raise ValueError(f"{expr}: only integer powers up to 6 are known to the kernels; write it with exp")


_PRINTER = _ScalarPrinter({"fully_qualified_modules": False})


def _assignments(expressions: dict[str, sp.Expr], prefix: str, indent: str) -> list[str]:
    """Lines that assign the expressions, common subexpressions first."""
    symbols = sp.numbered_symbols(f"{prefix}_")
    shared, reduced = sp.cse(list(expressions.values()), symbols=symbols, order="none")
    lines = [f"{indent}{name} = {_PRINTER.doprint(e)}" for name, e in shared]
    lines += [f"{indent}{name} = {_PRINTER.doprint(e)}" for name, e in zip(expressions, reduced, strict=True)]
    return lines


def _gate_lines(gate: Gate, index: int, with_slopes: bool, indent: str) -> list[str]:
    """Scalar code that leaves inf_i and rate_i (and their slopes in V) of one gate."""
    i = index
    if gate.alpha is not None and gate.beta is not None:
        wanted = {f"alpha_{i}": gate.alpha, f"beta_{i}": gate.beta}
        if with_slopes:
            wanted |= {f"dalpha_{i}": sp.diff(gate.alpha, V), f"dbeta_{i}": sp.diff(gate.beta, V)}
        lines = _assignments(wanted, f"t{i}", indent)
        lines += [
            f"{indent}rate_{i} = alpha_{i} + beta_{i}",
            f"{indent}tau_{i} = 1.0 / rate_{i}",
            f"{indent}inf_{i} = alpha_{i} * tau_{i}",
        ]
        if with_slopes:
            lines += [
                f"{indent}drate_{i} = dalpha_{i} + dbeta_{i}",
                f"{indent}dinf_{i} = (dalpha_{i} - inf_{i} * drate_{i}) * tau_{i}",
            ]
        return lines
    assert gate.time_constant is not None
    if gate.instantaneous:
        wanted = {f"inf_{i}": gate.infinity} | ({f"dinf_{i}": sp.diff(gate.infinity, V)} if with_slopes else {})
        return _assignments(wanted, f"t{i}", indent)
    wanted = {f"inf_{i}": gate.infinity, f"tau_{i}": gate.time_constant}
    if with_slopes:
        wanted |= {f"dinf_{i}": sp.diff(gate.infinity, V), f"dtau_{i}": sp.diff(gate.time_constant, V)}
    lines = _assignments(wanted, f"t{i}", indent) + [f"{indent}rate_{i} = 1.0 / tau_{i}"]
    if with_slopes:
        lines.append(f"{indent}drate_{i} = -dtau_{i} * rate_{i} * rate_{i}")
    return lines


def _product(factors: list[str]) -> str:
    return " * ".join(factors) if factors else "1.0"


def _gate_powers(channels: ChannelSet) -> list[list[tuple[int, int]]]:
    """Per channel, (index of the gate in the set, its power)."""
    out, i = [], 0
    for channel in channels.channels:
        out.append([(i + k, g.power) for k, g in enumerate(channel.gates)])
        i += len(channel.gates)
    return out


def channel_source(channels: ChannelSet) -> str:
    """The scalar half of a kernel: three functions over one compartment's lanes."""
    powers = _gate_powers(channels)
    n_gates = len(channels.gates)
    at_lane = "        "
    lines = [f"VOLTAGE_LIMIT = {VOLTAGE_LIMIT_MV!r}", ""]
    header = '@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)'

    # 1: gates
    lines += [header, "def advance_gates(volts, old, new, h, lanes):"]
    lines += [f"    old_{i} = old[{i}]\n    new_{i} = new[{i}]" for i in range(n_gates)]
    for i, gate in enumerate(channels.gates):
        lines += ["    for lane in range(lanes):", f"{at_lane}V = volts[lane]"]
        lines += _gate_lines(gate, i, False, at_lane)
        moved = f"old_{i}[lane] + (inf_{i} - old_{i}[lane]) * (1.0 - exp(-h * rate_{i}))"
        lines.append(f"{at_lane}new_{i}[lane] = {f'inf_{i}' if gate.instantaneous else moved}")
    lines += ["    return", ""]

    # 2: diagonal and right-hand side
    lines += [header, "def load_membrane(volts, states, dens, base, capacitance, diagonal, rhs, lanes):"]
    lines += [f"    x_{i} = states[{i}]" for i in range(n_gates)]
    lines += [f"    density_{c} = dens[{c}]" for c in range(len(powers))]
    lines += ["    for lane in range(lanes):"]
    for c, gates in enumerate(powers):
        factors = [f"density_{c}[lane]"] + [f"x_{i}[lane]" for i, p in gates for _ in range(p)]
        lines.append(f"{at_lane}g_{c} = {_product(factors)}")
    total = " + ".join(f"g_{c}" for c in range(len(powers)))
    driven = " + ".join(f"g_{c} * {channel.reversal_mV!r}" for c, channel in enumerate(channels.channels))
    lines += [
        f"{at_lane}diagonal[lane] = base + ({total})",
        f"{at_lane}rhs[lane] = capacitance * volts[lane] + ({driven})",
        "    return",
        "",
    ]

    # 3: adjoint of both; mu is the adjoint of the right-hand side
    lines += [
        header,
        "def adjoint_membrane(volts, after, old, new, dens, mus, capacitance, theta, h, volts_bar, gates_bar, dens_bar, lanes):",
    ]
    lines += [f"    old_{i} = old[{i}]\n    new_{i} = new[{i}]\n    bar_{i} = gates_bar[{i}]" for i in range(n_gates)]
    lines += [f"    density_{c} = dens[{c}]\n    density_bar_{c} = dens_bar[{c}]" for c in range(len(powers))]
    for c, gates in enumerate(powers):
        lines += [
            "    for lane in range(lanes):",
            f"{at_lane}solved = volts[lane] + theta * (after[lane] - volts[lane])",
            f"{at_lane}pull = mus[lane] * ({channels.channels[c].reversal_mV!r} - solved)",
            f"{at_lane}density_bar_{c}[lane] += {_product(['pull'] + [f'new_{i}[lane]' for i, p in gates for _ in range(p)])}",
        ]
        for i, p in gates:
            others = [f"new_{k}[lane]" for k, q in gates for _ in range(q if k != i else q - 1)]
            lines.append(f"{at_lane}bar_{i}[lane] += {_product(['pull', f'density_{c}[lane]', repr(float(p))] + others)}")
    lines += [
        "    for lane in range(lanes):",
        f"{at_lane}volts_bar[lane] = volts_bar[lane] * (1.0 - 1.0 / theta) + capacitance * mus[lane]",
    ]
    for i, gate in enumerate(channels.gates):
        lines += ["    for lane in range(lanes):", f"{at_lane}V = volts[lane]"]
        lines += _gate_lines(gate, i, True, at_lane)
        if gate.instantaneous:
            lines += [f"{at_lane}volts_bar[lane] += bar_{i}[lane] * dinf_{i}", f"{at_lane}bar_{i}[lane] = 0.0"]
            continue
        lines += [
            f"{at_lane}kept = exp(-h * rate_{i})",
            f"{at_lane}toward = inf_{i} - old_{i}[lane]",
            f"{at_lane}incoming = bar_{i}[lane]",
            f"{at_lane}volts_bar[lane] += incoming * (dinf_{i} * (1.0 - kept) + toward * h * drate_{i} * kept)",
            f"{at_lane}bar_{i}[lane] = incoming * kept",
        ]
    lines += ["    return", ""]
    return "\n".join(lines)


def kernel_source(channels: ChannelSet) -> str:
    """The whole text of a channel set's kernel module."""
    primitives = (_HERE / "primitives.py").read_text()
    driver = (_HERE / "driver.py").read_text()
    note = f"# Generated by gradevo from the channel set {channels.name!r}; edit the declaration, not this file.\n"
    return note + "\n\n".join([primitives, channel_source(channels), driver])


def cache_folder() -> Path:
    """Where generated kernels live: GRADEVO_CACHE, else XDG_CACHE_HOME/gradevo, else ~/.cache/gradevo."""
    if named := os.environ.get("GRADEVO_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gradevo"


@cache
def kernel_module(channels: ChannelSet) -> ModuleType:
    """Writes (once, aside and renamed into place) and imports the kernel module of a channel set."""
    source = kernel_source(channels)
    name = "kernel_" + hashlib.sha256(source.encode()).hexdigest()[:20]
    folder = cache_folder() / "kernels"
    path = folder / f"{name}.py"
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as aside:
                aside.write(source)
            os.replace(aside.name, path)
        except OSError as error:
            raise OSError(
                f"cannot write compiled kernels to {folder} ({error.strerror}); "
                "set GRADEVO_CACHE to a folder that can be written and has space"
            ) from None
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
