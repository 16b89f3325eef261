"""A problem's neuron and protocol as BluePyOpt's own cell model and sweeps on NEURON (bluepyopt.ephys).

BluePyOpt reads morphologies from files and sets parameters in whole sections. Three small classes say what it cannot: sections
that gradevo has built already (the same as in the scripts of `gradevo export`), compartments as places, and voltages at the
target's samples only. Everything else (the cell's template, mechanisms, parameters, clamps, simulator, sweeps) is BluePyOpt's,
and as with all its users, every sweep builds the neuron anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bluepyopt.ephys.locations import Location, NrnSeclistLocation
from bluepyopt.ephys.mechanisms import NrnMODMechanism
from bluepyopt.ephys.models import CellModel
from bluepyopt.ephys.morphologies import Morphology
from bluepyopt.ephys.parameters import NrnGlobalParameter, NrnSectionParameter
from bluepyopt.ephys.protocols import SweepProtocol
from bluepyopt.ephys.recordings import CompRecording
from bluepyopt.ephys.simulators import NrnSimulator
from bluepyopt.ephys.stimuli import NrnCurrentPlayStimulus

from gradevo.channels import ChannelSet
from gradevo.export import cable_sections, protocol_data
from gradevo.kernels.modules import cache_folder
from gradevo.neuron import Neuron
from gradevo.nmodl import compile_mechanisms, suffix
from gradevo.parameters import Parameters
from gradevo.protocol import Protocol
from gradevo.units import AXIAL_RESISTIVITY, CAPACITANCE

EVERYWHERE = NrnSeclistLocation("everywhere", seclist_name="all")
CELSIUS = 6.3


class BuiltSections(Morphology):
    """Sections as `export.cable_sections` describes them, in the cell's `cable` array and its list `all`."""

    def __init__(self, sections: Sequence[dict[str, Any]]) -> None:
        super().__init__("sections")
        self.sections = sections

    def instantiate(self, sim: Any, icell: Any) -> None:
        sim.neuron.h.execute(f"create cable[{len(self.sections)}]", icell)
        for index, given in enumerate(self.sections):
            section = icell.cable[index]
            if given["parent"] >= 0:
                section.connect(icell.cable[given["parent"]](given["parent_x"]), 0)
            section.nseg, section.Ra = given["nseg"], given["Ra_ohm_cm"]
            if "points_um" in given:
                for point in given["points_um"]:
                    section.pt3dadd(*point)
            else:
                section.L = given["length_um"]
                for segment, diameter in zip(section, given["diameters_um"], strict=True):
                    segment.diam = diameter
            icell.all.append(section)

    def destroy(self, sim: Any = None) -> None:
        """The sections end with the cell."""


class Compartments(Location):
    """Compartments, as (section, position in it): NEURON's segments, which take a value as sections do."""

    def __init__(self, places: Iterable[tuple[int, float]]) -> None:
        super().__init__("compartments")
        self.places = tuple(places)

    def instantiate(self, sim: Any = None, icell: Any = None) -> list[Any]:
        return [icell.cable[section](x) for section, x in self.places]


class Compartment(Compartments):
    """One of them, for a clamp or a recording."""

    def instantiate(self, sim: Any = None, icell: Any = None) -> Any:
        return super().instantiate(sim, icell)[0]


class SampledRecording(CompRecording):
    """The voltage at every `stride`-th step, the initial one included; no response from a simulation that diverged."""

    def __init__(self, name: str, location: Location, stride: int) -> None:
        super().__init__(name, location)
        self.stride = stride

    @property
    def response(self) -> dict[str, np.ndarray] | None:
        if self.varvector is None or self.tvector is None:
            return None
        voltage = self.varvector.as_numpy()[:: self.stride].copy()
        return (
            {"time": self.tvector.as_numpy()[:: self.stride].copy(), "voltage": voltage} if np.isfinite(voltage).all() else None
        )


def make_cell(parameters: Parameters, secondorder: int) -> CellModel:
    """The neuron with its free parameters, named as in `Parameters.names`, everything else fixed.

    secondorder : NEURON's h.secondorder: 0 backward Euler, 2 Crank-Nicolson

    Raises ValueError for a neuron whose couplings have a cycle.
    """
    neuron = parameters.neuron
    try:
        sections = cable_sections(neuron.morphology)
    except ValueError as error:
        raise ValueError(
            f"neuron {neuron.name!r} cannot be built in NEURON: {error}. It takes trees: sections from files and generators, and "
            "adjacency matrices without cycles, numbered from the root outwards; the methods named bluepyopt_neuron_* need one"
        ) from None
    places = _places(sections)
    channels = neuron.channels
    names = {channel.name: f"gbar_{suffix(channels, channel)}" for channel in channels.channels}
    own = {CAPACITANCE: "cm", AXIAL_RESISTIVITY: "Ra"}
    params = [
        NrnGlobalParameter(name, channels.initial_voltage_mV if name == "v_init" else value, frozen=True, param_name=name)
        for name, value in (("v_init", 0.0), ("celsius", CELSIUS), ("secondorder", secondorder))
    ]
    free = {quantity.name for quantity in parameters.quantities}
    if CAPACITANCE not in free:
        params.append(_fixed("cm", channels.capacitance_uF_cm2, EVERYWHERE))
    for channel, densities in zip(channels.channels, parameters.fixed, strict=True):
        if channel.name not in free:
            for value in np.unique(densities):
                members = Compartments(places[i] for i in np.flatnonzero(densities == value))
                params.append(_fixed(names[channel.name], float(value), EVERYWHERE if np.ptp(densities) == 0 else members))
    for quantity in parameters.quantities:
        for region in range(quantity.n_regions):
            members = Compartments(places[i] for i in np.flatnonzero(quantity.labels == region))
            params.append(
                NrnSectionParameter(
                    parameters.names[quantity.values.start + region],
                    param_name=own.get(quantity.name) or names[quantity.name],
                    locations=[EVERYWHERE if quantity.name == AXIAL_RESISTIVITY else members],
                )
            )
    return CellModel(
        "gradevo_neuron",
        morph=BuiltSections(sections),
        mechs=[
            NrnMODMechanism(channel.name, suffix=suffix(channels, channel), locations=[EVERYWHERE])
            for channel in channels.channels
        ],
        params=params,
        seclist_names=["all"],
        secarray_names=["cable"],
    )


def make_sweeps(neuron: Neuron, protocol: Protocol) -> dict[str, SweepProtocol]:
    """A sweep per stimulus, "stimulus0" and so on; its recordings are called as `recording_name` says."""
    places = _places(cable_sections(neuron.morphology))
    data = protocol_data(neuron, protocol)
    end_ms = data["dt_ms"] * data["steps"]
    # a current holds until the next one: two points at each time at which it changes
    times = np.repeat([*data["current_times_ms"], end_ms], 2)[1:-1].tolist()
    sweeps = {}
    for i, currents in enumerate(data["currents_nA"]):
        sites = zip(protocol.stimulated or (0,), currents or [[0.0] * len(data["current_times_ms"])], strict=True)
        sweeps[f"stimulus{i}"] = SweepProtocol(
            f"stimulus{i}",
            stimuli=[
                NrnCurrentPlayStimulus(times, np.repeat(own, 2).tolist(), Compartment([places[site]])) for site, own in sites
            ],
            recordings=[
                SampledRecording(recording_name(i, site), Compartment([places[site]]), data["steps_per_sample"])
                for site in protocol.recorded
            ],
            cvode_active=False,
        )
    return sweeps


def recording_name(stimulus: int, site: int) -> str:
    """What BluePyOpt's responses call the voltage of a compartment under a stimulus."""
    return f"stimulus{stimulus}.v{site}"


def make_simulator(protocol: Protocol) -> NrnSimulator:
    """BluePyOpt's NEURON, with the protocol's fixed step."""
    # NEURON keeps steps per ms, and BluePyOpt insists on the step that it gets back
    return NrnSimulator(dt=1.0 / (1.0 / protocol.step_ms), cvode_active=False)


def compiled(channels: ChannelSet) -> Path:
    """The channels' mechanisms, compiled now or before."""
    return compile_mechanisms(channels, cache_folder() / "mechanisms")


def load_mechanisms(channels: ChannelSet, simulator: NrnSimulator) -> None:
    """Into NEURON, unless they are there."""
    h = simulator.neuron.h
    known, name = h.MechanismType(0), h.ref("")
    loaded = set()
    for i in range(int(known.count())):
        known.select(i)
        known.selected(name)
        loaded.add(name[0])
    if not {suffix(channels, channel) for channel in channels.channels} <= loaded:
        h.nrn_load_dll(str(compiled(channels)))


def _places(sections: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """(section, position) of every compartment."""
    return [(index, (k + 0.5) / given["nseg"]) for index, given in enumerate(sections) for k in range(given["nseg"])]


def _fixed(name: str, value: float, location: Location) -> NrnSectionParameter:
    return NrnSectionParameter(f"{name}={value}", value, frozen=True, param_name=name, locations=[location])
