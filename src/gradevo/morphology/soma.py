"""A soma given as a sphere or as its outline, turned into frusta as NEURON's Import3d does it (import3d_gui.hoc)."""

import numpy as np

FRUSTA = 20


def sphere_to_points(xyzd_um: np.ndarray) -> np.ndarray:
    """Three points [3, 4] of a cylinder along x, as long as wide: of the sphere's area. xyzd_um: [4] centre and diameter."""
    points = np.repeat(np.asarray(xyzd_um, dtype=float)[None], 3, axis=0)
    points[:, 0] += 0.5 * points[:, 3] * np.array([-1.0, 0.0, 1.0])
    return points


def contour_to_points(outline_um: np.ndarray) -> np.ndarray:
    """The points [21, 4] (x, y, z, diameter; um) of a soma with the outline [k, 3]: NEURON's contour2centroid.

    They lie evenly on the outline's major axis; diameters are the outline's widths across it, in the plane of x and y.

    Raises:
        ValueError: if the outline has no width.
    """
    around, mean = _resample(np.asarray(outline_um, dtype=float))
    values, vectors = np.linalg.eigh((around - mean).T @ (around - mean))
    rank = np.argsort(values)
    major, minor = vectors[:, rank[2]], vectors[:, rank[1]].copy()
    if major[np.argmax(np.abs(major))] < 0:
        major = -major
    minor[2] = 0.0
    width = np.linalg.norm(minor)
    if not (values[rank[1]] > 0 and width > 1e-6):
        raise ValueError("the soma's outline has no width in the plane of x and y; draw it around the cell body")
    along, across = (around - mean) @ major, (around - mean) @ (minor / width)
    start = int(np.argmax(along))
    along, across = np.roll(along, -start), np.roll(across, -start)
    turn = int(np.argmin(along))
    one = _increasing(along[:turn][::-1], across[:turn][::-1])
    other = _increasing(along[turn:], across[turn:])
    everything = np.sort(np.concatenate([one[0], other[0]]))
    position = np.linspace(everything[1], everything[-2], FRUSTA + 1)
    diameter = np.abs(np.interp(position, *one) - np.interp(position, *other))
    # no end is a point
    diameter[0] = 0.5 * (diameter[0] + diameter[1])
    diameter[-1] = 0.5 * (diameter[-1] + diameter[-2])
    return np.column_stack([mean + np.multiply.outer(position, major), diameter])


def _resample(outline_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """101 points evenly along the outline [101, 3] and their mean [3]. The way back to the first point is left out, as there."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(outline_um, axis=0), axis=1))])
    at = arc[-1] / 100 * np.arange(101)
    around = np.column_stack([np.interp(at, arc, outline_um[:, axis]) for axis in range(3)])
    return around, around.mean(axis=0)


def _increasing(along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without the points, taken from the far end, that do not advance along the axis: dents in the outline."""
    d, r = along.tolist(), across.tolist()
    j = len(d) - 1
    while j > 0:
        if d[j] <= d[j - 1] + 1e-11:
            del d[j], r[j]
            if j != len(d):
                j += 1
        j -= 1
    return np.array(d), np.array(r)
