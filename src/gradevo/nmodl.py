"""From a channel declaration to a NEURON mechanism: the text of a .mod file, and a compiled library of a whole set."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import sympy as sp
from sympy.printing.str import StrPrinter

from gradevo.channels.base import Channel, ChannelSet, Gate, V
from gradevo.kernels.primitives import EXPONENT_LIMIT, LINOID_SERIES_BELOW

# What a mechanism calls its own quantities; a gate of the same name would hide them.
_TAKEN = {"v", "V", "t", "dt", "i", "g", "e", "gbar", "area", "celsius"}

_FUNCTIONS = {
    "limited_exp": f"""\
: exponents beyond {EXPONENT_LIMIT:g} per ms mean nothing; gradevo's kernels limit them alike
FUNCTION limited_exp(x) {{
    if (x > {EXPONENT_LIMIT!r}) {{
        limited_exp = exp({EXPONENT_LIMIT!r})
    }} else if (x < -{EXPONENT_LIMIT!r}) {{
        limited_exp = exp(-{EXPONENT_LIMIT!r})
    }} else {{
        limited_exp = exp(x)
    }}
}}
""",
    "linoid": f"""\
: x / (1 - exp(-x)); near zero its Taylor series, because the quotient cancels there
FUNCTION linoid(x) {{ LOCAL z
    if (fabs(x) < {LINOID_SERIES_BELOW!r}) {{
        z = x*x
        linoid = 1 + x/2 + z*(1/12 + z*(-1/720 + z*(1/30240 - z/1209600)))
    }} else {{
        linoid = x/(1 - limited_exp(-x))
    }}
}}
""",
    "sigmoid": """\
: called so because NMODL has a sigmoid of its own
FUNCTION logistic(x) {
    logistic = 1/(1 + limited_exp(-x))
}
""",
    "softplus": """\
: ln(1 + exp(x)); ln(1 + u) for small u after Kahan, whose quotient cancels the rounding of 1 + u
FUNCTION softplus(x) { LOCAL u, w
    u = limited_exp(-fabs(x))
    w = 1 + u
    if (w == 1) {
        softplus = u
    } else {
        softplus = log(w)*u/(w - 1)
    }
    if (x > 0) {
        softplus = x + softplus
    }
}
""",
    "at_least": """\
FUNCTION at_least(x, lowest) {
    if (x > lowest) {
        at_least = x
    } else {
        at_least = lowest
    }
}
""",
}


class _NmodlPrinter(StrPrinter):
    """NMODL is C-like in everything a rate contains but powers, which it writes with ^; products are exact instead."""

    def _print_exp(self, expr: sp.exp) -> str:
        return f"limited_exp({self._print(expr.args[0])})"

    def _print_Function(self, expr: sp.Function) -> str:
        name = expr.func.__name__
        if name not in _FUNCTIONS:
            raise ValueError(
                f"{expr}: {name} is not known to the NEURON mechanisms; known: exp, {', '.join(list(_FUNCTIONS)[1:])}"
            )
        name = "logistic" if name == "sigmoid" else name
        return f"{name}({', '.join(self._print(a) for a in expr.args)})"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(float(expr))

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, power = expr.as_base_exp()
        if power.is_Integer and 0 < int(power) <= 6:
            return "(" + "*".join([f"({self._print(base)})"] * int(power)) + ")"
        if power.is_Integer and -6 <= int(power) < 0:
            return f"(1/({self._print(sp.Pow(base, -power))}))"
        raise ValueError(f"{expr}: only integer powers up to 6 are known to the NEURON mechanisms; write it with exp")


_PRINTER = _NmodlPrinter()


def mechanism(channel: Channel, suffix: str, gate_voltage_mV: float | None = None) -> str:
    """The .mod text of a channel: a nonspecific current i = gbar x gates x (v - e), with gbar in S/cm2 and e in mV.

    In NEURON's fixed steps it agrees with gradevo's backward Euler to rounding: gates by ``cnexp`` (exact for frozen v),
    instantaneous gates taken from the voltage at the start of the step, no tables.

    Args:
        channel: the declaration.
        suffix: the mechanism's name in NEURON; letters, digits and underscores, starting with a letter.
        gate_voltage_mV: gates start at their steady state for this voltage (``ChannelSet.gate_voltage_mV``); None for the
            initial voltage itself.

    Raises:
        ValueError: for a suffix or gate name that NEURON cannot have, and for rates it cannot express.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", suffix):
        raise ValueError(f"mechanism suffix {suffix!r}: NEURON needs letters, digits and underscores, a letter first")
    for gate in channel.gates:
        if gate.name in _TAKEN or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", gate.name):
            raise ValueError(f"channel {channel.name!r}: a NEURON mechanism cannot call a gate {gate.name!r}; rename it")
    steady = [f"{gate.name}_inf" for gate in channel.gates]
    moving = [gate for gate in channel.gates if not gate.instantaneous]
    taus = [f"{gate.name}_tau" for gate in moving]
    factors = [f"{gate.name}_inf" if gate.instantaneous else gate.name for gate in channel.gates for _ in range(gate.power)]
    start = "v" if gate_voltage_mV is None else repr(float(gate_voltage_mV))
    lines = [
        f": Channel {channel.name}, generated by gradevo; edit the channel's declaration, not this file.",
        "NEURON {",
        "    THREADSAFE",
        f"    SUFFIX {suffix}",
        "    NONSPECIFIC_CURRENT i",
        f"    RANGE {', '.join(['gbar', 'e', 'g', *steady, *taus])}",
        "}",
        "UNITS { (mA) = (milliamp) (mV) = (millivolt) (S) = (siemens) }",
        f"PARAMETER {{ gbar = {channel.density_S_cm2!r} (S/cm2) e = {channel.reversal_mV!r} (mV) }}",
        f"ASSIGNED {{ {' '.join(['v (mV) i (mA/cm2) g (S/cm2)', *steady, *(f'{tau} (ms)' for tau in taus)])} }}",
    ]
    if moving:
        lines.append(f"STATE {{ {' '.join(gate.name for gate in moving)} }}")
    if channel.gates:
        lines += ["INITIAL {", f"    rates({start})", *(f"    {g.name} = {g.name}_inf" for g in moving), "}"]
    solve = "    SOLVE states METHOD cnexp" if moving else "    SOLVE states"
    lines += ["BREAKPOINT {", *([solve] if channel.gates else [])]
    lines += [f"    g = {'*'.join(['gbar', *factors])}", "    i = g*(v - e)", "}"]
    if channel.gates:
        lines += [f"{'DERIVATIVE' if moving else 'PROCEDURE'} states{'' if moving else '()'} {{", "    rates(v)"]
        lines += [f"    {g.name}' = ({g.name}_inf - {g.name})/{g.name}_tau" for g in moving]
        lines += ["}", "UNITSOFF", *_rates(channel.gates), "", *_functions_used(channel.gates), "UNITSON"]
    return "\n".join(lines) + "\n"


def _rates(gates: tuple[Gate, ...]) -> list[str]:
    """The procedure that sets every steady state and time constant for a voltage."""
    body, local = [], []
    for gate in gates:
        if gate.alpha is not None and gate.beta is not None:
            local = ["alpha", "beta"]
            body += [f"    alpha = {_PRINTER.doprint(gate.alpha)}", f"    beta = {_PRINTER.doprint(gate.beta)}"]
            body += [f"    {gate.name}_tau = 1/(alpha + beta)", f"    {gate.name}_inf = alpha*{gate.name}_tau"]
        else:
            body.append(f"    {gate.name}_inf = {_PRINTER.doprint(gate.infinity)}")
            if not gate.instantaneous:
                body.append(f"    {gate.name}_tau = {_PRINTER.doprint(gate.time_constant)}")
    return [f"PROCEDURE rates({V.name} (mV)) {{", *([f"    LOCAL {', '.join(local)}"] if local else []), *body, "}"]


def _functions_used(gates: tuple[Gate, ...]) -> list[str]:
    expressions = [e for g in gates for e in (g.alpha, g.beta, g.steady_state, g.time_constant) if e is not None]
    names = {f.func.__name__ for e in expressions for f in e.atoms(sp.Function)}
    return [text for name, text in _FUNCTIONS.items() if name in names or name == "limited_exp"]


def suffix(channels: ChannelSet, channel: Channel) -> str:
    """The name of a set's channel in NEURON, such as ``hh_Na``: NEURON's mechanisms are global, so it carries the set's."""
    return _identifier(f"{channels.name}_{channel.name}")


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def compile_mechanisms(channels: ChannelSet, folder: str | Path) -> Path:
    """Write the set's .mod files and compile them with the nrnivmodl of this Python environment.

    Each set has a folder of its own in ``folder``, named by content and moved into place when complete; what is already
    compiled is returned as it is. Load the library with ``neuron.h.nrn_load_dll(str(path))``, once in a process.

    Returns:
        The compiled library; its mechanisms are called ``suffix(channels, channel)``.

    Raises:
        FileNotFoundError: without nrnivmodl.
        RuntimeError: if nrnivmodl fails (it needs a C++ compiler and make), with what it said.
    """
    texts = {suffix(channels, c): mechanism(c, suffix(channels, c), channels.gate_voltage_mV) for c in channels.channels}
    digest = hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:16]
    place = Path(folder).resolve() / f"{_identifier(channels.name)}_{digest}"
    if place.is_dir():
        return _library(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="compiling_") as temporary:
        built = Path(temporary) / place.name
        built.mkdir()
        for name, text in texts.items():
            (built / f"{name}.mod").write_text(text)
        done = subprocess.run([_nrnivmodl()], cwd=built, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise RuntimeError(f"nrnivmodl failed on channel set {channels.name!r}; it needs g++ and make. It said:\n{said}")
        _library(built)
        try:
            os.replace(built, place)
        except OSError:
            # another process was faster with the same content
            if not place.is_dir():
                raise
    return _library(place)


def _library(place: Path) -> Path:
    found = sorted(place.glob("*/libnrnmech.*"))
    if not found:
        raise RuntimeError(f"no compiled mechanisms in {place}; delete this folder and try again")
    return found[0]


def _nrnivmodl() -> str:
    beside = Path(sys.executable).parent / "nrnivmodl"
    found = str(beside) if beside.is_file() else shutil.which("nrnivmodl")
    if found is None:
        raise FileNotFoundError("nrnivmodl is not installed; it comes with NEURON (pip install neuron)")
    return found
