"""Published, redone, best: the figure of the published tables."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import matplotlib
import pandas as pd

from gradevo.figures.jones2024 import published_tables
from gradevo.figures.style import save

matplotlib.rc_file(snakemake.input.style)
# names of an SVG's parts are drawn at random otherwise
matplotlib.rcParams["svg.hashsalt"] = "jones2024"
save(published_tables(pd.read_csv(snakemake.input.toy), pd.read_csv(snakemake.input.test184)), snakemake.output)
