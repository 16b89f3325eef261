"""All fits of a study as tidy tables: a row per fit, per fitted density, and per step of a history."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import json

import pandas as pd

from gradevo.fit_rows import density_rows, summary_row
from gradevo.merge import joined, record_of
from gradevo.result import read_result, write_aside
from gradevo.study import make_problems

config = snakemake.config
targets = zip(config["problems"], snakemake.input.targets, strict=True)
problems = {name: make_problems(config, name, path) for name, path in targets}
results = [read_result(*paths) for paths in zip(snakemake.input.histories, snakemake.input.results, strict=True)]
fitted = [(problems[r.totals["problem"]][r.totals["seed"]], r) for r in results]

summary = pd.DataFrame([summary_row(config, problem, r) for problem, r in fitted])
densities = pd.DataFrame([row for problem, r in fitted for row in density_rows(problem, r)])
record = record_of(config, results)
histories = joined([r.history for r in results])

write_aside(snakemake.output.summary, lambda path: summary.to_parquet(path, index=False))
write_aside(snakemake.output.csv, lambda path: summary.to_csv(path, index=False))
write_aside(snakemake.output.densities, lambda path: densities.to_parquet(path, index=False))
write_aside(snakemake.output.histories, lambda path: histories.to_parquet(path, index=False))
write_aside(snakemake.output.record, lambda path: path.write_text(json.dumps(record, indent=1) + "\n"))
