"""Numba's simulator where there is no GPU; set before anything imports numba.cuda, which reads it once."""

import os
import sys
from collections.abc import Iterator

import pytest
import torch
from numba.core import config

if not torch.cuda.is_available():
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    config.__dict__["ENABLE_CUDASIM"] = 1


@pytest.fixture(autouse=True)
def few_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The simulator takes a thread of Python for each; and with three, each has several compartments. They wait at barriers for
    each other: Python must change between them often."""
    from gradevo.cuda.device import simulated

    before = sys.getswitchinterval()
    if simulated():
        monkeypatch.setattr("gradevo.cuda.batch.THREADS", 4)
        monkeypatch.setattr("gradevo.cuda.batch.THREADS_ACROSS", 3)
        monkeypatch.setattr("gradevo.cuda.tangents.THREADS", 3)
        sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
