"""A row per problem and method."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import pandas as pd

from gradevo.result import write_aside
from gradevo.statistics import cell_statistics

statistics = cell_statistics(pd.read_parquet(snakemake.input.summary))
write_aside(snakemake.output[0], lambda path: statistics.to_csv(path, index=False))
