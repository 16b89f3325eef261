"""Spectrum, numerical rank and null space of an information matrix.

Information spans many decades between a stimulated compartment and a far one, so nothing is judged on the matrix itself but on
C = D^-1 F D^-1, D the square roots of F's diagonal: in C, every parameter alone has information 1, and its small eigenvalues
keep their digits where F's are lost (Demmel and Veselic 1992, doi 10.1137/0613074).

The rule for the rank: an eigenvalue of C counts as information if it is above RANK_TOLERANCE times P times the largest, P the
number of parameters. What is below could be the rounding of the sums that made F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RANK_TOLERANCE = 10 * np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Of an information matrix F [P, P].

    eigenvalues : [P] of F, descending; zero beyond the rank
    directions : [P, P], column i the unit eigenvector of F to eigenvalue i
    rank : by the module's rule
    null_share : [P] of each parameter's unit vector, the squared norm within the null space of C
    variances : [P] diagonal of F's inverse; where F is singular, of the inverse within the range of C, that is with the null
        space's directions held: it says nothing of parameters with a null share
    """

    eigenvalues: np.ndarray
    directions: np.ndarray
    rank: int
    null_share: np.ndarray
    variances: np.ndarray

    def n_known(self, deviation: float) -> int:
        """Directions along which the parameters are known to better than this standard deviation."""
        return int((self.eigenvalues > deviation**-2).sum())


def spectrum(matrix: np.ndarray) -> Spectrum:
    """Raises ValueError for a matrix that is not square, symmetric and finite, or that has a negative diagonal."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"an information matrix is square; got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("the information matrix holds numbers that are not finite; was it taken where a simulation diverged?")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12 * float(np.abs(matrix).max(initial=0.0))):
        raise ValueError("the information matrix is not symmetric")
    diagonal = np.diagonal(matrix)
    if (diagonal < 0).any():
        raise ValueError(f"the information matrix has {diagonal.min():g} on its diagonal; squares cannot be negative")
    deviations = np.sqrt(diagonal)
    scale = np.where(deviations > 0, deviations, 1.0)
    # dividing twice: the product of two small scales may underflow
    of_c, vectors = np.linalg.eigh((matrix + matrix.T) / 2 / scale[:, None] / scale)
    of_c, vectors = of_c[::-1], vectors[:, ::-1]
    n = len(matrix)
    rank = int((of_c > n * RANK_TOLERANCE * max(float(of_c[0]), 0.0)).sum())
    kept = vectors[:, :rank]
    # F = A^T A; from A, eigenvalues of F keep twice the digits
    factor = np.sqrt(of_c[:rank, None]) * kept.T * deviations
    _, singular, rows = np.linalg.svd(factor, full_matrices=True)
    eigenvalues = np.zeros(n)
    eigenvalues[: len(singular)] = singular**2
    return Spectrum(
        eigenvalues=eigenvalues,
        directions=rows.T,
        rank=rank,
        null_share=(vectors[:, rank:] ** 2).sum(axis=1),
        variances=(kept**2 / of_c[:rank]).sum(axis=1) / scale**2,
    )
