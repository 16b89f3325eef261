"""The best of each method's settings, as the preset that studies use, and all of them as a table."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import pandas as pd

from gradevo.config import load_config
from gradevo.result import write_aside
from gradevo.tuning import rank_settings, tuned_text

config = load_config("config/tuning.yaml")
trials = pd.concat([pd.read_parquet(path) for path in snakemake.input.trials], ignore_index=True)
table = rank_settings(trials, config["stop_loss"])
write_aside(snakemake.output.table, lambda path: table.to_csv(path, index=False))
write_aside(snakemake.output.tuned, lambda path: path.write_text(tuned_text(table, config)))
