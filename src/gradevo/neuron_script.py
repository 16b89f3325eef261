"""A neuron exported by gradevo, built and run in NEURON.

Compile its mechanisms once with `nrnivmodl` in this folder, then run this file with Python, or import `build` from it. The
neuron's sections, densities and currents are in the .json file of the same name. Voltages are written to the .csv file of the
same name: backward Euler with a fixed step, one block of rows per stimulus.
"""

import csv
import json
from pathlib import Path

from neuron import h

FILE = Path(__file__)
KINDS = {1: "soma", 2: "axon", 3: "dend", 4: "apic"}


def load_mechanisms(data):
    """NEURON finds them by itself when it starts in this folder; elsewhere they are loaded here."""
    known = h.MechanismType(0)
    name = h.ref("")
    loaded = set()
    for i in range(int(known.count())):
        known.select(i)
        known.selected(name)
        loaded.add(name[0])
    if set(data["densities_S_cm2"]) <= loaded:
        return
    libraries = sorted(FILE.parent.glob("*/libnrnmech.*"))
    if not libraries:
        raise SystemExit(f"no compiled mechanisms in {FILE.parent}: run nrnivmodl there first")
    h.nrn_load_dll(str(libraries[0]))


def build(data):
    """The sections, and their segments in gradevo's order of compartments."""
    load_mechanisms(data)
    sections, segments = [], []
    for index, given in enumerate(data["sections"]):
        section = h.Section(name=f"{KINDS.get(given['kind'], 'dend')}_{index}")
        if given["parent"] >= 0:
            section.connect(sections[given["parent"]](given["parent_x"]), 0)
        section.nseg = given["nseg"]
        section.Ra = given["Ra_ohm_cm"]
        if "points_um" in given:
            for x, y, z, diameter in given["points_um"]:
                section.pt3dadd(x, y, z, diameter)
        else:
            section.L = given["length_um"]
            for segment, diameter in zip(section, given["diameters_um"], strict=True):
                segment.diam = diameter
        for mechanism in data["densities_S_cm2"]:
            section.insert(mechanism)
        sections.append(section)
        segments += list(section)
    for i, segment in enumerate(segments):
        segment.cm = data["capacitance_uF_cm2"][i]
        for mechanism, densities in data["densities_S_cm2"].items():
            getattr(segment, mechanism).gbar = densities[i]
    return sections, segments


def run(data, segments, stimulus):
    """Voltages (mV), a list of samples for every recorded compartment."""
    protocol = data["protocol"]
    times = h.Vector(protocol["current_times_ms"])
    played = []
    for site, values in zip(protocol["stimulated"], protocol["currents_nA"][stimulus], strict=True):
        clamp = h.IClamp(segments[site])
        clamp.delay, clamp.dur = 0.0, 1e9
        current = h.Vector(values)
        current.play(clamp._ref_amp, times)
        played.append((clamp, current))
    traces = [h.Vector().record(segments[site]._ref_v) for site in protocol["recorded"]]
    h.CVode().active(0)
    h.secondorder = 0
    h.celsius = 6.3
    h.dt = protocol["dt_ms"]
    h.finitialize(data["initial_voltage_mV"])
    for _ in range(protocol["steps"]):
        h.fadvance()
    return [list(trace)[:: protocol["steps_per_sample"]] for trace in traces]


def main():
    data = json.loads(FILE.with_suffix(".json").read_text())
    sections, segments = build(data)
    print(f"{data['name']}: {len(sections)} sections, {len(segments)} compartments")
    protocol = data["protocol"]
    if protocol is None:
        return
    results = FILE.with_suffix(".csv")
    with results.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["stimulus", "time_ms", *(f"v_{site}_mV" for site in protocol["recorded"])])
        for stimulus in range(len(protocol["currents_nA"])):
            traces = run(data, segments, stimulus)
            for k, row in enumerate(zip(*traces, strict=True)):
                table.writerow([stimulus, k * protocol["steps_per_sample"] * protocol["dt_ms"], *row])
    print(f"voltages in {results}")


if __name__ == "__main__":
    main()
