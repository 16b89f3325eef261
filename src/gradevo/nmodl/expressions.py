"""Rates written in NMODL: the printer of expressions, and the functions that they call."""

import sympy as sp
from sympy.printing.str import StrPrinter

from gradevo.channels.base import Gate
from gradevo.channels.expressions import power_as_product
from gradevo.kernels.primitives import EXPONENT_LIMIT, LINOID_SERIES_BELOW

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
        return power_as_product(expr, self._print(expr.as_base_exp()[0]), self._print, "NEURON mechanisms")


_PRINTER = _NmodlPrinter()


def in_nmodl(expression: sp.Expr) -> str:
    """The expression as NMODL text. Raises ValueError for what the mechanisms cannot express."""
    return _PRINTER.doprint(expression)


def functions_used(gates: tuple[Gate, ...]) -> list[str]:
    """The text of every function that these gates' rates call."""
    expressions = [e for g in gates for e in (g.alpha, g.beta, g.steady_state, g.time_constant) if e is not None]
    names = {f.func.__name__ for e in expressions for f in e.atoms(sp.Function)}
    return [text for name, text in _FUNCTIONS.items() if name in names or name == "limited_exp"]
