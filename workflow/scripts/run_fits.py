"""All seeds of one method on one problem. A fit that fails is a result like any other."""

import logging

from gradevo.result import write_result
from gradevo.study import make_problem, run_fit

logging.basicConfig(filename=snakemake.log[0], level=logging.INFO, format="%(asctime)s %(message)s")
problem_name, method = snakemake.wildcards.problem, snakemake.wildcards.method

problem = make_problem(snakemake.config, problem_name, snakemake.input.targets)
for seed, parquet, json_path in zip(
    snakemake.config["seeds"], snakemake.output.histories, snakemake.output.results, strict=True
):
    result = run_fit(snakemake.config, problem, method, seed)
    write_result(result, parquet, json_path)
    line = f"{problem_name} {method} seed {seed}: {result.status}, loss {result.best_loss:.3g} mV2, {result.message}"
    logging.info(line)
    print(line, flush=True)
