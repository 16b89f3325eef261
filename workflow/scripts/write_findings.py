"""A study's findings in sentences."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import pandas as pd

from gradevo.files import write_aside
from gradevo.findings import findings

tables = {name: pd.read_csv(path) for name, path in snakemake.input.items() if name != "sources"}
text = findings(snakemake.config, tables)
write_aside(snakemake.output[0], lambda path: path.write_text(text))
