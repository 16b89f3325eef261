"""The tables that the figures are drawn from."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import pandas as pd

from gradevo.figure_tables.all import figure_tables
from gradevo.files import write_table

given = snakemake.input
tables = figure_tables(
    snakemake.config,
    pd.read_parquet(given.summary),
    pd.read_parquet(given.histories),
    pd.read_parquet(given.densities),
    pd.read_csv(given.profiles),
)
for name, table in tables.items():
    write_table(snakemake.output[name], table)
