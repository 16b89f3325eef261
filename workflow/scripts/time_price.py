"""What a gradient costs beside its simulation, timed."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import os

from gradevo.figure_tables.price import price_table
from gradevo.files import write_table
from gradevo.study import make_problem
from gradevo.workplace import take_cores

take_cores(snakemake.threads)
os.environ["GRADEVO_THREADS"] = str(snakemake.threads)
config = snakemake.config
targets = zip(snakemake.params.problems, snakemake.input.targets, strict=True)
problems = [make_problem(config, name, path) for name, path in targets]
write_table(snakemake.output[0], price_table(problems, config["gradient_weight"]))
