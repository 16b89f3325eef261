"""Figure: the ground-truth neurons beside example traces of the first problem on each."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import matplotlib
import numpy as np

from gradevo.figures.neurons import neurons_and_traces
from gradevo.figures.style import problem_label, save
from gradevo.study import read_arrays

config = snakemake.config
neurons = dict(zip(config["neurons"], map(read_arrays, snakemake.input.neurons), strict=True))
traces = {}
for (name, problem), path in zip(config["problems"].items(), snakemake.input.targets, strict=True):
    if problem["neuron"] not in traces:
        arrays = read_arrays(path)
        voltages_mV = arrays["target_mV"][0]
        seen = np.isfinite(voltages_mV).any(axis=0)  # under this stimulus
        traces[problem["neuron"]] = {
            "times_ms": arrays["times_ms"],
            "voltages_mV": voltages_mV[:, seen],
            "sites": arrays["recorded"][seen],
            "title": f"target, {problem_label(name)}",
        }

with matplotlib.rc_context(fname=snakemake.input.style):
    save(neurons_and_traces(neurons, traces), snakemake.output)
