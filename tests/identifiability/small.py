"""A configuration for `snakemake identifiability` whose tables take seconds."""

from __future__ import annotations

import copy

from gradevo.config import Config

_PROBLEM = {
    "neuron": "cable",
    "stimuli": {"kind": "random_steps", "count": 3, "every_ms": 0.5, "low_uA_cm2": 0, "high_uA_cm2": 20, "seed": 5},
    "stimulated": [0],
    "duration_ms": 3,
    "sample_interval_ms": 0.1,
    "dt_ms": 0.05,
    "grid": {"recorded": {"all": "all", "1": {"spread": 1}}},
}

_CONFIG = {
    "study": "identifiability",
    "gradient_weight": 2.5,
    "budget_equivalents": 300,
    "seeds": [0],
    "success": {"loss": 1e-3, "noise_factor": 4, "density_rel": 0.01},
    "neurons": {
        "cable": {
            "morphology": {"kind": "chain", "compartments": 4, "coupling_S_cm2": 0.5e-3},
            "channels": "jones2024",
            "densities": {"kind": "uniform", "fraction": 0.3, "seed": 1},
        }
    },
    "problems": {"cable": _PROBLEM},
    "methods": {"lbfgs": {}},
    "identifiability": {
        "noise_mV": 0.1,
        "sites": {"problem": "cable_all", "counts": [4, 2, 1], "drawn": [4, 1]},
        "calibration": {"draws": {"cable_all": 20}, "seed": 1},
        "likelihood": {"densities": {"cable_all": ["Na[0]", "K[3]"]}, "confidence": 0.95, "largest_factor": 3, "step": 0.5},
        "placement": {
            "recording": "cable_all", "stimulation": "cable_1", "most": 3, "random": 8, "prior_sd": 0.3, "waveforms": 1,
            "seed": 1,
        },
    },
}  # fmt: skip


def small_config() -> Config:
    """As a YAML file would have it, a new one each time."""
    return copy.deepcopy(_CONFIG)
