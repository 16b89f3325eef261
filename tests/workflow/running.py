"""A copy of the repository with a tiny study, and Snakemake run in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
COPIED = ("Snakefile", "environment.yml", "config", "profiles", "workflow", "src", "figures/matplotlibrc")

CONFIG = {
    "study": "tiny",
    "gradient_weight": 2.5,
    "budget_equivalents": 300,
    "stop_loss": 1e-8,
    "seeds": [0, 1],
    "success": {"loss": 1e-3, "noise_factor": 4, "density_rel": 0.01},
    "neurons": {
        "pair": {
            "morphology": {"kind": "chain", "compartments": 2, "coupling_S_cm2": 0.5e-3},
            "channels": "jones2024",
            "densities": {"kind": "uniform", "fraction": 0.3, "seed": 101},
        }
    },
    "problems": {
        "pair_all_all": {
            "neuron": "pair",
            "stimuli": {
                "kind": "random_steps", "count": 3, "every_ms": 0.5, "low_uA_cm2": 0, "high_uA_cm2": 20, "seed": 5,
            },
            "stimulated": "all",
            "recorded": "all",
            "duration_ms": 3,
            "sample_interval_ms": 0.1,
            "dt_ms": 0.05,
            "heldout": {"count": 2, "seed": 105},
        }
    },
    "methods": {"lbfgs": {"starts": 2}, "genetic": {"population": 16}},
}  # fmt: skip


def copy_of_repository(folder: Path) -> Path:
    """What the workflow needs, and nothing that it has made."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, target)
    return folder


def write_config(folder: Path, config: dict) -> None:
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(config))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snakemake", "--configfile", "config/tiny.yaml", "--cores", "2", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """With the folder's own sources. A run is a workflow of its own, whoever runs the tests."""
    return {key: value for key, value in os.environ.items() if key not in ("GRADEVO_WORKFLOW", "MAKELEVEL")} | {
        "PYTHONPATH": str(folder / "src")
    }


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`snakemake --cores 2` in the folder."""
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(folder), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400, check=False,
    )  # fmt: skip


def start_snakemake(folder: Path, log: Path, *arguments: str) -> subprocess.Popen[str]:
    """The same, not waited for; what it says goes to the file `log`."""
    with log.open("w") as stream:
        return subprocess.Popen(
            command(*arguments), cwd=folder, env=environment(folder), text=True, stdout=stream, stderr=subprocess.STDOUT
        )
