"""The tables of one job of `snakemake identifiability`."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import os

from gradevo.figure_tables.identifiability.all import JOBS
from gradevo.files import write_table

os.environ["GRADEVO_THREADS"] = str(snakemake.threads)
for name, table in JOBS[snakemake.params.job](snakemake.params.config).items():
    write_table(snakemake.output[name], table)
