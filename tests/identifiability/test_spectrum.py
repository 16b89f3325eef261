"""Spectrum and rank on matrices whose answers are known, over many decades."""

import numpy as np
import pytest

from gradevo.identifiability.spectrum import spectrum


def random_information(n: int, rank: int, seed: int = 0) -> np.ndarray:
    factor = np.random.default_rng(seed).normal(size=(rank, n))
    return factor.T @ factor


@pytest.mark.parametrize("rank", [1, 5, 12])
def test_rank_and_eigenvalues(rank):
    matrix = random_information(12, rank)
    found = spectrum(matrix)
    assert found.rank == rank
    np.testing.assert_allclose(found.eigenvalues[:rank], np.linalg.eigvalsh(matrix)[::-1][:rank], rtol=1e-8)
    assert not found.eigenvalues[rank:].any()
    np.testing.assert_allclose(found.directions.T @ found.directions, np.eye(12), atol=1e-12)
    np.testing.assert_allclose(found.directions * found.eigenvalues @ found.directions.T, matrix, atol=1e-10 * matrix.max())
    assert found.null_share.sum() == pytest.approx(12 - rank)


def test_scales_of_many_decades_change_neither_rank_nor_relative_variances():
    matrix, scale = random_information(8, 20), 10.0 ** -np.arange(0, 80, 10)
    found, scaled = spectrum(matrix), spectrum(matrix * scale[:, None] * scale)
    assert found.rank == scaled.rank == 8
    np.testing.assert_allclose(scaled.variances * scale**2, found.variances, rtol=1e-9)
    np.testing.assert_allclose(found.variances, np.diagonal(np.linalg.inv(matrix)), rtol=1e-9)


def test_a_faint_pair_that_is_seen_only_as_its_sum_is_null():
    """Both have next to no information, as far compartments do: still it is they that cannot be told apart."""
    factor = np.zeros((30, 4))
    rng = np.random.default_rng(1)
    factor[:, :2] = rng.normal(size=(30, 2))
    factor[:, 2] = factor[:, 3] = 1e-6 * rng.normal(size=30)
    found = spectrum(factor.T @ factor)
    assert found.rank == 3
    np.testing.assert_allclose(found.null_share, [0, 0, 0.5, 0.5], atol=1e-6)


def test_a_parameter_without_information_is_null_and_a_zero_matrix_all_null():
    matrix = random_information(4, 9)
    matrix[2] = matrix[:, 2] = 0.0
    found = spectrum(matrix)
    assert found.rank == 3
    np.testing.assert_allclose(found.null_share, [0, 0, 1, 0], atol=1e-12)
    assert spectrum(np.zeros((3, 3))).rank == 0
    np.testing.assert_array_equal(spectrum(np.zeros((3, 3))).null_share, 1.0)


def test_directions_known_to_a_deviation():
    found = spectrum(np.diag([1e6, 1e4 * 1.01, 1e4 * 0.99, 2.0, 0.5]))
    assert (found.n_known(0.01), found.n_known(1.0)) == (2, 4)


def test_what_is_no_information_matrix_is_refused():
    for matrix, message in (
        (np.ones((2, 3)), "square"),
        (np.diag([1.0, np.nan]), "not finite"),
        (np.array([[1.0, 0.5], [0.1, 1.0]]), "not symmetric"),
        (np.diag([1.0, -1.0]), "negative"),
    ):
        with pytest.raises(ValueError, match=message):
            spectrum(matrix)
