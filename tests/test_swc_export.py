"""SWC files that gradevo writes: reading them again gives the neuron, in gradevo and in NEURON."""

import numpy as np
import pytest

from gradevo.channels import CHANNEL_SETS
from gradevo.morphology import Morphology, balanced_tree, chain, from_adjacency, random_tree, read_morphology
from gradevo.neuron import Neuron
from gradevo.swc_export import write_swc
from tests.conftest import cycle_and_island
from tests.import3d import import_with_neuron
from tests.reconstructions import SWC_SOMAS, asc_text, swc_text

WHOLE = 1e9


def assert_same(a: Morphology, b: Morphology, rel: float) -> None:
    assert a.n_compartments == b.n_compartments
    assert a.n_nodes == b.n_nodes
    np.testing.assert_allclose(np.sort(a.areas_um2), np.sort(b.areas_um2), rtol=rel)
    np.testing.assert_allclose(np.sort(a.conductances_uS), np.sort(b.conductances_uS), rtol=rel)
    np.testing.assert_allclose(np.sort(a.path_distance_um), np.sort(b.path_distance_um), rtol=rel)


@pytest.mark.parametrize("soma", SWC_SOMAS)
def test_what_was_read_is_written_exactly(soma, tmp_path):
    (tmp_path / "a.swc").write_text(swc_text(soma, seed=4))
    a = read_morphology(tmp_path / "a.swc", 30.0)
    write_swc(a, tmp_path / "b.swc")
    assert_same(a, read_morphology(tmp_path / "b.swc", 30.0), 1e-12)


@pytest.mark.parametrize(
    ("morphology", "size"),
    [
        (chain(5, length_um=30.0), 30.0),
        (random_tree(2, seed=1, taper=1.0), WHOLE),
        (balanced_tree(0, compartments_per_section=3), 80 / 3),
    ],
)
def test_cylinders_of_one_diameter_are_written_exactly(morphology, size, tmp_path):
    """To single precision, in which points are read."""
    write_swc(Neuron("n", morphology, CHANNEL_SETS["hh"]), tmp_path / "n.swc")
    assert_same(morphology, read_morphology(tmp_path / "n.swc", size * (1 + 1e-6)), 1e-6)


def areas_with_rings(m: Morphology) -> np.ndarray:
    """Where a dendrite begins on another with a diameter of its own, SWC has a step: a ring of membrane."""
    areas = m.areas_um2.copy()
    for index, cable in enumerate(m.cables):
        if cable.parent > 0:
            before, after = m.cables[cable.parent].points_um, cable.points_um
            first, last = np.flatnonzero(m.sections == index)[0], np.flatnonzero(m.sections == cable.parent)[-1]
            near = m.diameters_um[last] if before is None else before[-1, 3]
            far = m.diameters_um[first] if after is None else after[0, 3]
            areas[first] += np.pi / 4 * abs(near**2 - far**2)
    return areas


@pytest.mark.parametrize("neuron", [12, 60, "outline"])
def test_jumps_in_diameter_add_their_rings_and_nothing_else(neuron, tmp_path):
    """Sections stay apart, also those with a single child."""
    size = WHOLE
    if neuron == "outline":
        (tmp_path / "n.asc").write_text(asc_text(4))
        size = 30.0
        m = read_morphology(tmp_path / "n.asc", size)
    else:
        m = random_tree(neuron, seed=3)
    write_swc(m, tmp_path / "n.swc")
    again = read_morphology(tmp_path / "n.swc", size)
    np.testing.assert_allclose(np.sort(again.conductances_uS), np.sort(m.conductances_uS), rtol=1e-6)
    np.testing.assert_allclose(np.sort(again.areas_um2), np.sort(areas_with_rings(m)), rtol=1e-6)
    theirs = import_with_neuron(tmp_path / "n.swc", size, 100.0)
    np.testing.assert_allclose(np.sort(theirs["areas_um2"]), np.sort(areas_with_rings(m)), rtol=1e-6)


def test_what_swc_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="cycle"):
        write_swc(from_adjacency(cycle_and_island(), 1e-3), tmp_path / "n.swc")
    apart = np.zeros((4, 4), dtype=int)
    apart[0, 1] = apart[1, 0] = apart[2, 3] = apart[3, 2] = 1
    with pytest.raises(ValueError, match="several separate parts"):
        write_swc(from_adjacency(apart, 1e-3), tmp_path / "n.swc")
    assert not list(tmp_path.iterdir())


def test_directly_coupled_compartments_keep_their_areas(tmp_path):
    m = chain(6, coupling_S_cm2=5e-4)
    write_swc(m, tmp_path / "n.swc")
    assert read_morphology(tmp_path / "n.swc", 50.0).areas_um2.sum() == pytest.approx(m.areas_um2.sum(), rel=1e-6)
