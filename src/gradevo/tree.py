"""Distances and order along a neuron's tree. Where a neuron has cycles, the tree is the one of its compartments' parents."""

import numpy as np

from gradevo.morphology import Morphology


def tree_distances(morphology: Morphology) -> np.ndarray:
    """[n, n] path length in um between the centres of compartments; infinite between separate components.

    Siblings meet where they attach: at their parent's end (the branch point), or at the soma's centre.
    """
    from scipy.sparse import coo_array  # half a second to load, and few fits need distances
    from scipy.sparse.csgraph import dijkstra

    m, n = morphology, morphology.n_compartments
    a, b = np.sort(m.edges, axis=1).T
    between_compartments = b < n
    # an edge that closes a cycle is no part of the tree
    kept = ~between_compartments
    kept[between_compartments] = (m.parents[b[between_compartments]] == a[between_compartments]) | (
        m.parents[a[between_compartments]] == b[between_compartments]
    )
    a, b = a[kept], b[kept]
    # a branch point's edge ends at the centre of a compartment, half a compartment away
    length = np.where(b < n, np.abs(m.path_distance_um[a] - m.path_distance_um[np.minimum(b, n - 1)]), 0.5 * m.lengths_um[a])
    graph = coo_array((length, (a, b)), shape=(m.n_nodes, m.n_nodes)).tocsr()
    distances = dijkstra(graph, directed=False)[:n, :n]
    # the two directions add up the same lengths in opposite order
    return np.minimum(distances, distances.T)


def root_first(parents: np.ndarray) -> np.ndarray:
    """Compartments [n] in an order in which parents come before their children, depth first, lowest number first."""
    children: list[list[int]] = [[] for _ in parents]
    waiting = []
    for i in reversed(range(len(parents))):
        (children[parents[i]] if parents[i] >= 0 else waiting).append(i)
    order = []
    while waiting:
        order.append(waiting.pop())
        waiting += children[order[-1]]
    return np.array(order)
