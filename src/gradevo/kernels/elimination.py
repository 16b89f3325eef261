"""The order in which a neuron's voltage matrix is eliminated, computed once for any graph.

The matrix is symmetric positive definite: C/dt and conductances on its diagonal, minus the axial conductance per edge. Nodes
are taken in order of fewest remaining neighbours (George and Liu 1989, SIAM Review 31:1). On a tree that is Hines' order
(leaves first) and creates no new entry; a cycle creates fill, which is listed like any other entry.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Elimination:
    """A program for L D L^T on a fixed sparsity pattern; entry e couples the node it belongs to with ``column[e]``.

    order: [nodes] node eliminated at each step. start: [nodes + 1] entries of step k are start[k]:start[k+1].
    column: [entries] the later node. value: [entries] the matrix's own off-diagonal (uS; 0 for fill).
    update_start: [nodes + 1]; update_a, update_b, update_target: [updates] entry triples,
    value[target] -= value[a] value[b] / diagonal. changed: entries that updates change, to be reset for every solve.
    gather_start: [nodes + 1]; gather_entry, gather_node: what step k collects from: the entries whose column is its node, and
    the nodes that they belong to, all eliminated before. entry_of_edge: [E] the entry that holds an edge.
    """

    order: np.ndarray
    start: np.ndarray
    column: np.ndarray
    value: np.ndarray
    update_start: np.ndarray
    update_a: np.ndarray
    update_b: np.ndarray
    update_target: np.ndarray
    changed: np.ndarray
    gather_start: np.ndarray
    gather_entry: np.ndarray
    gather_node: np.ndarray
    entry_of_edge: np.ndarray

    @property
    def graph(self) -> tuple[np.ndarray, ...]:
        """What the kernels call ``graph``."""
        updates = (self.update_start, self.update_a, self.update_b, self.update_target)
        gathers = (self.gather_start, self.gather_entry, self.gather_node)
        return (self.order, self.start, self.column, *gathers, *updates, self.changed)


def plan_elimination(n_nodes: int, edges: np.ndarray, conductances_uS: np.ndarray) -> Elimination:
    """Plans the elimination of a graph with edges [E, 2] and conductances [E] in uS; parallel edges add up.

    Raises:
        ValueError: if an edge is a self-loop or names a node that does not exist.
    """
    neighbours: list[dict[int, float]] = [{} for _ in range(n_nodes)]
    for (i, j), g in zip(edges.tolist(), conductances_uS.tolist(), strict=True):
        if i == j or not (0 <= i < n_nodes and 0 <= j < n_nodes):
            raise ValueError(f"edge ({i}, {j}) does not join two different nodes of 0..{n_nodes - 1}")
        neighbours[i][j] = neighbours[i].get(j, 0.0) - g
        neighbours[j][i] = neighbours[j].get(i, 0.0) - g
    remaining = [set(d) for d in neighbours]
    left = set(range(n_nodes))

    order, start, column, value = [], [0], [], []
    update_start, updates = [0], []
    entry_of: dict[tuple[int, int], int] = {}
    structures: list[tuple[int, list[int]]] = []
    while left:
        # ties go to the highest index: far from the root in our numbering, so memory is walked in one direction
        k = min(left, key=lambda i: (len(remaining[i]), -i))
        left.remove(k)
        later = sorted(remaining[k])
        for j in later:
            entry_of[(k, j)] = len(column)
            column.append(j)
            value.append(neighbours[k].get(j, 0.0))
            remaining[j].discard(k)
        for a, i in enumerate(later):
            for j in later[a + 1 :]:
                remaining[i].add(j)
                remaining[j].add(i)
        order.append(k)
        start.append(len(column))
        structures.append((k, later))
    position = {k: p for p, k in enumerate(order)}
    for k, later in structures:
        for a, i in enumerate(later):
            for j in later[a + 1 :]:
                first, second = (i, j) if position[i] < position[j] else (j, i)
                updates.append((entry_of[(k, i)], entry_of[(k, j)], entry_of[(first, second)]))
        update_start.append(len(updates))
    table = np.array(updates, dtype=np.int64).reshape(-1, 3)

    owner = np.repeat(order, np.diff(start))
    # by the position of the entry's column, and for one column in the order of elimination
    gathered = np.argsort([position[j] for j in column], kind="stable") if column else np.zeros(0, dtype=np.int64)
    gather_start = np.searchsorted([position[column[e]] for e in gathered], np.arange(n_nodes + 1))

    def integers(x: object) -> np.ndarray:
        return np.ascontiguousarray(x, dtype=np.int64)

    return Elimination(
        order=integers(order),
        start=integers(start),
        column=integers(column),
        value=np.array(value, dtype=np.float64),
        update_start=integers(update_start),
        update_a=integers(table[:, 0]),
        update_b=integers(table[:, 1]),
        update_target=integers(table[:, 2]),
        changed=integers(np.unique(table[:, 2])),
        gather_start=integers(gather_start),
        gather_entry=integers(gathered),
        gather_node=integers(owner[gathered]),
        entry_of_edge=integers([entry_of.get((i, j), entry_of.get((j, i))) for i, j in edges.tolist()]),
    )
