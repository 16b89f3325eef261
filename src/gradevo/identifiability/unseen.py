"""The direction of which the data tell least, one vector even where many cannot be seen at all."""

from __future__ import annotations

import numpy as np

from gradevo.identifiability.information import Information


def least_known(information: Information) -> tuple[float, np.ndarray]:
    """The standard deviation of the logarithm along it, and the unit vector [P], its largest component positive.

    With a regular matrix, the eigenvector of the smallest eigenvalue. With a singular one, the deviation is infinite and the null
    space, of which no basis is better than another, is entered along one density: the one that changes most within it, alone or
    with the others that hide its change (the projection of its unit vector).
    """
    found = information.spectrum
    if found.rank == len(found.eigenvalues):
        deviation, vector = float(found.eigenvalues[-1] ** -0.5), found.directions[:, -1]
    else:
        null = found.directions[:, found.rank :]
        # of equals within rounding the first
        share = (null**2).sum(axis=1)
        most = int(np.argmax(share >= share.max() - 1e-9))
        deviation, vector = np.inf, null @ null[most] / np.sqrt(share[most])
    return deviation, vector * np.sign(vector[np.argmax(np.abs(vector))])
