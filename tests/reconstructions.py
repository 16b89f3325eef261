"""Made-up reconstructed neurons, as SWC and ASC text: bent, tapering, branching sections on somas of every convention."""

import numpy as np

SWC_SOMAS = {
    # points (x, y, z, radius, parent) and the soma points that dendrites are attached to
    "one_point": ([(3, 4, 5, 8, -1)], [1, 1, 1, 1]),
    "three_point_sphere": ([(0, 0, 0, 7, -1), (0, -7, 0, 7, 1), (0, 7, 0, 7, 1)], [1, 1, 1]),
    "three_points_in_line": ([(0, -9, 0, 5, -1), (0, 0, 0, 8, 1), (0, 9, 0, 4, 2)], [1, 2, 3, 3]),
    "two_points": ([(0, -9, 0, 4, -1), (0, 9, 0, 8, 1)], [1, 2, 2]),
    "branched": (
        [(0, -9, 0, 4, -1), (0, -3, 0, 8, 1), (0, 4, 0, 9, 2), (5, 9, 0, 4, 2), (8, 12, 0, 4, 4)],
        [1, 2, 3, 4, 5, 5],
    ),
}


def swc_text(soma: str, seed: int, depth: int = 2) -> str:
    """Numbered depth first; besides full trees: a branch from a dendrite's first point, a bare wire, a change of type."""
    points, attached = SWC_SOMAS[soma]
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = [(1, *p) for p in points]

    def grow(position: np.ndarray, direction: np.ndarray, parent: int, kind: int, depth: int, radius: float) -> None:
        for _ in range(rng.integers(2, 6)):
            direction = _bent(rng, direction, 0.3)
            position = position + rng.uniform(8, 25) * direction
            radius *= rng.uniform(0.85, 1.0)
            rows.append((kind, *position, radius, parent))
            parent = len(rows)
        for _ in range(rng.integers(2, 4) if depth else 0):
            grow(position, _bent(rng, direction, 0.5), parent, kind, depth - 1, 0.8 * radius)

    for i, parent in enumerate(attached):
        start = np.array(points[parent - 1][:3]) + np.array([0.0, 8.0, 0.0])
        grow(start, _bent(rng, rng.normal(size=3), 0.0), parent, (3, 4, 2)[i % 3], depth, 1.5)
    first = next(i for i, row in enumerate(rows[len(points) + 1 :], start=len(points) + 2) if row[5] <= len(points))
    grow(np.array(rows[first - 1][1:4]), _bent(rng, rng.normal(size=3), 0.0), first, int(rows[first - 1][0]), 1, 1.0)
    rows.append((3, 50, 60, 70, 0.5, attached[-1]))
    rows.append((2, 50, 60, 90, 0.5, len(rows)))
    lines = ["%d %d %.6f %.6f %.6f %.6f %d" % (n, *row) for n, row in enumerate(rows, start=1)]  # noqa: UP031
    return "# a made-up neuron\n" + "\n".join(lines) + "\n"


def asc_text(seed: int, decimals: int | None = None, depth: int = 2) -> str:
    """An outlined soma away from the origin and trees that begin inside it; coordinates in 64ths of a micrometre (exact in
    single precision), or with that many decimals.
    """
    rng = np.random.default_rng(seed)

    def place(xyzd: np.ndarray) -> str:
        exact = np.round(xyzd * 64) / 64 if decimals is None else np.round(xyzd, decimals)
        return "(" + " ".join(f"{value:.6f}" for value in exact) + ")\n"

    def grow(position: np.ndarray, direction: np.ndarray, depth: int, diameter: float) -> str:
        text = ""
        for _ in range(rng.integers(2, 6)):
            text += place(np.append(position, diameter))
            direction = _bent(rng, direction, 0.3)
            position = position + rng.uniform(8, 25) * direction
            diameter *= rng.uniform(0.85, 1.0)
        if depth:
            children = [grow(position, _bent(rng, direction, 0.5), depth - 1, 0.8 * diameter) for _ in range(2)]
            text += "(\n" + "|\n".join(children) + ")\n"
        return text

    centre = np.array([100.0, -50.0, 3.0])
    angle = np.linspace(0, 2 * np.pi, 25, endpoint=False)
    radius = 8 * (1 + 0.3 * np.cos(2 * angle + 1) + 0.05 * rng.normal(size=25))
    outline = centre + np.column_stack([1.4 * radius * np.cos(angle), radius * np.sin(angle), np.zeros(25)])
    text = '("CellBody"\n(Color Red)\n(CellBody)\n' + "".join(place(np.append(p, 0.125)) for p in outline) + ")\n"
    for kind in ("Dendrite", "Dendrite", "Apical", "Axon"):
        text += f"(({kind})\n" + grow(centre + 4 * rng.normal(size=3), _bent(rng, rng.normal(size=3), 0.0), depth, 3.0) + ")\n"
    return text


def _bent(rng: np.random.Generator, direction: np.ndarray, by: float) -> np.ndarray:
    turned = direction + by * rng.normal(size=3)
    return turned / np.linalg.norm(turned)
