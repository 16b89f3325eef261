"""The code says which of two products is fused into their sum."""

import ast

import pytest

from gradevo.channels import CHANNEL_SETS, channel_set
from gradevo.kernels.codegen import kernel_source
from gradevo.kernels.rounding import fuse_first, two_products


@pytest.mark.parametrize(
    ("code", "fused"),
    [
        ("y = a * b + c", "y = a * b + c"),
        ("y = a * b + c * d", "y = a * b + alone(c * d)"),
        ("y = -a * b - c * d", "y = -a * b - alone(c * d)"),
        ("y = a * b + c * d + e * f", "y = a * b + alone(c * d) + e * f"),
        ("y = a * b + c * (d * e + f * g)", "y = a * b + alone(c * (d * e + alone(f * g)))"),
        ("y = a * b + (c * d)", "y = a * b + (alone(c * d))"),
        ("y = a * b * c + (a * b +\n    c * d)", "y = a * b * c + (a * b +\n    alone(c * d))"),
        ("y = a / b + c * d", "y = a / b + c * d"),
    ],
)
def test_of_two_products_the_first_is_fused(code, fused):
    assert fuse_first(code) == fused
    assert fuse_first(fused) == fused


@pytest.mark.parametrize("name", [*CHANNEL_SETS, "pospischil_lts+ih+k_a"])
def test_no_channel_leaves_a_choice(name):
    """Else ``advance`` and ``advance_two`` may round differently, on processors whose registers hold all lanes of one."""
    compartment = (
        kernel_source(channel_set(name.split("+"))).split("VOLTAGE_LIMIT = ")[1].split("def eliminate(")[0].rsplit("@", 1)[0]
    )
    functions = [node for node in ast.parse("VOLTAGE_LIMIT = " + compartment).body if isinstance(node, ast.FunctionDef)]
    assert {"advance", "advance_two", "advance_linearised", "conductance", "retreat"} <= {f.name for f in functions}
    assert not [
        ast.unparse(node) for f in functions for node in ast.walk(f) if isinstance(node, ast.BinOp) and two_products(node)
    ]
