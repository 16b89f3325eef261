"""Asking for CUDA where there is neither a device nor the simulator; and what the generated module is made of."""

import ast
import os
import subprocess
import sys

import pytest
import torch

from gradevo.channels import channel_set
from gradevo.cuda import codegen

_ASK = """
from gradevo.channels import channel_set
from gradevo.cuda.codegen import kernel_module
kernel_module(channel_set(["hh"]))
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_device_the_error_names_the_extra():
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    asked = subprocess.run([sys.executable, "-c", _ASK], env=environment, capture_output=True, text=True, timeout=120)
    assert asked.returncode == 1
    assert "NoCudaError" in asked.stderr
    assert "gradevo[cuda]" in asked.stderr


def test_every_number_of_a_single_module_is_single():
    """Numba would compute the whole expression in float64."""
    tree = ast.parse(codegen.kernel_source(channel_set(["hh"]), "float32"))
    wrapped = {id(node.args[0]) for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) == "real" and node.args}
    bare = [
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, float) and id(n) not in wrapped
    ]
    assert bare == []
    assert "real(" not in codegen.kernel_source(channel_set(["hh"]), "float64").split("real = np.float64")[1]


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""
