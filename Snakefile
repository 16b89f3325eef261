# From a study's configuration to its figures:  snakemake --cores all  [--configfile config/other.yaml]
from snakemake.utils import min_version

min_version("9.0")


# --configfile replaces the quick study; --config KEY=VALUE changes single keys of it.
if "study" not in config:

    configfile: "config/quick.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/neurons.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/fits.smk"
include: "workflow/rules/summary.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tuning.smk"
include: "workflow/rules/jones2024.smk"
include: "workflow/rules/identifiability.smk"


rule all:
    default_target: True
    input:
        rules.summary.output,
        rules.table.output,
        rules.spread.output,
        rules.figures.input,
        rules.check.output,


onstart:
    begin()


onsuccess:
    show_table()


onerror:
    show_table()
