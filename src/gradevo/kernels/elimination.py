"""The order in which a neuron's voltage matrix is eliminated, computed once for any graph.

The matrix is symmetric positive definite: C/dt and conductances on its diagonal, minus the axial conductance per edge. Nodes
are taken in order of fewest remaining neighbours (George and Liu 1989, SIAM Review 31:1). On a tree that is Hines' order
(leaves first) and creates no new entry; a cycle creates fill, which is listed like any other entry.
"""

import heapq
from dataclasses import dataclass

import numpy as np

PAD = 16
"""Compartments are padded to a multiple of this, the most lanes that a vector has."""


@dataclass(frozen=True)
class Elimination:
    """A program for L D L^T on a fixed sparsity pattern; entry e couples the node it belongs to with ``column[e]``.

    order: [nodes] node eliminated at each step. start: [nodes + 1] entries of step k are start[k]:start[k+1].
    column: [entries] the later node.
    update_start: [nodes + 1]; update_a, update_b, update_target: [updates] entry triples,
    entry[target] -= entry[a] entry[b] / diagonal. changed: entries that updates change, to be reset for every solve.
    gather_start: [nodes + 1]; gather_entry, gather_node: what step k collects from: the entries whose column is its node, and
    the nodes that they belong to, all eliminated before. entry_of_edge: [E] the entry that holds an edge.
    """

    order: np.ndarray
    start: np.ndarray
    column: np.ndarray
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
    def n_rows(self) -> int:
        """Rows of an array over the nodes, padded."""
        return -(-(int(self.order.max()) + 1) // PAD) * PAD

    @property
    def fill(self) -> np.ndarray:
        """[entries] which of them belong to no edge."""
        return np.isin(np.arange(self.column.size), self.entry_of_edge, invert=True)

    @property
    def graph(self) -> tuple[np.ndarray, ...]:
        """What the kernels call ``graph``."""
        updates = (self.update_start, self.update_a, self.update_b, self.update_target)
        gathers = (self.gather_start, self.gather_entry, self.gather_node)
        return (self.order, self.start, self.column, *gathers, *updates, self.changed)


def elimination_order(n_nodes: int, edges: np.ndarray) -> tuple[list[int], list[list[int]]]:
    """The nodes of a graph with edges [E, 2] in order of elimination, and the nodes that each is then coupled to.

    Raises:
        ValueError: if an edge is a self-loop or names a node that does not exist.
    """
    remaining: list[set[int]] = [set() for _ in range(n_nodes)]
    for i, j in edges.tolist():
        if i == j or not (0 <= i < n_nodes and 0 <= j < n_nodes):
            raise ValueError(f"edge ({i}, {j}) does not join two different nodes of 0..{n_nodes - 1}")
        remaining[i].add(j)
        remaining[j].add(i)
    # ties go to the highest index: far from the root in our numbering
    waiting = [(len(neighbours), -i) for i, neighbours in enumerate(remaining)]
    heapq.heapify(waiting)
    done = [False] * n_nodes
    order, structures = [], []
    while waiting:
        degree, k = heapq.heappop(waiting)
        k = -k
        # of a node whose neighbours changed, older entries are left in the heap
        if done[k] or degree != len(remaining[k]):
            continue
        done[k] = True
        later = sorted(remaining[k])
        for a, i in enumerate(later):
            remaining[i].discard(k)
            for j in later[a + 1 :]:
                remaining[i].add(j)
                remaining[j].add(i)
        for i in later:
            heapq.heappush(waiting, (len(remaining[i]), -i))
        order.append(k)
        structures.append(later)
    return order, structures


def places(n_nodes: int, n_compartments: int, edges: np.ndarray) -> np.ndarray:
    """[nodes] where the kernels keep each node: compartments first, then, from the next multiple of `PAD` on, branch points, both
    in order of elimination, so that memory is walked from one end to the other. Errors as `elimination_order`."""
    order = np.array(elimination_order(n_nodes, edges)[0], dtype=np.int64)
    place = np.empty(n_nodes, dtype=np.int64)
    is_compartment = order < n_compartments
    place[order[is_compartment]] = np.arange(n_compartments)
    place[order[~is_compartment]] = -(-n_compartments // PAD) * PAD + np.arange(n_nodes - n_compartments)
    return place


def plan_elimination(n_nodes: int, edges: np.ndarray, place: np.ndarray | None = None) -> Elimination:
    """Plans the elimination of a graph with edges [E, 2], whose nodes are then called by their ``place`` [nodes] (see
    `places`; None leaves them as they are). Errors as `elimination_order`."""
    order, structures = elimination_order(n_nodes, edges)
    if place is not None:
        order = place[order].tolist()
        structures = [place[later].tolist() if later else [] for later in structures]
        edges = place[edges]
    start, column = [0], []
    update_start, updates = [0], []
    entry_of: dict[tuple[int, int], int] = {}
    for k, later in zip(order, structures, strict=True):
        for j in later:
            entry_of[(k, j)] = len(column)
            column.append(j)
        start.append(len(column))
    position = {k: p for p, k in enumerate(order)}
    for k, later in zip(order, structures, strict=True):
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
