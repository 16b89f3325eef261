"""A ground-truth neuron's geometry and densities, as arrays."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

from gradevo.study import neuron_arrays, write_arrays

write_arrays(snakemake.output[0], neuron_arrays(snakemake.config, snakemake.wildcards.neuron))
