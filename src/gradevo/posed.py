"""Whether a study's problems can be posed, found out before the first of its jobs: what reading a configuration alone cannot
tell, and a job would fail for after others have been computed. Simulates nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradevo.config import Config
from gradevo.losses import Recorded, loss_spec, make_loss
from gradevo.protocol import Protocol
from gradevo.study import make_neuron, make_problem, make_targets, make_truth, protocols


def check_problems(config: Config) -> None:
    """Raises ValueError, naming it (and the seed, where each has a neuron of its own), for the first problem that cannot be
    posed."""
    seeds = config["seeds"] if config.get("neuron_per_seed", False) else [None]
    for name, seed in itertools.product(config["problems"], seeds):
        try:
            _pose(config, name, seed)
        except (ValueError, OSError) as error:
            whose = "" if seed is None else f" with the neuron of seed {seed}"
            raise ValueError(f"problems.{name}{whose}: {error}") from None


def _pose(config: Config, name: str, seed: int | None) -> None:
    declared = config["problems"][name]
    if "measured" in declared:
        make_problem(config, name, make_targets(config, name))
        return
    loss = declared.get("loss", "mse")
    # what the traces are compared by in the phase plane depends on the voltages, which nobody knows yet; its settings do not
    by_voltages = loss_spec(loss)[0] == "phase_plane"
    if by_voltages:
        declared = {key: value for key, value in declared.items() if key != "loss"}
        config = {**config, "problems": {name: declared}}
    posed = make_problem(config, name, _stand_in(config, name, declared, seed), seed)
    if by_voltages:
        p = posed.protocol
        make_loss(loss, Recorded(p.sample_times_ms, len(p.recorded), posed.neuron.n_compartments))


def _stand_in(config: Config, name: str, declared: Mapping[str, Any], seed: int | None) -> dict[str, np.ndarray]:
    """A simulated problem's targets, as `make_targets` makes them, but for the voltages, which are all 0."""
    neuron, densities = make_neuron(config, declared["neuron"], seed)
    protocol, heldout = protocols(declared, neuron)
    truth = make_truth(config, name, neuron)
    dt_ms = declared.get("truth_dt_ms", declared["dt_ms"])
    truth.protocol(replace(protocol, dt_ms=dt_ms)).validate(truth.neuron)
    arrays = {"true_densities_S_cm2": densities} | _recording("", "target_mV", protocol)
    return arrays if heldout is None else arrays | _recording("heldout_", "heldout_mV", heldout)


def _recording(prefix: str, voltages: str, protocol: Protocol) -> dict[str, np.ndarray]:
    return {
        voltages: np.zeros((protocol.n_stimuli, protocol.n_samples, len(protocol.recorded))),
        f"{prefix}current_edges_ms": protocol.stimulus.edges_ms,
        f"{prefix}current_nA": protocol.stimulus.values_nA,
    }
