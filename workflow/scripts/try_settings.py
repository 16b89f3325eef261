"""Every setting of one method, with every seed, on one tuning problem."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import os

from gradevo.config import load_config
from gradevo.result import write_aside
from gradevo.tuning import try_settings

os.environ["GRADEVO_THREADS"] = str(snakemake.threads)
trials = try_settings(load_config("config/tuning.yaml"), snakemake.wildcards.problem, snakemake.wildcards.method)
write_aside(snakemake.output[0], lambda path: trials.to_parquet(path, index=False))
