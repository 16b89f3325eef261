"""Reconstructed neurons from SWC, Neurolucida (ASC) and H5 files."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gradevo.morphology.base import SOMA, Cable, Morphology
from gradevo.morphology.frusta import from_cables
from gradevo.morphology.soma import contour_to_points, sphere_to_points
from gradevo.morphology.swc import read_swc

READABLE = (".swc", ".asc", ".h5")


def read_morphology(path: str | Path, max_compartment_um: float, axial_resistivity_ohm_cm: float = 100.0) -> Morphology:
    """The neuron in a file, each section cut into the fewest compartments of at most ``max_compartment_um``.

    Areas, couplings and the soma are NEURON's, as its Import3d tool makes them (H5, which it cannot read: as for ASC). The soma
    is section 0. Points are rounded to single precision, as they are in NEURON and MorphIO.

    Raises:
        FileNotFoundError, or ValueError naming the file, the point and the way out: for a format that is not known, a broken
        file, no soma, parts that are not connected, a cycle, or a diameter that is not positive.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no morphology file {path}")
    kind = path.suffix.lower()
    if kind not in READABLE:
        raise ValueError(f"{path} is no known kind of morphology file; give one of {', '.join(READABLE)}")
    cables = read_swc(path) if kind == ".swc" else _read_with_morphio(path)
    single = [replace(c, points_um=np.asarray(c.points_um, np.float32).astype(float)) for c in cables]
    try:
        return from_cables(single, max_compartment_um, axial_resistivity_ohm_cm)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_with_morphio(path: Path) -> list[Cable]:
    """Sections attached to the middle of the soma, as Import3d attaches them. Raises ValueError."""
    import morphio

    try:
        tree = morphio.Morphology(path, warning_handler=morphio.WarningHandlerCollector())
    except morphio.MorphioError as error:
        raise ValueError(f"{path} cannot be read; correct the file. MorphIO says: {' '.join(str(error).split())}") from None
    cables = [Cable(-1, 1.0, 1, SOMA, _soma(path, tree.soma))]
    index: dict[int, int] = {}
    for section in tree.iter():
        xyzd = np.column_stack([section.points, section.diameters]).astype(float)
        bad = np.flatnonzero(~(np.isfinite(xyzd).all(axis=1) & (xyzd[:, 3] > 0)))
        if bad.size:
            place = ", ".join(f"{value:g}" for value in xyzd[bad[0], :3])
            raise ValueError(
                f"{path}: point {bad[0]} of section {section.id}, at ({place}), has diameter {xyzd[bad[0], 3]:g}; it must be "
                "positive: measure it, or remove the point"
            )
        if len(xyzd) < 2:
            continue
        index[section.id] = len(cables)
        parent = 0 if section.is_root else index.get(section.parent.id, 0)
        cables.append(Cable(parent, 1.0 if parent else 0.5, 1, int(section.type), xyzd))
    return cables


def _soma(path: Path, soma) -> np.ndarray:
    """[k, 4] um."""
    outline = np.asarray(soma.points, dtype=float)
    if len(outline) == 0:
        raise ValueError(f"{path} has no soma; draw its outline (CellBody), or give a neuron that has one")
    if len(outline) == 1:
        return sphere_to_points(np.append(outline[0], soma.diameters[0]))
    if len(outline) == 2:
        raise ValueError(
            f"{path}: the soma has two points; give its centre and diameter (one point) or its outline (three or more)"
        )
    try:
        return contour_to_points(outline)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
