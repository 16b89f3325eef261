# What the rules share: the checked configuration, names, folders, and which sources a result depends on.
import math
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from gradevo.config import (
    GRACE_S,
    LIMITS,
    check_config,
    input_files,
    methods_of,
    morphology_file,
    refuse_repeated_keys,
)
from gradevo.devices import resolved, said_of
from gradevo.figures.planned import (
    dialled,
    measured_problems,
    planned_figures,
    tables_of,
)
from gradevo.kept import forget, kept_folder
from gradevo.methods import get_method
from gradevo.provenance import source_files
from gradevo.statistics.series import series
from gradevo.workplace import FolderBusy, check_writable, claim, sweep

# at once, and without Snakemake's own log, which could not be written either
try:
    check_writable()
except OSError as error:
    sys.exit(f"gradevo: {error.strerror}")

# Snakemake has read these with the last one of a key given twice. Its jobs read them again, but need not look again.
if workflow.is_main_process:
    for file in workflow.configfiles:
        try:
            refuse_repeated_keys(Path(file).read_text(), file)
        except ValueError as error:
            sys.exit(f"gradevo: {error}")

config = check_config(config)

STUDY = config["study"]
RESULTS = f"results/{STUDY}"
FIGURES = f"figures/{STUDY}"
LOGS = f"logs/{STUDY}"
TABLE = f"{RESULTS}/table.txt"
PROBLEMS = list(config["problems"])
# whose recordings come from files: nobody knows their true densities
MEASURED = measured_problems(config)
METHODS = list(config["methods"])
SEEDS = config["seeds"]
# where fits are computed; a cluster's GPUs are on other machines than this one
DECLARED_DEVICE = config.get("device", "cpu")
DEVICE = "cuda" if DECLARED_DEVICE == "cuda" else resolved(DECLARED_DEVICE)
if DECLARED_DEVICE == "auto" and workflow.is_main_process:
    print(f"gradevo: device auto: {said_of(DEVICE)}", file=sys.stderr, flush=True)
# every problem is fitted by every method, or by those that it names
FITS = [
    f"{RESULTS}/fits/{problem}__{method}__s{seed}"
    for problem in PROBLEMS
    for method in methods_of(config, problem)
    for seed in SEEDS
]

# written together (rule figure_tables); the others are the statistics', the summary's and the price
FIGURE_TABLES = [
    "problems",
    "convergence",
    "profile_curves",
    "example",
    "example_compartments",
    "example_traces",
    *(["found", "traces"] if MEASURED else []),
]


wildcard_constraints:
    neuron="|".join(config["neurons"]),
    problem="|".join(PROBLEMS),
    method="|".join(METHODS),


def sources(method=None):
    """The source files that a target (no method) or a fit depends on: as inputs, so that a changed one is the reason
    that Snakemake gives, and a merely touched one changes nothing (it compares checksums).
    """
    device = DEVICE if method else "cpu"
    files = source_files(f"gradevo.methods.{method}" if method else None, device)
    return [path.relative_to(Path.cwd()).as_posix() for path in files]


def statistics_sources():
    """All files of the statistics: as inputs, so that a changed one makes the tables again."""
    return sorted(map(str, Path("src/gradevo/statistics").glob("*.py")))


def findings_sources():
    """All files that word the findings."""
    files = map(str, Path("src/gradevo/findings").glob("*.py"))
    return [*sorted(files), "src/gradevo/wording.py"]


def morphology(neuron):
    """The file that a neuron is read from, if any: as an input, so that a changed one makes everything after it again."""
    path = morphology_file(config, neuron)
    return [] if path is None else [path.as_posix()]


def recordings(problem):
    """The files that a problem's recordings or stimuli are read from, if any, and the sources that read them: likewise."""
    files = input_files(config["problems"][problem])
    readers = sorted(Path("src/gradevo/measured").glob("*.py")) if files else []
    return [path.as_posix() for path in (*files, *readers)]


def figure_table_sources():
    """All files that make the figures' tables, but for the price's, which is timed."""
    files = [
        *Path("src/gradevo/figure_tables").glob("*.py"),
        *Path("src/gradevo/statistics").glob("*.py"),
        Path("src/gradevo/fitted.py"),
    ]
    return sorted(str(path) for path in files if path.name != "price.py")


def figure_files(name):
    return multiext(f"{FIGURES}/{name}", ".png", ".pdf", ".svg")


def figure_inputs(name):
    """What a figure is drawn from: its tables, its look and its code."""
    return {
        "tables": [f"{RESULTS}/{table}.csv" for table in tables_of(name)],
        "style": "figures/matplotlibrc",
        "code": [f"src/gradevo/figures/{file}.py" for file in (name, "style", "study")],
    }


def reported(name, category, caption=None):
    """A figure's files; its PNG is shown in Snakemake's report, with its caption (its own name's, or another)."""
    png, *others = figure_files(name)
    caption = f"../report/{caption or name}.rst"
    return [report(png, caption=caption, category=category), *others]


def fit_threads():
    """What the config says; else as many as the run was given cores: fits are timed, so each has cores to itself. On a
    cluster, 1 unless its profile says otherwise: a job's cores are its own.
    """
    return config.get("cores_per_fit") or workflow.resource_settings.cores or 1


def fit_resources():
    """What a cluster is asked for: the minutes that a job's fits can take at most, where wall_limit_s limits them (else the
    profile says how many); a GPU where the study computes on one.
    """
    asked = {}
    if "wall_limit_s" in config:
        limit_s = len(SEEDS) * (config["wall_limit_s"] + GRACE_S)
        asked["runtime"] = 5 + math.ceil(limit_s / 60)
    if DEVICE == "cuda":
        asked["gpu"] = 1
    return asked


def begin():
    """Claim the folder for this run, or refuse it, and refuse a GPU that is not here and problems that cannot be posed; forced
    fits are not taken over from an earlier run.
    """
    # loaded here: neither a dry run nor the jobs, which read this file again, have any use for it
    from gradevo.posed import check_problems

    try:
        check_problems(config)
    except ValueError as error:
        raise WorkflowError(f"{error}")
    if workflow.local_exec:
        try:
            resolved(DECLARED_DEVICE)
        except ValueError as error:
            raise WorkflowError(f"{error}: `device: cpu`, or auto, in the config")
    # Snakemake 9.27 limits how many jobs begin per second, and for that looks for new ones once more per second with every job
    # that has ended: after some dozens, that is a third of a core, taken from the fits that are being timed.
    workflow.scheduler.job_rate_limiter = None
    try:
        claim()
    except FolderBusy as busy:
        raise WorkflowError(str(busy))
    sweep(RESULTS, FIGURES, kept_folder(STUDY))
    forced = workflow.dag_settings
    if forced.forceall or forced.forcerun or forced.forcetargets:
        forget(kept_folder(STUDY))


def show_table():
    # make shows it itself, also when nothing had to be run
    if Path(TABLE).exists() and "MAKELEVEL" not in os.environ:
        print(f"\n{Path(TABLE).read_text()}", flush=True)
