"""The published tables again, from all their fits, and the record of what they were made from."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

from pathlib import Path

from gradevo.jones2024.cases import read_config
from gradevo.jones2024.tables import write_tables

write_tables(snakemake.input.fits, read_config(), Path(snakemake.output.toy).parent, snakemake.params.threads)
