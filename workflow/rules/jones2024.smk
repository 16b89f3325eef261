# The published tables, again:  snakemake --cores all jones2024
from gradevo.jones2024.cases import cases, own_sources, read_config

JONES2024 = read_config()
JONES2024_CASES = cases(JONES2024)
# the simulation's, the methods', and what poses the problems
JONES2024_SOURCES = sorted(
    {
        *(path.relative_to(Path.cwd()).as_posix() for path in own_sources()),
        *(
            path
            for name in JONES2024["methods"]
            for path in sources(name.removesuffix("_published"))
        ),
    }
)


rule jones2024_fits:
    input:
        sources=JONES2024_SOURCES,
        data=lambda wildcards: [
            str(file) for file in [JONES2024_CASES[wildcards.case].file] if file
        ],
    output:
        "results/jones2024/fits/{case}.parquet",
    log:
        "logs/jones2024/{case}.log",
    wildcard_constraints:
        case="|".join(JONES2024_CASES),
    conda:
        "../../environment.yml"
    threads: fit_threads()
    resources:
        # timed, as fits are
        alone=1,
    params:
        # not read by the script: a change in them makes these fits again, and no others
        case=lambda wildcards: repr(JONES2024_CASES[wildcards.case]),
        limits={
            key: value
            for key, value in JONES2024.items()
            if key not in ("data", "tables")
        },
        table=lambda wildcards: {
            key: value
            for key, value in JONES2024["tables"][
                JONES2024_CASES[wildcards.case].table
            ].items()
            if key not in ("conditions", "files")
        },
    script:
        "../scripts/fit_jones2024.py"


rule jones2024_tables:
    input:
        fits=expand(rules.jones2024_fits.output, case=JONES2024_CASES),
        sources=JONES2024_SOURCES,
    output:
        toy="results/jones2024/toy.csv",
        test184="results/jones2024/test184.csv",
        shape="results/jones2024/shape.csv",
        record="results/jones2024/record.json",
    log:
        "logs/jones2024/tables.log",
    conda:
        "../../environment.yml"
    params:
        threads=fit_threads(),
    script:
        "../scripts/tabulate_jones2024.py"


rule jones2024:
    input:
        toy=rules.jones2024_tables.output.toy,
        test184=rules.jones2024_tables.output.test184,
        style="figures/matplotlibrc",
        code=["src/gradevo/figures/jones2024.py", "src/gradevo/figures/style.py"],
    output:
        multiext("figures/jones2024/published_tables", ".png", ".pdf", ".svg"),
    log:
        "logs/jones2024/figure.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw_jones2024.py"
