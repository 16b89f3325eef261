"""Compiles each kernel to PTX as for a launch, without a device. test_compiling.py runs this in a process of its own, where
numba.cuda is not the simulator: it prints a line per kernel, ``precision name characters``, and with a folder as its argument
writes the PTX there."""

import sys
import warnings
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
from numba import cuda

from gradevo.cuda import backend, batch, tangents
from gradevo.cuda.codegen import generated_module
from gradevo.kernels import cpu
from gradevo.parameters import make_parameters
from gradevo.sensitivity import directions
from tests.conftest import make_neuron, perturbed, spiking_protocol

COMPUTE_CAPABILITY = (9, 0)


class OnTheHost:
    """Arrays of the types that the device's have."""

    stream = 0
    place = "nowhere"

    def take(self, values: Any, dtype: type) -> np.ndarray:
        return np.array(values, dtype)

    def empty(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return np.zeros(shape, dtype)

    def give(self, values: np.ndarray) -> np.ndarray:
        return values

    def free_bytes(self) -> float:
        return float("inf")


def compile_instead(folder: Path | None) -> Any:
    """In place of Batch.launch."""

    done: set[tuple[str, str]] = set()

    def launch(self: batch.Batch, kernel: Any, blocks: int, threads: int, *args: Any) -> None:
        precision, name = np.dtype(self.dtype).name, kernel.py_func.__name__
        if (precision, name) in done:
            return
        done.add((precision, name))
        signature = numba.void(*(numba.typeof(a) for a in args))
        ptx = cuda.compile_ptx(kernel.py_func, signature, cc=COMPUTE_CAPABILITY)[0]
        print(precision, name, len(ptx))
        if folder is not None:
            (folder / f"{name}_{precision}.ptx").write_text(ptx)

    return launch


def check_files() -> None:
    """What is compiled can be kept and found again."""
    cache = generated_module(make_neuron("chain", "hh").channels).forward._cache
    files = cache._cache_file
    cache._impl.locator.ensure_cache_path()
    key = ((numba.float64,), COMPUTE_CAPABILITY)
    files.save(key, {"code": b"compiled"})
    assert type(files).__name__ == "KernelFiles"
    assert files.load(key) == {"code": b"compiled"}
    assert files.load((key, "other")) is None


def main(folder: Path | None) -> None:
    warnings.simplefilter("ignore")
    check_files()
    # device functions are compiled for the device that is there
    there = SimpleNamespace(compute_capability=COMPUTE_CAPABILITY)
    vars(sys.modules["numba.cuda.dispatcher"]).update(get_current_device=lambda: there)
    sys.modules[batch.__name__].__dict__.update(kernel_module=generated_module, arrays_for=lambda _: OnTheHost())
    sys.modules[tangents.__name__].__dict__.update(arrays_for=lambda _: OnTheHost())
    batch.Batch.launch = compile_instead(folder)
    neuron = make_neuron("graph", "hh")
    plan = cpu.make_plan(neuron, spiking_protocol(neuron, duration_ms=0.5))
    parameters = make_parameters(neuron, ("Na",))
    every = directions(parameters, plan, parameters.defaults)
    tangents.stream_jacobian(plan, neuron.default_densities(), every, lambda *_: None)
    for dtype, across in product((np.float64, np.float32), (False, True)):
        voltages, _, run = backend.forward(plan, perturbed(neuron, 2).astype(dtype), keep=True, across=across)
        backend.adjoint(run, voltages, passive=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
