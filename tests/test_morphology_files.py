"""Morphology files: areas, taper, somas and couplings against NEURON's Import3d, and what a broken file says."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from gradevo.config import check_config
from gradevo.morphology import Cable, Morphology, from_sections, random_tree, read_morphology
from gradevo.morphology.frusta import from_cables
from gradevo.morphology.sections import Section
from gradevo.study import make_neuron
from tests.import3d import LEAK_S_CM2, import_with_neuron
from tests.reconstructions import SWC_SOMAS, asc_text, swc_text

ROOT = Path(__file__).parents[1]
RESISTIVITY = 123.0


def input_resistances_mohm(m: Morphology) -> np.ndarray:
    """[n] of a passive neuron, from its conductance matrix."""
    matrix = np.zeros((m.n_nodes, m.n_nodes))
    for (i, j), g in zip(m.edges, m.conductances_uS, strict=True):
        matrix[[i, j], [i, j]] += g
        matrix[[i, j], [j, i]] -= g
    compartments = np.arange(m.n_compartments)
    matrix[compartments, compartments] += m.areas_um2 * LEAK_S_CM2 * 1e-2
    return np.diag(np.linalg.inv(matrix))[: m.n_compartments]


def assert_as_in_neuron(path: Path, rel: float) -> None:
    """Every compartment's area and input resistance; sorted, as NEURON numbers sections by type."""
    ours = read_morphology(path, 30.0, RESISTIVITY)
    theirs = import_with_neuron(path, 30.0, RESISTIVITY)
    assert ours.n_compartments == len(theirs["areas_um2"]) > 40
    np.testing.assert_allclose(np.sort(ours.areas_um2), np.sort(theirs["areas_um2"]), rtol=rel)
    np.testing.assert_allclose(np.sort(ours.diameters_um), np.sort(theirs["diameters_um"]), rtol=rel)
    np.testing.assert_allclose(np.sort(input_resistances_mohm(ours)), np.sort(theirs["input_resistances_mohm"]), rtol=rel)


@pytest.mark.parametrize("soma", SWC_SOMAS)
def test_swc_as_neuron_imports_it(soma, tmp_path):
    path = tmp_path / "neuron.swc"
    path.write_text(swc_text(soma, seed=1))
    assert_as_in_neuron(path, 1e-10)


@pytest.mark.parametrize(("decimals", "rel"), [(None, 1e-8), (6, 1e-6)])
def test_asc_as_neuron_imports_it(decimals, rel, tmp_path):
    """MorphIO keeps an outline in single precision, NEURON as written: equal where single precision is exact."""
    path = tmp_path / "neuron.asc"
    path.write_text(asc_text(2, decimals))
    assert_as_in_neuron(path, rel)


def test_h5_is_the_same_neuron_as_asc(tmp_path):
    import morphio

    (tmp_path / "neuron.asc").write_text(asc_text(3))
    morphio.mut.Morphology(tmp_path / "neuron.asc").write(tmp_path / "neuron.h5")
    asc, h5 = (read_morphology(tmp_path / f"neuron.{kind}", 30.0) for kind in ("asc", "h5"))
    np.testing.assert_array_equal(asc.areas_um2, h5.areas_um2)
    np.testing.assert_array_equal(asc.conductances_uS, h5.conductances_uS)


def test_order_in_the_file_does_not_matter(tmp_path):
    lines = swc_text("one_point", seed=1).splitlines()
    (tmp_path / "a.swc").write_text("\n".join(lines))
    (tmp_path / "b.swc").write_text("\n".join(reversed(lines)))
    a, b = (read_morphology(tmp_path / f"{name}.swc", 30.0) for name in "ab")
    np.testing.assert_array_equal(a.areas_um2, b.areas_um2)


def test_taper_is_integrated():
    """A cone's area and resistance do not depend on how finely it is cut, and are the textbook's."""
    cone = Cable(-1, 1.0, 1, 1, np.array([[0.0, 0, 0, 8.0], [50.0, 0, 0, 5.0], [100.0, 0, 0, 2.0]]))
    slant = np.hypot(100.0, 3.0)
    for size, count in ((200.0, 1), (30.0, 4), (0.7, 143)):
        m = from_cables([cone], size, 100.0)
        assert m.n_compartments == count
        assert m.areas_um2.sum() == pytest.approx(np.pi * 5.0 * slant, rel=1e-12)
        assert (m.diameters_um * m.lengths_um).sum() == pytest.approx(500.0, rel=1e-12)
    # the couplings, in series, are the cone between the centres of the first and the last compartment
    step = 100.0 / 143
    near, far = 8.0 - 0.06 * step / 2, 2.0 + 0.06 * step / 2
    between = 100.0 * 1e-2 * 4 * (100.0 - step) / (np.pi * near * far)
    assert (1 / from_cables([cone], 0.7, 100.0).conductances_uS).sum() == pytest.approx(between, rel=1e-12)


def test_branch_points_are_exact():
    """Cables whose children meet in one point: star of three resistances, no capacitance; a middle is a centre."""
    straight = np.array([[0.0, 0, 0, 2.0], [10.0, 0, 0, 2.0]])
    cables = [Cable(-1, 1.0, 1, 1, straight), *(Cable(0, x, 1, 3, straight) for x in (1.0, 1.0, 0.5, 0.0, 0.0))]
    cables.append(Cable(4, 0.0, 1, 3, straight))
    m = from_cables(cables, 100.0, 100.0)
    half = 1.0 / (1e-2 * 100.0 * 5.0 / np.pi)
    assert m.n_nodes == 7 + 2
    np.testing.assert_allclose(m.conductances_uS, half, rtol=1e-12)
    edges = [tuple(e) for e in m.edges.tolist()]
    assert edges == [(0, 3), (0, 7), (7, 4), (7, 5), (7, 6), (0, 8), (8, 1), (8, 2)]
    assert m.parents.tolist() == [-1, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(m.path_distance_um, [0, 10, 10, 5, 10, 10, 10])


def test_middle_attachments_need_an_odd_number():
    straight = np.array([[0.0, 0, 0, 2.0], [40.0, 0, 0, 2.0]])
    m = from_cables([Cable(-1, 1.0, 1, 1, straight), Cable(0, 0.5, 1, 3, straight)], 10.0, 100.0)
    assert [cable.compartments for cable in m.cables] == [5, 4]
    assert m.parents[5] == 2


def test_series_joints_need_no_node():
    one = from_sections([Section(-1, 100.0, 2.0, 2.0, (1.0, 0.0, 0.0), 4)], 100.0)
    sections = [Section(i - 1, 25.0, 2.0, 2.0, (1.0, 0.0, 0.0), 1 + (i == 0)) for i in range(4)]
    assert from_sections(sections, 100.0).n_nodes == 5
    assert one.n_nodes == 4


GOOD = "1 1 0 0 0 8 -1\n2 3 10 0 0 1 1\n3 3 20 0 0 1 2\n4 3 30 0 0 1 3\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("1 1 0", "1 3 0"), "has no soma.*type 1"),
        (GOOD.replace("0 8 -1", "0 8 2"), "cycle: |points (1 -> 2|2 -> 1).*cycle"),
        (GOOD + "5 3 0 0 0 1 6\n6 3 0 0 9 1 5\n", "points (5 -> 6 -> 5|6 -> 5 -> 6) form a cycle"),
        (GOOD + "5 3 90 0 0 1 -1\n", "disconnected: points 1 and 5 are both roots"),
        (GOOD + "5 3 90 0 0 1 17\n", "point 5 names parent 17, which does not exist"),
        (GOOD.replace("30 0 0 1 3", "30 0 0 0 3"), "point 4 .line 4. has radius 0; it must be positive"),
        (GOOD.replace("30 0 0 1 3", "30 0 0 -1 3"), "point 4 .line 4. has radius -1"),
        (GOOD.replace("30 0 0", "nan 0 0"), "point 4 .line 4. holds a value that is not finite"),
        (GOOD + "4 3 40 0 0 1 3\n", "point 4 .line 5. appears twice"),
        (GOOD + "5 3 40 0 0 1\n", "line 5 is '5 3 40 0 0 1'.*seven numbers"),
        (GOOD + "5 3 40 0 zero 1 4\n", "line 5.*seven numbers"),
        ("1 3 0 0 0 1 -1\n2 1 9 0 0 8 1\n", "the root, point 1, is of type 3"),
        (GOOD.replace("2 3 10", "2 3 0").replace("3 3 20", "3 3 0").replace("4 3 30", "4 3 0"), "section 1 has no length"),
        ("", "has no soma"),
    ],
)
def test_a_broken_swc_is_named(text, message, tmp_path):
    path = tmp_path / "broken.swc"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"broken.swc.*({message})"):
        read_morphology(path, 50.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.partition("((Dendrite)")[1] + text.partition("((Dendrite)")[2], "has no soma"),
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: _without_diameter(text), r"point 0 of section 0, at \(.*\), has diameter 0"),
    ],
)
def test_a_broken_asc_is_named(change, message, tmp_path):
    path = tmp_path / "broken.asc"
    path.write_text(change(asc_text(2)))
    with pytest.raises(ValueError, match=f"broken.asc.*{message}"):
        read_morphology(path, 50.0)


def _without_diameter(text: str) -> str:
    before, start, after = text.partition("((Dendrite)\n")
    first, end, rest = after.partition(")\n")
    return before + start + " ".join([*first.split(" ")[:-1], "0.0"]) + end + rest


def test_other_broken_files(tmp_path):
    (tmp_path / "broken.h5").write_text("not HDF5")
    with pytest.raises(ValueError, match=r"broken.h5 cannot be read"):
        read_morphology(tmp_path / "broken.h5", 50.0)
    (tmp_path / "neuron.xml").write_text("<x/>")
    with pytest.raises(ValueError, match=r"neuron.xml is no known kind.*\.swc, \.asc, \.h5"):
        read_morphology(tmp_path / "neuron.xml", 50.0)
    with pytest.raises(FileNotFoundError, match="no morphology file"):
        read_morphology(tmp_path / "none.swc", 50.0)
    (tmp_path / "good.swc").write_text(GOOD)
    with pytest.raises(ValueError, match="max_compartment_um is 0"):
        read_morphology(tmp_path / "good.swc", 0)
    with pytest.raises(ValueError, match="axial_resistivity_ohm_cm is -1"):
        read_morphology(tmp_path / "good.swc", 50, -1)


def test_generated_neurons_know_their_sections():
    m = random_tree(12, seed=2, compartments_per_section=3)
    assert [c.compartments for c in m.cables] == np.bincount(m.sections).tolist()
    assert all(m.cables[i].parent < i for i in range(12))


def study_with(path: Path) -> dict:
    config = yaml.safe_load((ROOT / "config/ci.yaml").read_text())
    neuron = next(iter(config["neurons"]))
    shape = {"kind": "file", "path": str(path), "max_compartment_um": 40, "axial_resistivity_ohm_cm": 150}
    config["neurons"][neuron]["morphology"] = shape
    return config


def test_a_study_reads_its_neuron(tmp_path):
    path = tmp_path / "neuron.swc"
    path.write_text(swc_text("one_point", seed=1))
    config = check_config(study_with(path))
    neuron, densities = make_neuron(config, next(iter(config["neurons"])))
    assert neuron.morphology.axial_resistivity_ohm_cm == 150
    assert neuron.morphology.lengths_um.max() <= 40
    assert densities.shape[1] == neuron.n_compartments > 40
    with pytest.raises(ValueError, match=r"morphology.path is .*none.swc; there is no such file"):
        check_config(study_with(tmp_path / "none.swc"))
