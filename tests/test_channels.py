"""What the declarations say, against numbers of the published code; sets by name and combined; the page of the docs."""

from pathlib import Path

import numpy as np
import pytest

from gradevo.channels import CHANNEL_SETS, channel_set
from gradevo.config import check_config, load_config
from gradevo.figures.channels import channel_curves, channels_page, curve
from gradevo.morphology import chain
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy
from gradevo.stimulus import steps
from gradevo.study import make_neuron

ROOT = Path(__file__).parents[1]
EVERYTHING = channel_set(["pospischil_lts", "ih", "ih_distal", "k_a", "k_a_distal"])


# Computed once by NEURON from the published mechanisms themselves (ModelDB 123623, 2796, 55035; at 36, 34 and 35 degrees Celsius,
# vtraub = -55 mV), held at these voltages: channel and gate -> steady states, time constants in ms (0: instantaneous).
VOLTAGES_MV = np.array([-80.0, -40.0, 0.0])
PUBLISHED = {
    ("Na", "m"): ((5.001202225e-05, 0.1875199879, 0.9838905589), (0.05494218284, 0.1152865093, 0.07320412694)),
    ("Na", "h"): ((0.9999931504, 0.8423485213, 0.00405176322), (0.7575883097, 5.888801369, 0.2613833949)),
    ("Kd", "n"): ((0.0003579865031, 0.2661129516, 0.8874887649), (0.8334255774, 1.663205947, 0.6931180043)),
    ("M", "p"): ((0.01098694263, 0.3775406688, 0.9706877692), (101.6719621, 259.4661017, 52.18127439)),
    ("CaT", "s"): ((0.03270116508, 0.9554051082, 0.9999263512), (0, 0, 0)),
    ("CaT", "u"): ((0.3208213008, 2.144494842e-05, 9.736200304e-10), (56.37182411, 8.76181985, 8.247260132)),
    ("KA", "n"): ((0.0001854060882, 0.0207731422, 0.3490005432), (0.1, 0.691706414, 1.966985154)),
    ("KA", "l"): ((0.9381870822, 0.1402488464, 0.001750177509), (2, 2.6, 13)),
    ("KA_distal", "n"): ((0.0002351755914, 0.03265795735, 0.5169955982), (0.2, 0.2448722214, 1.006926791)),
    ("KA_distal", "l"): ((0.9381870822, 0.1402488464, 0.001750177509), (2, 2.6, 13)),
    ("Ih", "l"): ((0.7057850278, 0.01590639171, 0.00010889691), (34.33001524, 11.13030769, 1.591840228)),
    ("Ih_distal", "l"): ((0.4687906266, 0.005911068856, 4.006369223e-05), (34.33001524, 11.13030769, 1.591840228)),
}


@pytest.mark.parametrize(("channel", "gate"), PUBLISHED)
def test_gates_are_the_published_ones(channel, gate):
    (declared,) = [g for c in EVERYTHING.channels for g in c.gates if (c.name, g.name) == (channel, gate)]
    steady_states, time_constants = PUBLISHED[channel, gate]
    np.testing.assert_allclose(curve(declared.infinity, VOLTAGES_MV), steady_states, rtol=1e-6)
    if declared.instantaneous:
        assert time_constants == (0, 0, 0)
    else:
        np.testing.assert_allclose(curve(1 / declared.rate, VOLTAGES_MV), time_constants, rtol=1e-6)


def test_a_list_adds_channels_to_the_first_set_but_not_their_leaks():
    combined = channel_set(["hh", "ih", "k_a"])
    assert combined.names == ("Na", "K", "leak", "Ih", "KA")
    assert combined.free == ("Na", "K", "Ih", "KA")
    assert combined.capacitance_uF_cm2 == CHANNEL_SETS["hh"].capacitance_uF_cm2
    assert combined.channels[2] == CHANNEL_SETS["hh"].channels[2]
    assert channel_set(["hh", "ih", "k_a"]) is combined, "kernels are kept per set"
    assert channel_set("hh") is channel_set(["hh"]) is CHANNEL_SETS["hh"]


def test_combinations_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="did you mean 'pospischil_rs'"):
        channel_set(["hh", "pospischil_rz"])
    with pytest.raises(ValueError, match=r"Na.*not unique"):
        channel_set(["hh", "jones2024"])
    with pytest.raises(ValueError, match="no channel set is named"):
        channel_set([])


def test_a_study_names_channels_one_by_one_or_in_a_list():
    config = load_config(ROOT / "config/ci.yaml")
    name, declared = next(iter(config["neurons"].items()))
    declared["channels"] = ["pospischil_lts", "ih_distal"]
    neuron, densities = make_neuron(check_config(config), name)
    assert neuron.channel_names == ("Na", "Kd", "M", "CaT", "leak", "Ih_distal")
    assert densities.shape == (6, neuron.n_compartments)
    declared["channels"] = ["hh", "k_b"]
    with pytest.raises(ValueError, match=rf"neurons.{name}.channels: no channel set 'k_b'"):
        check_config(config)
    declared["channels"] = []
    with pytest.raises(ValueError, match=rf"neurons.{name}.channels"):
        check_config(config)


def test_the_page_of_the_docs_is_up_to_date():
    assert (ROOT / "docs/channels.md").read_text() == channels_page(), "run make docs"
    for name in CHANNEL_SETS:
        assert (ROOT / f"docs/channels/{name}.png").is_file(), "run make docs"


@pytest.mark.parametrize("name", CHANNEL_SETS)
def test_the_figure_has_a_curve_for_every_gate(name):
    steady, slow = channel_curves(CHANNEL_SETS[name]).axes
    gates = CHANNEL_SETS[name].gates
    assert len(steady.lines) == len(gates)
    assert len(slow.lines) == sum(not g.instantaneous for g in gates)
    for line in [*steady.lines, *slow.lines]:
        assert np.isfinite(np.asarray(line.get_ydata(), dtype=float)).all()


def spike_times(names: list[str], current_nA: float, without: tuple[str, ...]) -> np.ndarray:
    """Of a cell of the paper's size (96 um by 96 um) under 500 ms of current, with some channels blocked; ms.

    The sets are those of the comparison with NEURON, so that nothing more has to be compiled.
    """
    neuron = Neuron("cell", chain(1, length_um=96.0, diameter_um=96.0), channel_set(names))
    densities = neuron.default_densities()
    densities[[neuron.channel_names.index(name) for name in without]] = 0.0
    protocol = Protocol(steps(np.array([[current_nA]]), 50.0, 500.0), (0,), (0,), 0.1, 6001, 0.025)
    v = simulate_numpy(neuron, densities, protocol)[0, :, 0]
    return protocol.sample_times_ms[np.flatnonzero((v[1:] > 0) & (v[:-1] <= 0))]


def test_the_regular_spiking_cell_adapts_through_its_m_current():
    names, others = ["pospischil_rs", "ih_distal", "k_a_distal"], ("Ih_distal", "KA_distal")
    intervals = np.diff(spike_times(names, 0.75, others))
    assert len(intervals) >= 4
    assert intervals[-1] > 3 * intervals[0]
    tonic = np.diff(spike_times(names, 0.75, (*others, "M")))
    assert np.ptp(tonic) < 0.02 * tonic.mean()


def test_the_lts_cell_bursts_through_its_t_current():
    names, others = ["pospischil_lts", "ih", "k_a"], ("Ih", "KA")
    burst = spike_times(names, 0.15, others)
    assert np.diff(burst)[0] < 20.0 < np.diff(burst)[-1]
    blocked = spike_times(names, 0.15, (*others, "CaT"))
    assert blocked[0] > burst[0] + 50.0
    assert np.diff(blocked).min() > 100.0
