"""Whether a study's problems can be posed, found out before the first of its jobs: what reading a configuration alone cannot
tell, and a job would fail for after others have been computed. Simulates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradevo.config import Config
from gradevo.losses import loss_spec
from gradevo.protocol import Protocol
from gradevo.study import make_neuron, make_problem, make_targets, make_truth, protocols


def check_problems(config: Config) -> None:
    """Raises ValueError, naming it, for the first problem that cannot be posed; with a neuron per seed, for the first seed's."""
    for name in config["problems"]:
        try:
            _pose(config, name)
        except (ValueError, OSError) as error:
            raise ValueError(f"problems.{name}: {error}") from None


def _pose(config: Config, name: str) -> None:
    declared = config["problems"][name]
    if "measured" in declared:
        make_problem(config, name, make_targets(config, name))
        return
    # what the traces are compared by in the phase plane depends on the voltages, which nobody knows yet
    if loss_spec(declared.get("loss", "mse"))[0] == "phase_plane":
        declared = {key: value for key, value in declared.items() if key != "loss"}
        config = {**config, "problems": {name: declared}}
    make_problem(config, name, _stand_in(config, name, declared))


def _stand_in(config: Config, name: str, declared: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A simulated problem's targets, as `make_targets` makes them, but for the voltages, which are all 0."""
    neuron, densities = make_neuron(config, declared["neuron"])
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
