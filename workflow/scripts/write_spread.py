"""How far the fits of each method agree on what they found."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import pandas as pd

from gradevo.files import write_aside
from gradevo.spread import spread

table = spread(pd.read_parquet(snakemake.input.densities), pd.read_parquet(snakemake.input.summary))
write_aside(snakemake.output[0], lambda path: table.to_csv(path, index=False, float_format="%.6g"))
