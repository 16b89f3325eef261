rule figure_tables:
    input:
        summary=rules.summary.output.summary,
        histories=rules.summary.output.histories,
        densities=rules.summary.output.densities,
        profiles=rules.statistics.output.profiles,
        sources=figure_table_sources(),
    output:
        **{name: f"{RESULTS}/{name}.csv" for name in FIGURE_TABLES},
    log:
        f"{LOGS}/figure_tables.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_tables.py"


# Timed as fits are, alone on the cores.
rule price:
    input:
        targets=expand(f"{RESULTS}/targets/{{problem}}.npz", problem=dialled(config)),
        sources=sources(),
        source="src/gradevo/figure_tables/price.py",
    output:
        f"{RESULTS}/price.csv",
    log:
        f"{LOGS}/price.log",
    conda:
        "../../environment.yml"
    threads: fit_threads()
    resources:
        alone=1,
    params:
        problems=dialled(config),
    script:
        "../scripts/time_price.py"


rule figure_question:
    input:
        **figure_inputs("question"),
    output:
        reported("question", "1. The question"),
    log:
        f"{LOGS}/figures/question.log",
    conda:
        "../../environment.yml"
    params:
        figure="question",
    script:
        "../scripts/draw_figure.py"


rule figure_convergence:
    input:
        **figure_inputs("convergence"),
    output:
        reported("convergence", "2. Methods compared"),
    log:
        f"{LOGS}/figures/convergence.log",
    conda:
        "../../environment.yml"
    params:
        figure="convergence",
    script:
        "../scripts/draw_figure.py"


rule figure_cost:
    input:
        **figure_inputs("cost"),
    output:
        reported("cost", "2. Methods compared"),
    log:
        f"{LOGS}/figures/cost.log",
    conda:
        "../../environment.yml"
    params:
        figure="cost",
    script:
        "../scripts/draw_figure.py"


rule figure_profiles:
    input:
        **figure_inputs("profiles"),
    output:
        reported("profiles", "2. Methods compared"),
    log:
        f"{LOGS}/figures/profiles.log",
    conda:
        "../../environment.yml"
    params:
        figure="profiles",
    script:
        "../scripts/draw_figure.py"


rule figure_recovery:
    input:
        **figure_inputs("recovery"),
    output:
        reported("recovery", "3. What is recovered"),
    log:
        f"{LOGS}/figures/recovery.log",
    conda:
        "../../environment.yml"
    params:
        figure="recovery",
    script:
        "../scripts/draw_figure.py"


rule figure_rivals:
    input:
        **figure_inputs("rivals"),
    output:
        reported("rivals", "4. What people use today"),
    log:
        f"{LOGS}/figures/rivals.log",
    conda:
        "../../environment.yml"
    params:
        figure="rivals",
    script:
        "../scripts/draw_figure.py"


rule figure_price:
    input:
        **figure_inputs("price"),
    output:
        reported("price", "5. The gradient's price"),
    log:
        f"{LOGS}/figures/price.log",
    conda:
        "../../environment.yml"
    params:
        figure="price",
    script:
        "../scripts/draw_figure.py"


# where nobody knows the true densities: how far the fits' agree
rule figure_densities:
    input:
        **figure_inputs("densities"),
    output:
        reported("densities", "6. Recordings and fits"),
    log:
        f"{LOGS}/figures/densities.log",
    conda:
        "../../environment.yml"
    params:
        figure="densities",
    script:
        "../scripts/draw_figure.py"


rule figure_traces:
    input:
        **figure_inputs("traces"),
    output:
        reported("traces_{measured}", "6. Recordings and fits", "traces"),
    log:
        f"{LOGS}/figures/traces_{{measured}}.log",
    wildcard_constraints:
        measured="|".join(MEASURED),
    conda:
        "../../environment.yml"
    params:
        figure=lambda wildcards: f"traces_{wildcards.measured}",
    script:
        "../scripts/draw_figure.py"


rule figures:
    input:
        [path for name in planned_figures(config) for path in figure_files(name)],


# of seconds, at the end: not worth a cluster's job
localrules:
    table,
    check,


rule table:
    input:
        summary=rules.summary.output.summary,
        statistics=rules.statistics.output.statistics,
        findings=rules.findings.output,
        figures=rules.figures.input,
        source="src/gradevo/report.py",
    output:
        TABLE,
    log:
        f"{LOGS}/table.log",
    conda:
        "../../environment.yml"
    params:
        success=config["success"],
    script:
        "../scripts/write_table.py"


# The last job, after everything else is there: fails, naming them, if fits ended in an error.
rule check:
    input:
        summary=rules.summary.output.summary,
        table=rules.table.output,
        # of a fit whose process was killed, this job removes the files: asking for them has it made by the next run
        histories=rules.summary.input.histories,
        results=rules.summary.input.results,
    output:
        touch(f"{RESULTS}/all_fits_ran"),
    log:
        f"{LOGS}/check.log",
    retries: 0
    conda:
        "../../environment.yml"
    script:
        "../scripts/check_fits.py"
