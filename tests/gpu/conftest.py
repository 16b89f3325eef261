"""These tests are for machines with a GPU, with numba-cuda and with torch's CUDA build; elsewhere they are skipped, and say what
is missing. Alone: python -m pytest tests/gpu."""

import pytest
import torch


@pytest.fixture(scope="session")
def why_not() -> str | None:
    from gradevo.cuda.device import absent, simulated

    if not torch.cuda.is_available():
        return f"no GPU: {absent() or 'torch has no access to one'}"
    return "Numba's simulator was asked for; unset NUMBA_ENABLE_CUDASIM" if simulated() else absent()


@pytest.fixture(autouse=True)
def a_gpu(why_not: str | None) -> None:
    if why_not is not None:
        pytest.skip(why_not)
