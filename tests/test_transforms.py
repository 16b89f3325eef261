import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradevo.transforms import VIEWS, Transform

LOW, HIGH = np.array([1e-3, 0.02]), np.array([1e-2, 0.5])


@pytest.mark.parametrize("view", VIEWS)
@given(unit=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=2))
def test_views_are_inverted_and_their_slope_is_the_derivative(view, unit):
    transform = Transform(view, LOW, HIGH)
    density = LOW * (HIGH / LOW) ** np.array(unit)
    theta = transform.from_density(density)
    np.testing.assert_allclose(transform.to_density(theta), density, rtol=1e-12)
    step = 1e-6 * (1e-3 if view == "identity" else 1.0)
    numeric = (transform.to_density(theta + step) - transform.to_density(theta - step)) / (2 * step)
    np.testing.assert_allclose(transform.slope(theta), numeric, rtol=1e-6)


@pytest.mark.parametrize("view", VIEWS)
def test_bounds_map_to_the_box(view):
    transform = Transform(view, LOW, HIGH)
    lower, upper = transform.bounds
    if view == "logit":
        lower, upper = np.full(2, -800.0), np.full(2, 800.0)
    np.testing.assert_allclose(transform.to_density(lower), LOW, rtol=1e-14)
    np.testing.assert_allclose(transform.to_density(upper), HIGH, rtol=1e-14)
    # a density on the box's edge is finite in every view
    assert np.isfinite(transform.from_density(HIGH)).all()


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([1.0, 2.0], [2.0, 1.0], "cross at parameter 1"),
        ([0.0, 1.0], [2.0, 2.0], r"low\[0\]"),
        ([1.0, np.nan], [2.0, 2.0], r"low\[1\] is nan"),
        ([1.0], [2.0, 2.0], "one length"),
    ],
)
def test_bad_bounds_are_named(low, high, message):
    with pytest.raises(ValueError, match=message):
        Transform("unit", np.array(low), np.array(high))


def test_unknown_view_and_impossible_densities():
    with pytest.raises(ValueError, match="unknown view 'logarithm'"):
        Transform("logarithm", LOW, HIGH)
    with pytest.raises(ValueError, match="outside its bounds"):
        Transform("logit", LOW, HIGH).from_density(2 * HIGH)
    with pytest.raises(ValueError, match="no log coordinate"):
        Transform("log", LOW, HIGH).from_density(-LOW)
