"""What a result was made with: versions, hardware, memory, and a hash of the sources that can change it."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import resource
import subprocess
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent

# Everything between a density and a loss. A method's own file, and those of methods/ that it imports, come on top.
_SIMULATION_SOURCES = (
    "units.py", "channels", "morphology", "neuron.py", "densities.py", "tree.py", "regions.py", "parameters.py", "sensitivity.py",
    "stimulus", "truth.py", "protocol.py", "observations.py", "devices.py", "simulate.py", "autograd.py", "kernels", "losses",
    "transforms.py", "problem.py", "same_problem.py", "starts.py", "meter.py", "fit.py",
)  # fmt: skip

# What a result rests on besides where it was computed on a GPU: of the CPU's, no line in there matters.
_DEVICE_SOURCES = ("cuda",)

# What else a method may rest on that brings its own simulator.
_BUILDING_SOURCES = {"gradevo.export": "export.py", "gradevo.nmodl": "nmodl"}

_LIBRARIES = ("gradevo", "torch", "numpy", "scipy", "numba", "sympy", "deap", "cma", "bluepyopt", "efel", "neuron")


def source_files(method_module: str | None = None, device: str = "cpu") -> list[Path]:
    """The source files that affect a result, sorted: the simulation's, on a GPU its kernels' besides, and if given the method's
    own with all that it imports from gradevo.methods."""
    files: list[Path] = []
    for name in (*_SIMULATION_SOURCES, *(_DEVICE_SOURCES if device == "cuda" else ())):
        path = _PACKAGE / name
        files += path.rglob("*.py") if path.is_dir() else [path]
    if method_module is not None:
        files += _method_files(method_module.rpartition(".")[2])
    return sorted(path for path in files if path.is_file())


def _method_files(name: str) -> set[Path]:
    """methods/<name>.py and, in turn, the files of that folder that it imports (Method and Outcome aside), and what builds a
    neuron for another simulator where it is used."""
    found: set[Path] = set()
    waiting = [name]
    while waiting:
        path = _PACKAGE / "methods" / f"{waiting.pop()}.py"
        if path in found or not path.is_file():
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "gradevo.methods":
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gradevo.methods."):
                waiting.append(str(node.module).rpartition(".")[2])
            elif isinstance(node, ast.ImportFrom) and node.module in _BUILDING_SOURCES:
                built = _PACKAGE / _BUILDING_SOURCES[node.module]
                found.update(built.rglob("*.py") if built.is_dir() else [built])
    return found - {_PACKAGE / "methods/method.py"}


def source_hash(method_module: str | None = None, device: str = "cpu") -> str:
    """SHA-256 (hexadecimal) over the relative names and contents of `source_files`."""
    digest = hashlib.sha256()
    for path in source_files(method_module, device):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _versions() -> dict[str, str]:
    peers = [name for name in ("jaxley", "jax") if find_spec(name) is not None]
    return {"python": platform.python_version(), **{name: version(name) for name in (*_LIBRARIES, *peers)}}


@cache
def _hardware() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        lines = (line.partition(":") for line in listing.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": model, "cores": cores, "system": f"{platform.system()} {platform.machine()}"}


def _has_cuda(device: str) -> bool:
    return device == "cuda" and find_spec("numba_cuda") is not None


@cache
def _gpu() -> str:
    """Asked of the driver's own program: a process that has begun CUDA could not fork fits."""
    ask = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    with suppress(FileNotFoundError):
        return subprocess.run(ask, capture_output=True, text=True).stdout.strip().replace("\n", "; ")
    return "unknown: there is no nvidia-smi"


def describe_run(method_module: str | None = None, device: str = "cpu") -> dict[str, Any]:
    """Versions, hardware, peak memory of this process so far (bytes), and the hash of the sources that compute on a device."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "versions": dict(_versions()) | ({"numba-cuda": version("numba-cuda")} if _has_cuda(device) else {}),
        "hardware": dict(_hardware()) | ({"gpu": _gpu()} if _has_cuda(device) else {}),
        "peak_memory_bytes": peak if platform.system() == "Darwin" else peak * 1024,
        "source_sha256": source_hash(method_module, device),
    }
