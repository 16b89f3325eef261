"""Arrays for the kernels: aligned to cache lines, and the large ones used again."""

import math
import threading

import numpy as np

ALIGNMENT = 64
"""Bytes of a cache line: a vector that straddles two costs twice the time."""

# Fresh large arrays cost a page fault per 4 kB, a third of a small run's time: a few are kept for reuse.
_spare: list[np.ndarray] = []
_SPARE_BUFFERS = 6
_LARGE_BYTES = 2**20
_lock = threading.Lock()


def empty(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An aligned array."""
    return _view(np.empty(_bytes(shape, dtype) + ALIGNMENT, np.uint8), shape, dtype)


def aligned(values: np.ndarray, dtype: type) -> np.ndarray:
    """A contiguous, aligned copy."""
    out = empty(values.shape, dtype)
    out[...] = values
    return out


def acquire(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An aligned array, from a buffer that was released if one fits."""
    needed = _bytes(shape, dtype) + ALIGNMENT
    with _lock:
        fitting = next((i for i, buffer in enumerate(_spare) if needed <= buffer.size <= 2 * needed), None)
        spare = None if fitting is None else _spare.pop(fitting)
    return empty(shape, dtype) if spare is None else _view(spare, shape, dtype)


def release(array: np.ndarray) -> None:
    """Lets `acquire` use the array's buffer again. Nobody may look at the array after that."""
    buffer = array.base
    assert isinstance(buffer, np.ndarray)
    assert buffer.dtype == np.uint8
    # the collector may call this from anywhere, also while this thread holds the lock: then the buffer is simply freed
    if buffer.size >= _LARGE_BYTES and _lock.acquire(blocking=False):
        try:
            _spare.append(buffer)
            del _spare[:-_SPARE_BUFFERS]
        finally:
            _lock.release()


def _bytes(shape: tuple[int, ...], dtype: type) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize


def _view(buffer: np.ndarray, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    begin = -buffer.ctypes.data % ALIGNMENT
    return np.ndarray(shape, dtype, buffer, begin)
