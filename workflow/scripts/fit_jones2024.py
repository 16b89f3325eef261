"""All methods on one condition of the published tables."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import os

os.environ["GRADEVO_THREADS"] = str(snakemake.threads)

from gradevo.files import write_aside
from gradevo.jones2024.cases import cases, read_config
from gradevo.jones2024.fits import fit_case

config = read_config()
rows = fit_case(cases(config)[snakemake.wildcards.case], config)
write_aside(snakemake.output[0], lambda path: rows.to_parquet(path, index=False))
