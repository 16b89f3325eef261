"""A channel set's mechanisms, compiled for NEURON."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gradevo.channels.base import Channel, ChannelSet
from gradevo.nmodl.text import mechanism


def suffix(channels: ChannelSet, channel: Channel) -> str:
    """The name of a set's channel in NEURON, such as ``hh_Na``: NEURON's mechanisms are global, so it carries the set's."""
    return _identifier(f"{channels.name}_{channel.name}")


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def compile_mechanisms(channels: ChannelSet, folder: str | Path) -> Path:
    """Write the set's .mod files and compile them with the nrnivmodl of this Python environment.

    Each set has a folder of its own in ``folder``, named by content and moved into place when complete; what is already
    compiled is returned as it is. Load the library with ``neuron.h.nrn_load_dll(str(path))``, once in a process.

    Returns:
        The compiled library; its mechanisms are called ``suffix(channels, channel)``.

    Raises:
        FileNotFoundError: without nrnivmodl.
        RuntimeError: if nrnivmodl fails (it needs a C++ compiler and make), with what it said.
    """
    texts = {suffix(channels, c): mechanism(c, suffix(channels, c), channels.gate_voltage_mV) for c in channels.channels}
    digest = hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:16]
    place = Path(folder).resolve() / f"{_identifier(channels.name)}_{digest}"
    if place.is_dir():
        return _library(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="compiling_") as temporary:
        built = Path(temporary) / place.name
        built.mkdir()
        for name, text in texts.items():
            (built / f"{name}.mod").write_text(text)
        done = subprocess.run([_nrnivmodl()], cwd=built, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise RuntimeError(f"nrnivmodl failed on channel set {channels.name!r}; it needs g++ and make. It said:\n{said}")
        _library(built)
        try:
            os.replace(built, place)
        except OSError:
            # another process was faster with the same content
            if not place.is_dir():
                raise
    return _library(place)


def _library(place: Path) -> Path:
    found = sorted(place.glob("*/libnrnmech.*"))
    if not found:
        raise RuntimeError(f"no compiled mechanisms in {place}; delete this folder and try again")
    return found[0]


def _nrnivmodl() -> str:
    beside = Path(sys.executable).parent / "nrnivmodl"
    found = str(beside) if beside.is_file() else shutil.which("nrnivmodl")
    if found is None:
        raise FileNotFoundError("nrnivmodl is not installed; it comes with NEURON (pip install neuron)")
    return found
