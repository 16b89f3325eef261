"""A neuron cut into contiguous regions: the dial between one density for the whole neuron and one per compartment."""

from functools import lru_cache

import numpy as np

from gradevo.morphology import Morphology
from gradevo.tree import root_first


@lru_cache(maxsize=64)  # each problem of a study, and each view of a problem, asks again
def contiguous_regions(morphology: Morphology, k: int) -> np.ndarray:
    """Labels [n] of k connected regions, numbered 0 ... k - 1 by their lowest compartment.

    From one region on, the region of largest membrane area that has two compartments or more is cut at the link that halves
    its area best. So the regions of k + 1 are those of k with one of them cut in two, k = n is every compartment for itself
    (label = compartment), and nothing is random. Separate components count as joined at their roots, cycles as cut open
    along the tree of parents.

    Raises:
        ValueError: unless 1 <= k <= n.
    """
    n = morphology.n_compartments
    if not 1 <= k <= n:
        raise ValueError(f"regions is {k}; a neuron of {n} compartments can be cut into 1 to {n}")
    if k == n:
        return _fixed(np.arange(n))
    # whole numbers, so that ties are ties however the areas are summed
    weights = np.rint(morphology.areas_um2 / morphology.areas_um2.sum() * 2**40).astype(np.int64)
    parents = morphology.parents.copy()
    order = root_first(parents)
    roots = order[parents[order] < 0]
    parents[roots[1:]] = roots[0]
    regions = [(int(weights.sum()), order)]
    for _ in range(k - 1):
        largest = max((r for r in regions if len(r[1]) > 1), key=lambda r: (r[0], -r[1].min()))
        regions = [r for r in regions if r is not largest]
        regions += [(int(weights[half].sum()), half) for half in _halved(largest[1], parents, weights)]
    labels = np.empty(n, dtype=np.int64)
    for label, region in enumerate(sorted((r[1] for r in regions), key=np.min)):
        labels[region] = label
    return _fixed(labels)


def region_means(values: np.ndarray, labels: np.ndarray, areas_um2: np.ndarray) -> np.ndarray:
    """Area-weighted mean of values [..., n] in every region: [..., n_regions].

    Raises:
        ValueError: for a region without compartments.
    """
    members = [np.flatnonzero(labels == region) for region in range(int(labels.max()) + 1)]
    for region, those in enumerate(members):
        if not len(those):
            raise ValueError(f"region {region} has no compartments; number regions 0, 1, ... without gaps")
    means = []
    for those in members:
        own = values[..., those]
        # rounding must not change what is uniform already
        uniform = (own == own[..., :1]).all(axis=-1)
        means.append(np.where(uniform, own[..., 0], np.average(own, axis=-1, weights=areas_um2[those])))
    return np.stack(means, axis=-1)


def _fixed(labels: np.ndarray) -> np.ndarray:
    """Read-only, because the cache hands the same array to everybody."""
    labels.setflags(write=False)
    return labels


def _halved(region: np.ndarray, parents: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """A region, given root first, cut in two below the compartment whose subtree comes closest to half its weight."""
    position = {int(c): i for i, c in enumerate(region)}
    up = [position.get(int(parents[c]), -1) for c in region]
    below = [int(w) for w in weights[region]]
    for i in range(len(region) - 1, 0, -1):
        below[up[i]] += below[i]
    cut = min(range(1, len(region)), key=lambda i: (abs(2 * below[i] - below[0]), i))
    inside = np.zeros(len(region), dtype=bool)
    for i in range(cut, len(region)):
        inside[i] = i == cut or (up[i] >= 0 and inside[up[i]])
    return [region[~inside], region[inside]]
