"""Whether there is something to run CUDA kernels on, and how the generated modules declare them.

A real GPU is driven by numba-cuda (the extra ``cuda``). Without one, Numba's simulator runs the same kernels in Python, for
tests: set NUMBA_ENABLE_CUDASIM=1 before anything imports numba.cuda.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

from numba import cuda

_HOW = "install the extra with pip install 'gradevo[cuda]' on a machine with an NVIDIA GPU and its driver, or compute on the CPU"


class NoCudaError(RuntimeError):
    """There is neither a CUDA device nor the simulator."""


def simulated() -> bool:
    """Whether numba.cuda is the simulator in this process."""
    return "simulator" in cuda.jit.__module__


def require_device() -> None:
    """Raises NoCudaError, which says what is missing and names the extra, unless kernels can run."""
    if cuda.is_available():
        return
    # numba carries an older copy of the same interface, which finds no device either
    installed = importlib.util.find_spec("numba_cuda") is not None
    missing = f"Numba finds no CUDA device ({_reason()})" if installed else "numba-cuda is not installed"
    raise NoCudaError(f"device cuda: {missing}; {_HOW}")


def _reason() -> str:
    error = cuda.cuda_error()
    return " ".join(str(error).split()) if error else "no reason given"


def device(function: Callable[..., Any]) -> Any:
    """Decorator of the functions that kernels call. The simulator, which would look through all globals at each call of one,
    takes them as they are."""
    return function if simulated() else cuda.jit(device=True)(function)


def kernel(function: Callable[..., Any]) -> Any:
    """Decorator of what the host launches."""
    return cuda.jit(function)


def free_bytes() -> float:
    """Memory that the device has left (without end for the simulator)."""
    context = cuda.current_context()
    if not simulated():
        # Numba gives memory back with some delay
        context.deallocations.clear()
    return context.get_memory_info()[0]
