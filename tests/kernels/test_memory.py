"""Buffers that are used again: aligned, and large enough."""

from threading import Thread

import numpy as np
import pytest

from gradevo.kernels import memory


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(0,), (3,), (5, 0, 2), (7, 11, 8)])
def test_arrays_are_aligned_and_hold_what_is_copied(shape, dtype):
    values = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    copy = memory.aligned(values, dtype)
    assert copy.size == 0 or copy.ctypes.data % memory.ALIGNMENT == 0
    assert copy.flags.c_contiguous
    assert np.array_equal(copy, values)


def test_a_released_buffer_is_used_again(monkeypatch):
    # none that another test left
    monkeypatch.setattr(memory, "_spare", [])
    first = memory.acquire((2**18,), np.float64)
    address = first.ctypes.data
    memory.release(first)
    again = memory.acquire((2**18 - 5,), np.float64)
    assert again.ctypes.data == address
    memory.release(again)


def test_a_buffer_that_is_released_while_the_lock_is_held_is_freed(monkeypatch):
    """The collector may release a run within `acquire`: waiting there for the lock would be for ever."""
    monkeypatch.setattr(memory, "_spare", [])
    array = memory.acquire((2**18,), np.float64)
    done = Thread(target=memory.release, args=(array,), daemon=True)
    with memory._lock:
        done.start()
        done.join(timeout=10)
        assert not done.is_alive()
    assert memory._spare == []
    memory.release(array)
    assert len(memory._spare) == 1
