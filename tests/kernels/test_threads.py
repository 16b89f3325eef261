"""Blocks and the threads that take them."""

import math
import threading
import time
from itertools import pairwise

import pytest

from gradevo.kernels.threads import in_threads


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("n_blocks", [1, 2, 12, 125])
@pytest.mark.parametrize("at_once", [None, 1, 5, 10**6])
def test_every_block_is_taken_once(threads, n_blocks, at_once):
    taken: list[tuple[int, int]] = []
    in_threads(threads, n_blocks, taken.extend, at_once)
    taken.sort()
    assert (taken[0][0], taken[-1][1]) == (0, n_blocks)
    assert all(end == begin for (_, end), (begin, _) in pairwise(taken))
    if at_once:
        assert max(end - first for first, end in taken) <= at_once
    if threads == 1:
        assert at_once or taken == [(0, n_blocks)]
        return
    assert max(end - first for first, end in taken) <= -(-n_blocks // (2 * threads)), "the other threads' work is not taken"
    if not at_once:
        assert len(taken) <= 1 + 2 * threads * (1 + math.log(n_blocks)), "few calls"
        assert taken[-1][1] - taken[-1][0] == 1, "little to wait for at the end"


def test_who_is_done_takes_more():
    """One thread does not come back before the other has done all the rest."""
    rest_done = threading.Event()
    taken: dict[int, int] = {}

    def work(shares):
        for first, end in shares:
            mine = taken[threading.get_ident()] = taken.get(threading.get_ident(), 0) + end - first
            if first == 0:
                rest_done.wait(10)
            elif sum(taken.values()) == 8 and mine < 8:
                rest_done.set()
            time.sleep(0.001)

    in_threads(2, 8, work, at_once=1)
    assert sorted(taken.values()) == [1, 7]


def test_an_error_reaches_the_caller_when_nobody_is_at_work_any_more():
    at_work, begun = set(), []

    def work(shares):
        for first, _ in shares:
            at_work.add(first)
            begun.append(first)
            if first == 1:
                at_work.discard(first)
                raise ArithmeticError("block 1")
            time.sleep(0.02)
            at_work.discard(first)

    with pytest.raises(ArithmeticError, match="block 1"):
        in_threads(2, 100, work, at_once=1)
    assert not at_work
    assert len(begun) < 10
