"""The kernels compile for a device. The simulator runs them as Python and checks no types; NVIDIA's compiler needs no device."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda (the extra cuda) is not installed")
def test_kernels_compile_in_their_own_precision(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    compiled = subprocess.run(
        [sys.executable, "-m", "tests.cuda.ptx", str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert compiled.returncode == 0, compiled.stderr[-3000:]
    names = {tuple(line.split()[:2]) for line in compiled.stdout.splitlines()}
    loops = ("forward", "adjoint", "forward_across", "adjoint_across")
    kernels = (*loops, "take_in", "sum_over_stimuli")
    of_tangents = {("float64", kernel) for kernel in ("linearise", "tangent_steps")}
    assert names == {(precision, kernel) for precision in ("float64", "float32") for kernel in kernels} | of_tangents
    for kernel in loops:
        single = (tmp_path / f"{kernel}_float32.ptx").read_text()
        assert "fma.rn.f32" in single
        # currents are averaged in float64, nothing else
        of_doubles = re.findall(r"\b(?:add|sub|mul|div\.\w+|fma\.\w+)\.f64", single)
        assert len(of_doubles) <= 8, of_doubles
