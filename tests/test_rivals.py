"""The times of the figure of rivals: where an interval has no upper end, the figure says so."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from gradevo.figures.rivals import _draw_times
from gradevo.figures.style import looks


@pytest.mark.parametrize(("expected", "high", "arrows"), [(2.0, 3.0, 0), (2.0, np.inf, 1), (np.inf, np.inf, 1)])
def test_what_has_no_upper_end_ends_in_an_arrow(expected: float, high: float, arrows: int):
    statistics = pd.DataFrame(
        {
            "method": ["adam"], "expected_wall_s_to_target": [expected], "expected_wall_s_to_target_low": [min(expected, 1.0)],
            "expected_wall_s_to_target_high": [high], "spent_wall_s": [4.0], "success_loss": [3], "fits": [5],
        }
    )  # fmt: skip
    summary = pd.DataFrame({"method": ["adam"], "compile_s": [0.1]})
    ax = Figure().subplots()
    _draw_times(ax, statistics, summary, looks(summary["method"]))
    drawn = [text for text in ax.texts if isinstance(text, Annotation) and text.arrow_patch is not None]
    assert len(drawn) == arrows
    assert all(arrow.xy[0] == 4.0 for arrow in drawn)
