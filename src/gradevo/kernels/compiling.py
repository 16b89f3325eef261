"""Calls of compiled functions, with the time of their compilation on a clock of its own: no method's should run meanwhile."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_wall_s, _cpu_s = 0.0, 0.0
_ready: set[Any] = set()
_lock, _clock = threading.Lock(), threading.Lock()


def compile_seconds() -> float:
    """Seconds this process has spent on compiling kernels, or loading them from the disk cache."""
    return _wall_s


def compile_clock() -> tuple[float, float]:
    """The same, and the processor seconds among them: a load from the disk cache may wait."""
    return _wall_s, _cpu_s


def call(function: Any, *args: Any) -> None:
    """function(*args); before its first call in this process it is compiled for arguments of these types."""
    if function not in _ready:
        with _lock:
            if function not in _ready:
                _compile(function, args)
                _ready.add(function)
    function(*args)


@contextmanager
def on_the_clock() -> Iterator[None]:
    """What is done within counts as compilation: also the making of a kernel's text, and the loading of what that takes."""
    global _wall_s, _cpu_s
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        with _clock:
            _wall_s += time.perf_counter() - wall_s
            _cpu_s += time.thread_time() - cpu_s


def _compile(function: Any, args: tuple[Any, ...]) -> None:
    with on_the_clock():
        import numba

        with _instructions_as_written():
            function.compile(tuple(numba.typeof(a) for a in args))


@contextmanager
def _instructions_as_written() -> Iterator[None]:
    """LLVM leaves instructions in the order of the code. Otherwise it sorts them such that few registers are needed: the parts of
    a vector, and what was written side by side so that one need not wait for another, come one after the other. No rounding
    depends on it."""
    # numba comes with it
    from llvmlite import binding

    binding.set_option("gradevo", "-enable-misched=false")
    try:
        yield
    finally:
        binding.set_option("gradevo", "-enable-misched=true")
