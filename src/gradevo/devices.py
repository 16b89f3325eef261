"""Where simulations are computed: by the CPU's kernels, or by a GPU's, which have the same functions."""

from __future__ import annotations

from typing import Any

DEVICES = ("cpu", "cuda", "auto")


def resolved(device: str) -> str:
    """ "cpu" or "cuda"; "auto" is the GPU where there is one. Nothing is begun on it yet: processes may still fork.

    Raises:
        ValueError: for another name; for "cuda" (a NoCudaError) without a GPU or what its kernels need, naming the extra. Numba's
            simulator, which is for tests, serves those who ask for "cuda", and is no GPU for "auto".
    """
    if device == "cpu":
        return device
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}; use one of {', '.join(DEVICES)}")
    from gradevo.cuda.device import NoCudaError, missing, simulated

    absent = missing()
    if device == "auto":
        return "cpu" if absent or simulated() else "cuda"
    if absent:
        raise NoCudaError(absent)
    return device


def said_of(device: str) -> str:
    """What "auto" came to, for people."""
    return "computing on the GPU" if device == "cuda" else "there is no GPU here; computing on the CPU"


def kernels(device: str) -> Any:
    """The module with ``forward``, ``adjoint``, ``terms`` and ``gradient``: gradevo.kernels.cpu, or gradevo.cuda.backend. Errors
    as ``resolved``."""
    if resolved(device) == "cpu":
        from gradevo.kernels import cpu

        return cpu
    from gradevo.cuda import backend

    return backend


def tangents(device: str) -> Any:
    """The module with ``stream_jacobian``: gradevo.kernels.tangents, or gradevo.cuda.tangents. Errors as ``resolved``."""
    if resolved(device) == "cpu":
        from gradevo.kernels import tangents

        return tangents
    from gradevo.cuda import tangents

    return tangents
