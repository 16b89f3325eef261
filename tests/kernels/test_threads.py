"""Blocks and the threads that take them."""

import math
import threading
import time
from itertools import pairwise

import pytest

from gradevo.kernels import threads as pools
from gradevo.kernels.threads import in_threads


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("n_blocks", [1, 2, 12, 125])
def test_every_block_is_taken_once(threads, n_blocks):
    taken: list[tuple[int, int]] = []
    in_threads(threads, n_blocks, taken.extend)
    taken.sort()
    assert (taken[0][0], taken[-1][1]) == (0, n_blocks)
    assert all(end == begin for (_, end), (begin, _) in pairwise(taken))
    if threads == 1:
        assert taken == [(0, n_blocks)]
        return
    assert max(end - first for first, end in taken) <= -(-n_blocks // (2 * threads)), "the other threads' work is not taken"
    assert len(taken) <= 1 + 2 * threads * (1 + math.log(n_blocks)), "few calls"
    assert taken[-1][1] - taken[-1][0] == 1, "little to wait for at the end"


def test_who_is_done_takes_more():
    """One thread does not come back before the other has done all the rest."""
    rest_done = threading.Event()
    taken: dict[int, int] = {}

    def work(shares):
        for first, end in shares:
            me = threading.get_ident()
            taken[me] = taken.get(me, 0) + end - first
            if first == 0:
                rest_done.wait(10)
            elif sum(taken.values()) == 8:
                rest_done.set()
            time.sleep(0.001)

    in_threads(2, 8, work)
    assert sorted(taken.values()) == [2, 6], "the first share, and all the others"


def test_who_never_begins_is_not_waited_for():
    """All other threads are busy; the caller does all."""
    busy = threading.Event()
    others = [pools._pool(2).submit(busy.wait, 10) for _ in range(2)]
    taken: list[tuple[int, int]] = []
    in_threads(2, 8, taken.extend)
    assert not any(other.done() for other in others)
    assert sum(end - first for first, end in taken) == 8
    busy.set()


def test_an_error_reaches_the_caller_when_nobody_is_at_work_any_more():
    at_work, begun = set(), []

    def work(shares):
        for first, _ in shares:
            at_work.add(first)
            begun.append(first)
            if first == 25:
                at_work.discard(first)
                raise ArithmeticError("block 25")
            time.sleep(0.02)
            at_work.discard(first)

    with pytest.raises(ArithmeticError, match="block 25"):
        in_threads(2, 100, work)
    assert not at_work
    assert sorted(begun)[:2] == [0, 25]
    assert len(begun) < 5, "what was not begun is left"
