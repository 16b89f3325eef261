"""What a problem's fits are given: stimuli and the voltages that the ground truth answers with."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

from gradevo.study import make_targets, write_arrays

write_arrays(snakemake.output[0], make_targets(snakemake.config, snakemake.wildcards.problem))
