"""One figure of the study, from its tables."""

from gradevo.workplace import end_with_workflow

end_with_workflow()

from pathlib import Path

from gradevo.figures.study import draw

draw(snakemake.params.figure, Path(snakemake.input.tables[0]).parent, snakemake.output, style=snakemake.input.style)
