"""What the tables of `snakemake identifiability` were made from."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

import json

from gradevo.figure_tables.identifiability.all import record
from gradevo.files import write_aside

text = json.dumps(record(snakemake.params.config), indent=1) + "\n"
write_aside(snakemake.output[0], lambda path: path.write_text(text))
