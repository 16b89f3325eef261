"""The lock file pins what pyproject.toml asks for, and names no place to get it from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


LOCKS = ("requirements.lock", "requirements-peers.lock", "requirements-cuda.lock")


def lock_lines(*locks: str) -> list[str]:
    lines = [line for lock in locks for line in (ROOT / lock).read_text().splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def test_lock_is_pins_only():
    for line in lock_lines(*LOCKS):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line), line


def test_lock_satisfies_the_project():
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lock_lines(*LOCKS))}
    assert len(pins) == len(lock_lines(*LOCKS)), "a package is pinned twice"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["dev"]]
    wanted += [Requirement(text) for extra in ("peers", "cuda") for text in project["optional-dependencies"][extra]]
    for requirement in wanted:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in a lock file"
        assert requirement.specifier.contains(version), f"{requirement} against the pinned {version}"


@pytest.mark.parametrize("name", ["quick", "ci", "paper", "identifiability", "evolution", "duration"])
def test_committed_configs_are_valid(name):
    from gradevo.config import load_config

    load_config(ROOT / f"config/{name}.yaml", ROOT / "workflow/schemas/config.schema.yaml")


def test_evolution_is_asked_about_the_full_study_s_own_problems():
    """config/evolution.yaml repeats them: a YAML file cannot refer to another."""
    from gradevo.config import load_config

    asked, full = (load_config(ROOT / f"config/{name}.yaml") for name in ("evolution", "paper"))
    for key in ("gradient_weight", "stop_loss", "neuron_per_seed", "success"):
        assert asked[key] == full[key]
    assert set(asked["seeds"]) < set(full["seeds"])
    assert len(asked["problems"]) == 3
    for name, problem in asked["problems"].items():
        assert problem == {
            key: value for key, value in full["problems"][name].items() if key not in ("budget_equivalents", "methods")
        }
        assert asked["neurons"][problem["neuron"]] == full["neurons"][problem["neuron"]]


def test_longer_recordings_are_of_a_problem_of_the_full_study():
    """config/duration.yaml repeats it, all but how long it lasts."""
    from gradevo.config import load_config

    asked, full = (load_config(ROOT / f"config/{name}.yaml") for name in ("duration", "paper"))
    for key in ("gradient_weight", "stop_loss", "neuron_per_seed", "success", "seeds", "budget_equivalents"):
        assert asked[key] == full[key]
    shared = {key: value for key, value in full["problems"]["tree61_r6"].items() if key not in ("budget_equivalents", "methods")}
    assert [problem["duration_ms"] for problem in asked["problems"].values()] == [shared["duration_ms"], 50, 200]
    for problem in asked["problems"].values():
        assert problem | {"duration_ms": shared["duration_ms"]} == shared
    assert asked["neurons"]["tree61_r6"] == full["neurons"]["tree61_r6"]
