"""Fails, naming them, if fits of the study ended in an error. Those whose process was killed are left to the next run."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import sys
from pathlib import Path

import pandas as pd

from gradevo.kept import conclude_study
from gradevo.report import failed_fits

summary = pd.read_parquet(snakemake.input.summary)
conclude_study(snakemake.config["study"], summary, Path(snakemake.input.results[0]).parent)
failed = failed_fits(summary)
if failed:
    sys.exit(f"{len(failed)} fits ended with status error; the tables and figures hold all others:\n" + "\n".join(failed))
