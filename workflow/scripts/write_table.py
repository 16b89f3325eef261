"""The table that a study ends with."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import os

import pandas as pd

from gradevo.report import readable_table
from gradevo.result import write_aside

study = snakemake.config["study"]
figures = [path for path in snakemake.input.figures if path.endswith(".png")]
text = readable_table(
    pd.read_csv(snakemake.input.statistics),
    pd.read_parquet(snakemake.input.summary),
    snakemake.params.success,
    study,
    [
        f"Tables:  {os.path.dirname(snakemake.input.summary)}/summary.csv, a row per fit",
        f"In sentences:  {snakemake.input.findings}",
        "Figures (and as PDF beside them):",
    ]
    + [f"  {path}" for path in figures],
)
write_aside(snakemake.output[0], lambda path: path.write_text(text))
