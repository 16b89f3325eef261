# What Snakemake puts into the scripts of workflow/scripts, for the type checker.
from typing import Any

snakemake: Any
