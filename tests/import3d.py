"""NEURON's own import of a morphology file, to compare with: areas, half resistances and input resistances."""

from pathlib import Path

import numpy as np
import pytest

LEAK_S_CM2 = 1e-4


def import_with_neuron(path: Path, max_compartment_um: float, axial_resistivity_ohm_cm: float) -> dict[str, np.ndarray]:
    """areas_um2 and input_resistances_mohm of every segment, section by section in NEURON's order, with a passive leak.

    Sections are cut as gradevo cuts them: the fewest segments, an odd number where something is attached to the middle.
    """
    neuron = pytest.importorskip("neuron", reason="NEURON is not installed")
    h = neuron.h
    h.load_file("stdrun.hoc")
    h.load_file("import3d.hoc")

    class Cell:
        pass

    cell = Cell()
    reader = h.Import3d_SWC_read() if path.suffix == ".swc" else h.Import3d_Neurolucida3()
    reader.quiet = 1
    reader.input(str(path))
    h.Import3d_GUI(reader, 0).instantiate(cell)
    sections = cell.all  # pyright: ignore[reportAttributeAccessIssue]
    for section in sections:
        section.Ra = axial_resistivity_ohm_cm
        section.insert("pas")
        section.g_pas = LEAK_S_CM2
        middle = any(child.parentseg().x == 0.5 for child in section.children())
        section.nseg = max(1, int(np.ceil(section.L / max_compartment_um - 1e-9)))
        if middle and section.nseg % 2 == 0:
            section.nseg += 1
    h.finitialize(-65.0)
    segments = [segment for section in sections for segment in section]
    resistances = []
    for segment in segments:
        impedance = h.Impedance()
        impedance.loc(segment)
        impedance.compute(0.0)
        resistances.append(impedance.input(segment))
    return {
        "areas_um2": np.array([segment.area() for segment in segments]),
        "input_resistances_mohm": np.array(resistances),
        "diameters_um": np.array([segment.diam for segment in segments]),
    }
