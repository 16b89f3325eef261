"""All tables of the statistics, from the rows of all fits and their histories."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import pandas as pd

from gradevo.files import write_aside, write_table
from gradevo.statistics.settings import read_settings
from gradevo.statistics.tables import all_tables

tables, latex = all_tables(
    pd.read_parquet(snakemake.input.summary),
    pd.read_parquet(snakemake.input.histories),
    snakemake.params.series,
    read_settings(snakemake.params.settings),
)
write_aside(snakemake.output.hits, lambda path: tables.pop("hits").to_parquet(path, index=False))
write_aside(snakemake.output.latex, lambda path: path.write_text(latex))
for name, table in tables.items():
    write_table(snakemake.output[name], table)
