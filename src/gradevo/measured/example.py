"""`gradevo example`: what a reader of docs/your-own-study.md may use in the place of her own two files.

The neuron is made: squid channels at densities that differ between three regions, recorded with noise at two sites. Nobody who
fits it is told the densities.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradevo.channels import channel_set
from gradevo.files import write_aside
from gradevo.measured.arrays import compartment_of
from gradevo.morphology import read_morphology
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.regions import contiguous_regions
from gradevo.simulate import simulate_numpy
from gradevo.stimulus import Stimulus

SWC = """# A made neuron: soma, an apical dendrite that forks, two basal ones
# number type x y z radius parent (um)
1 1 0 0 0 9 -1
2 4 0 9 0 2 1
3 4 5 90 0 1.6 2
4 4 -20 150 10 1.1 3
5 4 -45 220 15 0.9 4
6 4 30 160 -10 1.1 3
7 4 60 230 -15 0.8 6
8 3 -9 -4 0 1.4 1
9 3 -60 -55 5 1 8
10 3 9 -4 0 1.4 1
11 3 70 -60 -5 0.9 10
"""

SITES = {"soma": "soma", "dendrite": [5, 90, 0]}
REGIONS = 3
FACTORS = {"Na": (1.1, 0.8, 0.6), "K": (0.9, 0.7, 1.3), "leak": (1.25, 1.25, 1.25)}
"""Densities by region, in multiples of the channel set's."""

NOISE_MV, NOISE_SEED = 0.5, 11
DURATION_MS, INTERVAL_MS, STEP_MS = 25.0, 0.1, 0.0125
STEPS_NA = ((2.0, 22.0, 0.5, 0.0), (2.0, 22.0, 0.9, 0.0), (2.0, 22.0, 0.0, 0.6), (4.0, 9.0, 1.4, 0.3), (3.0, 18.0, 0.3, 0.8))
"""Of each sweep: the pulse's begin and end in ms, its current into soma and dendrite in nA."""


def write_example(folder: str | Path) -> list[Path]:
    """Write cell.swc and recordings.csv to the folder; returns both. Raises FileExistsError if one is there."""
    paths = [Path(folder) / name for name in ("cell.swc", "recordings.csv")]
    for path in paths:
        if path.exists():
            raise FileExistsError(f"{path} is there already; give another folder, or delete it")
    write_aside(paths[0], lambda path: path.write_text(SWC))
    text = _recordings(paths[0])
    write_aside(paths[1], lambda path: path.write_text(text))
    return paths


def true_densities(neuron: Neuron) -> np.ndarray:
    """[channels, n] S/cm2."""
    labels = contiguous_regions(neuron.morphology, REGIONS)
    factors = np.array([FACTORS[name] for name in neuron.channel_names])
    return neuron.default_densities() * factors[:, labels]


def _recordings(swc: Path) -> str:
    """The CSV's text."""
    neuron = Neuron("example", read_morphology(swc, max_compartment_um=40.0), channel_set("hh"))
    sites = tuple(compartment_of(name, place, neuron) for name, place in SITES.items())
    edges = np.unique([0.0, DURATION_MS, *(edge for begin, end, *_ in STEPS_NA for edge in (begin, end))])
    middles = (edges[:-1] + edges[1:]) / 2
    current = np.array([[np.where((begin < middles) & (middles < end), i, 0.0) for i in nA] for begin, end, *nA in STEPS_NA])
    samples = round(DURATION_MS / INTERVAL_MS) + 1
    protocol = Protocol(Stimulus(edges, current), sites, sites, INTERVAL_MS, samples, STEP_MS)
    clean = simulate_numpy(neuron, true_densities(neuron), protocol)
    voltages = clean + np.random.default_rng(NOISE_SEED).normal(0.0, NOISE_MV, size=clean.shape)
    times = protocol.sample_times_ms
    injected = protocol.stimulus.at(times + 1e-9 * INTERVAL_MS)  # a switch at a sample belongs to what follows
    header = ["sweep", "time_ms", *(f"current_{name}_nA" for name in SITES), *(f"voltage_{name}_mV" for name in SITES)]
    lines = [",".join(header)]
    for s in range(len(STEPS_NA)):
        for k, time in enumerate(times):
            numbers = [*(f"{i:g}" for i in injected[s, :, k]), *(f"{v:.3f}" for v in voltages[s, k])]
            lines.append(",".join([str(s + 1), f"{time:.1f}", *numbers]))
    return "\n".join(lines) + "\n"
