"""Agreement with NEURON on a random tree, section by section, in NEURON's own integration mode."""

import numpy as np
import pytest
import sympy as sp

from gradevo.channels import CHANNEL_SETS, Channel, ChannelSet, Gate, channel_set
from gradevo.channels.base import V, linoid, sigmoid
from gradevo.morphology import random_tree
from gradevo.neuron import Neuron
from gradevo.nmodl import compile_mechanisms, mechanism
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy
from gradevo.stimulus import Stimulus
from tests.neuron_builder import MECHANISMS, insert_builtin_hh, insert_generated, run_in_neuron

DT_MS = 0.025
DURATION_MS = 100.0

# Every channel of every set is in one of these.
SETS = [["hh"], ["jones2024"], ["pospischil_lts", "ih", "k_a"], ["pospischil_rs", "ih_distal", "k_a_distal"]]


def both(
    channels: ChannelSet, insert=insert_generated, sections: int = 20, sites: tuple[int, ...] = (0, 8, 15)
) -> tuple[np.ndarray, np.ndarray]:
    """Our and NEURON's voltages [steps + 1, compartments] through 100 ms of currents that make the tree spike."""
    neuron = Neuron("tree", random_tree(sections, seed=11), channels)
    rng = np.random.default_rng(3)
    densities = neuron.default_densities()
    densities = densities * rng.uniform(0.7, 1.3, densities.shape)
    edges = 2.5 * np.arange(41)
    stimulus = Stimulus(edges, rng.uniform(0.0, 1.0, (1, 3, 40)))
    n_samples = round(DURATION_MS / DT_MS) + 1
    protocol = Protocol(stimulus, sites, tuple(range(neuron.n_compartments)), DT_MS, n_samples, DT_MS, implicitness=1.0)
    ours = simulate_numpy(neuron, densities, protocol)[0]
    theirs = run_in_neuron(neuron, densities, stimulus, sites, DT_MS, DURATION_MS, insert)[:n_samples]
    assert theirs.shape == ours.shape
    return ours, theirs


def spikes(voltages: np.ndarray) -> int:
    """Upward crossings of 0 mV in compartment 0."""
    return int(((voltages[1:, 0] > 0) & (voltages[:-1, 0] <= 0)).sum())


def test_every_channel_is_compared():
    compared = {c.name for names in SETS for c in channel_set(names).channels}
    assert compared == {c.name for s in CHANNEL_SETS.values() for c in s.channels}


@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_generated_mechanisms_agree_with_neuron(names):
    ours, theirs = both(channel_set(names))
    assert spikes(theirs) >= 5, "the test must run through spikes"
    assert np.abs(ours - theirs).max() < 1e-6


def test_neurons_own_hh_agrees():
    ours, theirs = both(CHANNEL_SETS["hh"], insert_builtin_hh, sections=50, sites=(0, 20, 40))
    assert spikes(theirs) >= 5
    assert np.abs(ours - theirs).max() < 1e-6


def test_what_neuron_cannot_have_is_refused():
    gate = Gate("m", 1, alpha=linoid(V), beta=linoid(-V))
    with pytest.raises(ValueError, match="'2x'"):
        mechanism(Channel("Na", 50.0, 0.1, (gate,)), "2x")
    with pytest.raises(ValueError, match="gate 'i'; rename it"):
        mechanism(Channel("Na", 50.0, 0.1, (Gate("i", 1, alpha=linoid(V), beta=linoid(-V)),)), "na")


# A channel with instantaneous gates only has no state in NEURON; if its steady state were computed with the current, NEURON's
# numerical dI/dv would contain its slope.
PERSISTENT = Channel("NaP", 50.0, 2e-4, (Gate("s", 1, steady_state=sigmoid(V / 5 + 10), time_constant=sp.Integer(0)),))
INSTANTANEOUS = ChannelSet("instantaneous", (PERSISTENT, Channel("leak", -70.0, 1e-4)), 1.0, -65.0, ("NaP",), "made up")


def test_instantaneous_gates_alone_agree():
    ours, theirs = both(INSTANTANEOUS)
    assert theirs.max() > -45.0, "the channel must open"
    assert np.abs(ours - theirs).max() < 1e-6


def test_compiled_mechanisms_are_kept():
    """Compiled again, the same content is found where it was."""
    library = compile_mechanisms(CHANNEL_SETS["hh"], MECHANISMS)
    written = library.stat().st_mtime_ns
    assert compile_mechanisms(CHANNEL_SETS["hh"], MECHANISMS) == library
    assert library.stat().st_mtime_ns == written
    assert (library.parents[1] / "hh_Na.mod").is_file()
