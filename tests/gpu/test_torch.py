"""torch tensors on a GPU."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.cuda.test_backend import Small, backend, relative


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_tensors_stay_on_the_device_and_hold_what_arrays_hold(dtype):
    case = Small("balanced", "hh")
    densities = torch.from_numpy(case.densities).to("cuda", dtype)
    result: Any = backend.forward(case.plan, densities, keep=True)
    voltages, diverged, run = result
    slopes: Any = backend.adjoint(run, torch.from_numpy(case.weights).to("cuda", dtype), passive=True)
    assert slopes.passive is not None
    for tensor, kind in (
        (voltages, dtype), (diverged, torch.bool), (slopes.densities, torch.float64),
        (slopes.passive.conductances_uS, torch.float64),
    ):  # fmt: skip
        assert tensor.is_cuda
        assert tensor.dtype == kind
    arrays, _, there = backend.forward(case.plan, densities.cpu().numpy(), keep=True)
    assert np.array_equal(voltages.cpu().numpy(), arrays)
    assert relative(slopes.densities.cpu().numpy(), backend.adjoint(there, case.weights).densities) < 1e-5
