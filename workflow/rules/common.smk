# What the rules share: the checked configuration, names, folders, and which sources a result depends on.
from pathlib import Path

from gradevo.provenance import source_files
from gradevo.config import check_config, morphology_file
from gradevo.methods import get_method

config = check_config(config)

STUDY = config["study"]
RESULTS = f"results/{STUDY}"
FIGURES = f"figures/{STUDY}"
LOGS = f"logs/{STUDY}"
TABLE = f"{RESULTS}/table.txt"
PROBLEMS = list(config["problems"])
METHODS = list(config["methods"])
SEEDS = config["seeds"]


wildcard_constraints:
    neuron="|".join(config["neurons"]),
    problem="|".join(PROBLEMS),
    method="|".join(METHODS),


def sources(method=None):
    """The source files that a target (no method) or a fit depends on: as inputs, so that a changed one is the reason
    that Snakemake gives, and a merely touched one changes nothing (it compares checksums).
    """
    files = source_files(f"gradevo.methods.{method}" if method else None)
    return [path.relative_to(Path.cwd()).as_posix() for path in files]


def morphology(neuron):
    """The file that a neuron is read from, if any: as an input, so that a changed one makes everything after it again."""
    path = morphology_file(config, neuron)
    return [] if path is None else [path.as_posix()]


def figure_files(name):
    return multiext(f"{FIGURES}/{name}", ".png", ".pdf")


def show_table():
    if Path(TABLE).exists():
        print(f"\n{Path(TABLE).read_text()}", flush=True)
