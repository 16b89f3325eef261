"""Figure: cost to the loss target against the number of densities."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import matplotlib
import pandas as pd

from gradevo.figures.cost import cost_to_target
from gradevo.figures.style import save

with matplotlib.rc_context(fname=snakemake.input.style):
    save(cost_to_target(pd.read_parquet(snakemake.input.summary)), snakemake.output)
