"""Which nodes can be eliminated at the same time: for threads that share one simulation."""

import numpy as np

from gradevo.kernels.elimination import Elimination


def levels(elimination: Elimination) -> tuple[np.ndarray, np.ndarray]:
    """(start [levels + 1], step [nodes]): level l eliminates ``step[start[l]:start[l + 1]]`` of the elimination's order at once.

    No step of a level reads what another one of it writes, and what is written twice is written in the order of elimination, so
    that every rounding is that of one thread. On a tree a level is a height above the leaves. Walked backwards, the same levels
    serve substitution: a node's later neighbours are all in higher ones.
    """
    e = elimination
    n_nodes, n_entries = e.order.size, e.column.size
    of_step = np.zeros(n_nodes, dtype=np.int64)
    node = np.full(e.n_rows, -1, dtype=np.int64)
    written, read = np.full(n_entries, -1, dtype=np.int64), np.full(n_entries, -1, dtype=np.int64)
    for p in range(n_nodes):
        gathered = slice(e.gather_start[p], e.gather_start[p + 1])
        updates = slice(e.update_start[p], e.update_start[p + 1])
        reads = np.concatenate([e.gather_entry[gathered], e.update_a[updates], e.update_b[updates]])
        targets = e.update_target[updates]
        before = [node[e.gather_node[gathered]], written[reads], written[targets], read[targets]]
        level = max((int(b.max()) for b in before if b.size), default=-1) + 1
        of_step[p] = node[e.order[p]] = level
        read[reads] = np.maximum(read[reads], level)
        written[targets] = level
    step = np.argsort(of_step, kind="stable")
    start = np.searchsorted(of_step[step], np.arange(of_step.max() + 2))
    return start.astype(np.int64), step.astype(np.int64)
