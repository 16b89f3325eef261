"""All seeds of one method on one problem. A fit that fails is a result like any other."""

import logging
from dataclasses import replace

from gradevo.result import write_result
from gradevo.study import make_problem, run_fit

logging.basicConfig(filename=snakemake.log[0], level=logging.INFO, format="%(asctime)s %(message)s")
config, method = snakemake.config, snakemake.wildcards.method
problem = make_problem(config, snakemake.wildcards.problem, snakemake.input.targets)

# Loading a method's libraries and the kernels takes seconds, once in a process. A fit of one candidate, thrown away,
# pays for it, so that the first seed's clock is like the others'.
one_candidate = config["gradient_weight"] * problem.n_simulations
warm_up = run_fit({**config, "budget_equivalents": one_candidate}, replace(problem, name="warm_up"), method, seed=0)

compile_s = warm_up.totals["compile_s"]
for seed, parquet, json_path in zip(config["seeds"], snakemake.output.histories, snakemake.output.results, strict=True):
    result = run_fit(config, problem, method, seed)
    result.totals["compile_s"] += compile_s
    compile_s = 0.0
    write_result(result, parquet, json_path)
    line = f"{problem.name} {method} seed {seed}: {result.status}, loss {result.best_loss:.3g}, {result.message}"
    logging.info(line)
    print(line, flush=True)
