"""Which simulations lie side by side, and whose compartments fill the lanes instead."""

import numpy as np
import pytest

from gradevo.kernels.layout import choose_layout


@pytest.mark.parametrize(
    ("simulations", "compartments", "threads", "across"),
    [
        (1, 184, 1, True),
        (1, 184, 2, True),
        (3, 184, 1, True),
        (6, 184, 2, True),
        (96, 184, 1, False),
        (96, 184, 2, False),
        # a vector's worth of simulations leaves no lane idle
        (8, 184, 1, False),
        # little work is not worth a second thread
        (6, 24, 2, False),
        (8, 61, 2, False),
        # vectors of compartments would be as empty
        (6, 6, 1, False),
    ],
)
def test_lanes_are_filled_with_what_there_is(simulations, compartments, threads, across):
    layout = choose_layout(simulations, 1, np.arange(compartments), threads, np.float64)
    assert layout.across == across
    assert layout.blocks == (simulations if across else -(-simulations // 8))
