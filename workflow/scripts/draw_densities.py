"""Figure: true against fitted densities by method."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import matplotlib
import pandas as pd

from gradevo.figures.densities import true_against_fitted
from gradevo.figures.style import save

with matplotlib.rc_context(fname=snakemake.input.style):
    save(true_against_fitted(pd.read_parquet(snakemake.input.densities)), snakemake.output)
