"""All seeds of one method on one problem. A fit that fails is a result like any other."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import gc
import logging

gc.disable()  # until all is loaded, none of which is garbage: a tenth of the start

from gradevo.fit_job import run_seeds
from gradevo.workplace import take_cores

logging.basicConfig(filename=snakemake.log[0], level=logging.INFO, format="%(asctime)s %(message)s")
take_cores(snakemake.threads)
config = snakemake.config
paths = zip(snakemake.output.histories, snakemake.output.results, strict=True)
run_seeds(
    config,
    snakemake.wildcards.problem,
    snakemake.wildcards.method,
    snakemake.input.targets,
    dict(zip(config["seeds"], paths, strict=True)),
    threads=snakemake.threads,
    job_memory_MB=snakemake.resources.get("mem_mb"),
    attempt=snakemake.resources.attempt,
)
