"""A neuron given as an adjacency matrix: equal compartments, coupled directly."""

import numpy as np

from gradevo.morphology.base import Morphology, positive
from gradevo.units import S_PER_CM2_UM2_TO_US


def from_adjacency(
    adjacency: np.ndarray, coupling_S_cm2: float, *, length_um: float = 50.0, diameter_um: float = 2.0
) -> Morphology:
    """Equal compartments coupled directly wherever the symmetric 0/1 matrix [n, n] says so, by a conductance of
    ``coupling_S_cm2`` times the compartment's area. Cycles and separate components are allowed.

    Raises:
        ValueError: for a matrix that is not square, symmetric, 0/1 and zero on its diagonal, or a coupling that is not
            positive and finite.
    """
    positive(coupling_S_cm2=coupling_S_cm2, length_um=length_um, diameter_um=diameter_um)
    matrix = np.asarray(adjacency)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"adjacency has shape {matrix.shape}; it must be a square matrix")
    if not np.isin(matrix, (0, 1)).all():
        raise ValueError(f"adjacency holds {matrix[~np.isin(matrix, (0, 1))].flat[0]}; only 0 and 1 are allowed")
    if (matrix != matrix.T).any() or matrix.diagonal().any():
        raise ValueError("adjacency must be symmetric with a zero diagonal")
    n = len(matrix)
    edges = np.argwhere(np.triu(matrix)).astype(np.int64)
    area = np.pi * diameter_um * length_um
    parents, hops, angle = _breadth_first(matrix)
    direction = np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], axis=1)
    end = np.zeros((n, 3))
    start = np.zeros((n, 3))
    for i in np.argsort(np.where(np.isfinite(hops), hops, 0), kind="stable"):
        start[i] = end[parents[i]] if parents[i] >= 0 else 0.0
        end[i] = start[i] + length_um * direction[i]
    return Morphology(
        parents=parents,
        areas_um2=np.full(n, area),
        diameters_um=np.full(n, diameter_um),
        lengths_um=np.full(n, length_um),
        path_distance_um=hops * length_um,
        start_um=start,
        end_um=end,
        edges=edges,
        conductances_uS=np.full(len(edges), coupling_S_cm2 * area * S_PER_CM2_UM2_TO_US),
        n_nodes=n,
        sections=np.arange(n),
        axial_resistivity_ohm_cm=None,
    )


def _breadth_first(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parents, hops from the root of each component and a drawing angle; a spanning forest grown breadth first."""
    n = len(matrix)
    parents = np.full(n, -1)
    hops = np.full(n, np.inf)
    angle = np.zeros(n)
    for root in range(n):
        if np.isfinite(hops[root]):
            continue
        hops[root] = 0.0
        queue = [root]
        while queue:
            i = queue.pop(0)
            children = [int(j) for j in np.flatnonzero(matrix[i]) if not np.isfinite(hops[j])]
            for k, j in enumerate(children):
                parents[j], hops[j] = i, hops[i] + 1
                angle[j] = angle[i] + 0.9 * (k - (len(children) - 1) / 2)
                queue.append(j)
    return parents, hops, angle
