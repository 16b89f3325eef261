"""Figure: the recordings of a measured problem, and each method's best fit of them."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from gradevo.export_cli import read_best
from gradevo.figures.style import rows, save
from gradevo.figures.traces import Shown, recorded_and_fitted
from gradevo.fitted import fitted_voltages
from gradevo.study import make_problem

problem = make_problem(snakemake.config, snakemake.wildcards.measured, snakemake.input.targets)
summary = pd.read_parquet(snakemake.input.summary)
found = rows(summary, problem=problem.name)
best = found.loc[np.isfinite(found["best_loss"])].sort_values("best_loss", kind="stable").drop_duplicates("method")
folder = Path(snakemake.input.summary).parent / "fits"
fits = {
    row["method"]: fitted_voltages(problem, read_best(folder / f"{problem.name}__{row['method']}__s{row['seed']}.json", problem))
    for row in best.to_dict("records")
}
kinds = {"fitted": (problem.protocol, problem.target), "held out": problem.heldout}
shown = [
    Shown(
        kind,
        recording[0].sample_times_ms,
        recording[1],
        recording[0].recorded,
        {method: both[i] for method, both in fits.items()},
    )
    for i, (kind, recording) in enumerate(kinds.items())
    if recording is not None
]
with matplotlib.rc_context(fname=snakemake.input.style):
    save(recorded_and_fitted(shown), snakemake.output)
