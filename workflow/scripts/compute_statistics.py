"""A row per problem and method."""

import pandas as pd

from gradevo.result import write_aside
from gradevo.statistics import cell_statistics
from gradevo.workplace import end_with_workflow

end_with_workflow()

statistics = cell_statistics(pd.read_parquet(snakemake.input.summary))
write_aside(snakemake.output[0], lambda path: statistics.to_csv(path, index=False))
