"""Fails, naming them, if fits of the study ended in an error."""

import sys

import pandas as pd

from gradevo.report import failed_fits

failed = failed_fits(pd.read_parquet(snakemake.input.summary))
if failed:
    sys.exit(f"{len(failed)} fits ended with status error; the tables and figures hold all others:\n" + "\n".join(failed))
