"""Regions of a neuron, distances along its tree, and densities that follow it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from gradevo import study
from gradevo.channels import CHANNEL_SETS
from gradevo.densities import DENSITIES, bursts, lognormal, smooth, uniform_perturbation
from gradevo.morphology import Morphology, balanced_tree, chain, random_tree, read_morphology
from gradevo.neuron import Neuron
from gradevo.regions import contiguous_regions, region_means
from gradevo.tree import root_first, tree_distances
from tests.conftest import MORPHOLOGIES, make_neuron
from tests.reconstructions import swc_text

HH = CHANNEL_SETS["hh"]

trees = st.builds(
    random_tree, st.integers(1, 25), st.integers(0, 10**6), compartments_per_section=st.integers(1, 4), taper=st.floats(0.6, 1.0)
)


def connected(morphology: Morphology, members: np.ndarray) -> bool:
    """One compartment of the set, and only one, has its parent outside."""
    return int((~np.isin(morphology.parents[members], members)).sum()) == 1


@settings(max_examples=40, deadline=None)
@given(trees)
def test_regions_are_connected_nested_and_numbered_by_their_lowest_compartment(tree):
    coarse = contiguous_regions(tree, 1)
    assert not coarse.any()
    for k in range(2, tree.n_compartments + 1):
        fine = contiguous_regions(tree, k)
        firsts = [np.flatnonzero(fine == region)[0] for region in range(k)]
        assert firsts == sorted(firsts)
        assert np.unique(fine).tolist() == list(range(k))
        assert all(connected(tree, np.flatnonzero(fine == region)) for region in range(k))
        # every fine region lies in one coarse region, and one coarse region was cut in two
        assert len(set(zip(fine.tolist(), coarse.tolist(), strict=True))) == k
        coarse = fine
    assert np.array_equal(coarse, np.arange(tree.n_compartments))


def test_regions_are_balanced():
    """Equal compartments in a row are cut into equal parts. On a tree whose nodes have at most three neighbours every cut
    leaves a third on either side, so no region exceeds three mean ones while there is something to cut."""
    line = chain(32)
    for k in (2, 4, 8, 16):
        assert set(np.bincount(contiguous_regions(line, k))) == {32 // k}
    tree = balanced_tree(6)
    for k in range(2, 32):
        area = np.bincount(contiguous_regions(tree, k), weights=tree.areas_um2)
        assert area.max() < 3 * area.mean()
        assert area.min() > area.mean() / 4


def test_separate_components_and_cycles_can_be_cut_too():
    graph = MORPHOLOGIES["graph"]()
    joined = replace(graph, parents=np.where(np.arange(9) == 6, 0, graph.parents))
    for k in range(1, 10):
        labels = contiguous_regions(graph, k)
        assert np.unique(labels).tolist() == list(range(k))
        assert all(connected(joined, np.flatnonzero(labels == region)) for region in range(k))


@pytest.mark.parametrize("k", [0, 6])
def test_a_number_of_regions_that_cannot_be_is_named(k):
    with pytest.raises(ValueError, match=f"regions is {k}; a neuron of 5 compartments can be cut into 1 to 5"):
        contiguous_regions(chain(5), k)


def test_region_means_are_weighted_by_area_and_conserve_conductance():
    tree = random_tree(12, seed=2, compartments_per_section=2)
    values = np.random.default_rng(0).uniform(1, 2, size=(3, tree.n_compartments))
    for k in (1, 5, tree.n_compartments):
        labels = contiguous_regions(tree, k)
        spread = region_means(values, labels, tree.areas_um2)[:, labels]
        np.testing.assert_allclose((spread * tree.areas_um2).sum(axis=1), (values * tree.areas_um2).sum(axis=1))
    assert np.array_equal(spread, values), "a region per compartment changes nothing"


def test_parents_come_first(morphology_name):
    parents = MORPHOLOGIES[morphology_name]().parents
    order = root_first(parents)
    place = np.argsort(order)
    assert sorted(order.tolist()) == list(range(len(parents)))
    assert all(place[parents[i]] < place[i] for i in range(len(parents)) if parents[i] >= 0)


@pytest.mark.parametrize("shape", ["random_tree", "swc"])
def test_tree_distances_are_those_of_neuron(shape, tmp_path):
    """Against NEURON's own h.distance between segment centres."""
    h = pytest.importorskip("neuron", reason="NEURON is not installed").h

    if shape == "swc":
        (tmp_path / "neuron.swc").write_text(swc_text("branched", seed=2, depth=1))
        tree = read_morphology(tmp_path / "neuron.swc", 40.0)
    else:
        tree = random_tree(6, seed=4, compartments_per_section=3)
    sections = []
    for s, cable in enumerate(tree.cables):
        of_section = np.flatnonzero(tree.sections == s)
        section = h.Section(name=f"d{s}")
        section.L, section.nseg = tree.lengths_um[of_section].sum(), len(of_section)
        if cable.parent >= 0:
            section.connect(sections[cable.parent](cable.parent_x), 0)
        sections.append(section)
    segments = [segment for section in sections for segment in section]
    theirs = np.array([[h.distance(a, b) for b in segments] for a in segments])
    np.testing.assert_allclose(tree_distances(tree), theirs, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(trees)
def test_tree_distances_satisfy_the_four_point_condition_and_their_exponential_is_positive_definite(tree):
    d = tree_distances(tree)
    assert np.array_equal(d, d.T)
    np.testing.assert_allclose(d[0], tree.path_distance_um, atol=1e-9)
    chosen = np.random.default_rng(0).integers(tree.n_compartments, size=(50, 4))
    for a, b, c, e in chosen:
        sums = sorted([d[a, b] + d[c, e], d[a, c] + d[b, e], d[a, e] + d[b, c]])
        assert sums[2] - sums[1] < 1e-9 * (1 + sums[2]), "of the three sums the two largest are equal on a tree"
    assert np.linalg.eigvalsh(np.exp(-d / 100.0)).min() > 0


def test_compartments_of_separate_components_are_infinitely_far_apart_and_cycles_are_cut():
    d = tree_distances(MORPHOLOGIES["graph"]())
    assert np.isinf(d[:6, 6:]).all()
    # a ring of five from compartment 0 is cut between 2 and 3, which are then four links apart
    assert d[2, 3] == pytest.approx(4 * 50.0)


def test_smooth_log_densities_have_the_covariance_they_state():
    neuron = make_neuron("random", "hh")
    sigma, length_um = 0.4, 80.0
    drawn = np.array([smooth(neuron, seed, length_um, sigma)[:2] for seed in range(4000)])
    logs = np.log(drawn / neuron.default_densities()[:2])
    expected = sigma**2 * np.exp(-tree_distances(neuron.morphology) / length_um)
    # a sample covariance of 4000 draws has a standard error below sigma^2 sqrt(2 / 4000)
    for channel in range(2):
        np.testing.assert_allclose(np.cov(logs[:, channel].T), expected, atol=5 * sigma**2 * np.sqrt(2 / 4000))
    across = (logs[:, 0] * logs[:, 1]).mean(axis=0)
    np.testing.assert_allclose(across, 0, atol=5 * sigma**2 / np.sqrt(4000))


def test_smooth_densities_do_not_depend_on_the_threads_of_blas():
    """A target is drawn in one thread, and its fits' jobs draw it again with as many as they have cores."""
    neuron = Neuron("tree", random_tree(184, seed=11), HH)
    with threadpool_limits(1, user_api="blas"):
        one = smooth(neuron, 12, 200.0)
    with threadpool_limits(2, user_api="blas"):
        two = smooth(neuron, 12, 200.0)
    np.testing.assert_array_equal(one, two)


def test_neighbours_are_alike_when_the_correlation_is_long_and_not_when_it_is_short():
    neuron = Neuron("line", chain(200, length_um=10.0), HH)
    steps = {}
    for length_um in (1.0, 1000.0):
        logs = np.log(smooth(neuron, 1, length_um)[0])
        steps[length_um] = np.std(np.diff(logs)) / 0.3
    assert steps[1.0] == pytest.approx(np.sqrt(2), rel=0.15)
    assert steps[1000.0] == pytest.approx(np.sqrt(2 * (1 - np.exp(-10 / 1000))), rel=0.15)


def test_lognormal_densities_have_median_one_and_the_stated_spread():
    neuron = Neuron("line", chain(2000), HH)
    logs = np.log(lognormal(neuron, 0, sigma=0.5)[:2] / neuron.default_densities()[:2])
    assert np.abs(logs.mean(axis=1)).max() < 5 * 0.5 / np.sqrt(2000)
    np.testing.assert_allclose(logs.std(axis=1), 0.5, rtol=0.1)


def test_a_burst_raises_single_branches():
    tree = random_tree(15, seed=1, compartments_per_section=3)
    neuron = Neuron("tree", tree, HH)
    ratio = bursts(neuron, seed=5, count=2, factor=3.0, noise=0.0) / neuron.default_densities()
    assert (ratio[2] == 1).all()
    for channel in range(2):
        high = np.unique(tree.sections[ratio[channel] > 2])
        assert len(high) == 2
        np.testing.assert_allclose(ratio[channel], np.where(np.isin(tree.sections, high), 3.0, 1.0))
    assert not np.array_equal(ratio[0], ratio[1]), "each channel has branches of its own"


@pytest.mark.parametrize("kind", sorted(DENSITIES))
def test_densities_follow_their_seed_and_vary_the_named_channels(kind, morphology_name):
    neuron = make_neuron(morphology_name, "hh")
    generate = DENSITIES[kind]
    default = neuron.default_densities()
    assert np.array_equal(generate(neuron, 3), generate(neuron, 3))
    assert not np.array_equal(generate(neuron, 3), generate(neuron, 4))
    assert (generate(neuron, 3) > 0).all()
    assert np.array_equal(generate(neuron, 3)[2], default[2]), "the leak is not free"
    named = generate(neuron, 3, channels=["leak", "Na"])
    assert np.array_equal(named[1], default[1])
    assert (named[[0, 2]] != default[[0, 2]]).any(axis=1).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n: lognormal(n, 0, sigma=-1.0), "sigma is -1.0"),
        (lambda n: smooth(n, 0, length_um=0.0), "length_um is 0.0"),
        (lambda n: smooth(n, 0, sigma=float("nan")), "sigma is nan"),
        (lambda n: bursts(n, 0, count=8), "count is 8; neuron .balanced-hh. has 7 branches"),
        (lambda n: bursts(n, 0, count=0), "count is 0"),
        (lambda n: bursts(n, 0, factor=-2.0), "factor is -2.0"),
        (lambda n: uniform_perturbation(n, 0, channels=["Ca"]), "channel 'Ca' is not in neuron .* it has Na, K, leak"),
        (lambda n: region_means(np.ones(7), np.array([0, 0, 2, 2, 2, 2, 2]), np.ones(7)), "region 1 has no compartments"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(make_neuron("balanced", "hh"))


def test_a_declared_neuron_is_uniform_within_its_regions():
    declared = {
        "morphology": {"kind": "random_tree", "sections": 9, "seed": 3},
        "channels": "hh",
        "densities": {"kind": "smooth", "seed": 1, "length_um": 200, "channels": ["Na", "K", "leak"]},
    }
    config = {"neurons": {"fine": declared, "coarse": declared | {"regions": 3}, "one": declared | {"regions": 1}}}
    neuron, fine = study.make_neuron(config, "fine")
    _, coarse = study.make_neuron(config, "coarse")
    _, one = study.make_neuron(config, "one")
    areas = neuron.morphology.areas_um2
    for c in range(3):
        assert [len(np.unique(densities[c])) for densities in (fine, coarse, one)] == [9, 3, 1]
        np.testing.assert_allclose([coarse[c] @ areas, one[c] @ areas], fine[c] @ areas)
