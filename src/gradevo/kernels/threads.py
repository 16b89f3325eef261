"""The threads that kernels run in; compiled code lets go of Python's lock."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache


def available_threads() -> int:
    """GRADEVO_THREADS, else the cores this process may use.

    Raises:
        ValueError: if GRADEVO_THREADS is not a positive number.
    """
    wanted = os.environ.get("GRADEVO_THREADS")
    if wanted is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdigit() or int(wanted) < 1:
        raise ValueError(f"GRADEVO_THREADS is {wanted!r}; it must be a whole number of 1 or more")
    return int(wanted)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gradevo")


# threads do not exist in a forked child, which must not wait for its parent's
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


def in_threads(threads: int, n_blocks: int, work: Callable[[Iterator[tuple[int, int]]], None]) -> None:
    """Calls work(shares) in each thread; shares gives the next blocks (first, end) that no thread has taken, until none is left.

    The calling thread is one of them, and does not wait for those that would wake up when all is done. Cores are not equally
    quick, least of all a virtual machine's: whoever is done takes more. Shares are large first and single blocks at the end, for
    few calls and little waiting for the last. ``work`` must not call in_threads. What it raises is raised here, when no thread is
    at work any more.
    """
    shares = deque(_shares(threads, n_blocks))

    def take() -> None:
        try:
            work(_taken_from(shares))
        finally:
            # after an error, or a Ctrl-C, what was not begun is left
            shares.clear()

    helpers = [_pool(threads).submit(take) for _ in range(min(threads, len(shares)) - 1)]
    try:
        take()
    finally:
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    for helper in begun:
        helper.result()


def _shares(threads: int, n_blocks: int) -> Iterator[tuple[int, int]]:
    """Contiguous ranges of blocks."""
    first = 0
    while first < n_blocks:
        left = n_blocks - first
        size = left if threads == 1 else -(-left // (2 * threads))
        yield first, first + size
        first += size


def _taken_from(shares: deque[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """A deque may be emptied by several threads at once."""
    while True:
        try:
            yield shares.popleft()
        except IndexError:
            return
