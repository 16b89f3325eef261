# What recordings can tell of a neuron, whatever the optimiser:  snakemake --cores all identifiability
from gradevo.config import load_config
from gradevo.figure_tables.identifiability import TABLES as IDENTIFIABILITY_JOBS
from gradevo.figure_tables.identifiability import asked_of
from gradevo.figures.planned import IDENTIFIABILITY_TABLES
from gradevo.identifiability.sources import identifiability_files

if "identifiability" in config:
    raise WorkflowError(
        "config/identifiability.yaml is no study of methods; run  snakemake --cores all identifiability  without it"
    )

IDENTIFIABILITY = load_config("config/identifiability.yaml")

# all files that the tables follow from
IDENTIFIABILITY_SOURCES = [
    *(path.relative_to(Path.cwd()).as_posix() for path in identifiability_files()),
    "src/gradevo/study.py",
]


# A rule per job, of which each makes several tables; one per figure, each with its caption.
for job, tables in IDENTIFIABILITY_JOBS.items():

    rule:
        name:
            f"identifiability_{job}_tables"
        input:
            sources=IDENTIFIABILITY_SOURCES,
        output:
            **{name: f"results/identifiability/{name}.csv" for name in tables},
        log:
            f"logs/identifiability/{job}.log",
        conda:
            "../../environment.yml"
        # nothing is timed, so as many run side by side as there are cores
        threads: 1
        params:
            job=job,
            config=asked_of(IDENTIFIABILITY, job),
        script:
            "../scripts/identifiability_tables.py"


rule identifiability_record:
    input:
        [
            f"results/identifiability/{name}.csv"
            for tables in IDENTIFIABILITY_JOBS.values()
            for name in tables
        ],
    output:
        "results/identifiability/record.json",
    log:
        "logs/identifiability/record.log",
    conda:
        "../../environment.yml"
    params:
        config=IDENTIFIABILITY,
    script:
        "../scripts/identifiability_record.py"


for figure, tables in IDENTIFIABILITY_TABLES.items():

    rule:
        name:
            f"identifiability_{figure}"
        input:
            tables=[f"results/identifiability/{name}.csv" for name in tables],
            style="figures/matplotlibrc",
            code=[
                f"src/gradevo/figures/{file}.py"
                for file in (
                    f"identifiability/{figure}",
                    "identifiability/looks",
                    "neurons",
                    "style",
                    "study",
                )
            ],
        output:
            report(
                f"figures/identifiability/{figure}.png",
                caption=f"../report/identifiability/{figure}.rst",
                category="What the data can tell",
            ),
            f"figures/identifiability/{figure}.pdf",
            f"figures/identifiability/{figure}.svg",
        log:
            f"logs/identifiability/{figure}_figure.log",
        conda:
            "../../environment.yml"
        params:
            figure=figure,
        script:
            "../scripts/draw_figure.py"


rule identifiability:
    input:
        rules.identifiability_record.output,
        expand(
            "figures/identifiability/{figure}.{ending}",
            figure=IDENTIFIABILITY_TABLES,
            ending=["png", "pdf", "svg"],
        ),
