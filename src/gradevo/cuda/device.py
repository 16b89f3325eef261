"""Whether there is something to run CUDA kernels on, and how the generated modules declare them.

A real GPU is driven by numba-cuda (the extra ``cuda``). Without one, Numba's simulator runs the same kernels in Python, for
tests: set NUMBA_ENABLE_CUDASIM=1 before anything imports numba.cuda.
"""

import ctypes
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import cuda

_HOW = "install the extra with pip install 'gradevo[cuda]' on a machine with an NVIDIA GPU and its driver, or compute on the CPU"


class NoCudaError(ValueError):
    """There is neither a CUDA device nor the simulator."""

    def __init__(self, what: str) -> None:
        super().__init__(f"device cuda: {what}; {_HOW}")


def simulated() -> bool:
    """Whether numba.cuda is the simulator in this process."""
    return "simulator" in cuda.jit.__module__


@cache
def missing() -> str | None:
    """What is missing for kernels to run here, None where nothing is. Asked in a process of its own: once a process has begun
    CUDA, the processes that it forks cannot use it, and fits are forked."""
    return None if simulated() else absent()


def absent() -> str | None:
    """The same of a device, simulator or not."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return "this machine has no NVIDIA driver"
    ask = "from numba import cuda; print(cuda.is_available() or cuda.cuda_error() or 'no device')"
    asked = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    answer = " ".join((asked.stdout + asked.stderr).split()[-40:])
    return None if asked.stdout.strip() == "True" else f"Numba finds no CUDA device ({answer})"


def require_device() -> None:
    """Raises NoCudaError, which says what is missing and names the extra, unless kernels can run."""
    if cuda.is_available():
        return
    # numba carries an older copy of the same interface, which finds no device either
    raise NoCudaError(missing() or f"Numba finds no CUDA device ({cuda.cuda_error() or 'no reason given'})")


def device(function: Callable[..., Any]) -> Any:
    """Decorator of the functions that kernels call. The simulator, which would look through all globals at each call of one,
    takes them as they are."""
    return function if simulated() else cuda.jit(device=True)(function)


def kernel(function: Callable[..., Any]) -> Any:
    """Decorator of what the host launches; compiled kernels are kept on disk (disk.py)."""
    return cuda.jit(function) if simulated() else cuda.jit(cache=True)(function)


def free_bytes() -> float:
    """Memory that the device has left (without end for the simulator)."""
    context = cuda.current_context()
    if not simulated():
        # Numba gives memory back with some delay
        context.deallocations.clear()
    return context.get_memory_info()[0]
