"""Figure: best loss against simulation-equivalents and wall-clock."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import matplotlib
import pandas as pd

from gradevo.figures.convergence import convergence
from gradevo.figures.style import save
from gradevo.study import loss_units

targets = pd.read_parquet(snakemake.input.summary).groupby("problem")["loss_target"].first().to_dict()
with matplotlib.rc_context(fname=snakemake.input.style):
    save(convergence(pd.read_parquet(snakemake.input.histories), targets, loss_units(snakemake.config)), snakemake.output)
