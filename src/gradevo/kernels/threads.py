"""The threads that kernels run in; compiled code lets go of Python's lock."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def in_threads(threads: int, n_blocks: int, call: Callable[[int, int], None]) -> None:
    """Calls call(first_block, end_block) on contiguous shares of the blocks."""
    shares = min(threads, n_blocks)
    bounds = [round(n_blocks * k / shares) for k in range(shares + 1)]
    if shares == 1:
        call(0, n_blocks)
        return
    for future in [_pool(threads).submit(call, *ends) for ends in itertools.pairwise(bounds)]:
        future.result()
