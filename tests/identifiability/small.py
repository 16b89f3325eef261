"""A configuration for `snakemake identifiability` whose tables take seconds."""

from __future__ import annotations

from gradevo.config import Config
from tests.fitting import toy_config


def small_config() -> Config:
    """As a YAML file would have it, a new one each time."""
    config = toy_config(stimulated=[0], dt_ms=0.05, grid={"recorded": {"all": "all", "1": {"spread": 1}}})
    (problem,) = config["problems"].values()
    for key in ("recorded", "heldout", "bounds"):
        del problem[key]
    problem["stimuli"]["count"] = 3
    (neuron,) = config["neurons"].values()
    neuron["morphology"]["compartments"] = 4
    return config | {
        "study": "identifiability",
        "neurons": {"cable": neuron},
        "problems": {"cable": problem | {"neuron": "cable"}},
        "methods": {"lbfgs": {}},
        "identifiability": {
            "noise_mV": 0.1,
            "sites": {"problem": "cable_all", "counts": [4, 2, 1], "drawn": [4, 1]},
            "calibration": {"draws": {"cable_all": 20}, "seed": 1},
            "likelihood": {
                "densities": {"cable_all": ["Na[0]", "K[3]"]}, "confidence": 0.95, "largest_factor": 3, "step": 0.5,
            },
            "placement": {
                "recording": "cable_all", "stimulation": "cable_1", "most": 3, "random": 8, "prior_sd": 0.3, "waveforms": 1,
                "seed": 1,
            },
        },
    }  # fmt: skip
