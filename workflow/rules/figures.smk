rule figure_neurons:
    input:
        neurons=expand(f"{RESULTS}/neurons/{{neuron}}.npz", neuron=config["neurons"]),
        targets=expand(f"{RESULTS}/targets/{{problem}}.npz", problem=PROBLEMS),
        style="figures/matplotlibrc",
        source="src/gradevo/figures/neurons.py",
        common="src/gradevo/figures/style.py",
    output:
        figure_files("neurons"),
    log:
        f"{LOGS}/figures/neurons.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw_neurons.py"


rule figure_convergence:
    input:
        histories=rules.summary.output.histories,
        summary=rules.summary.output.summary,
        style="figures/matplotlibrc",
        source="src/gradevo/figures/convergence.py",
        common="src/gradevo/figures/style.py",
    output:
        figure_files("convergence"),
    log:
        f"{LOGS}/figures/convergence.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw_convergence.py"


rule figure_cost:
    input:
        summary=rules.summary.output.summary,
        style="figures/matplotlibrc",
        source="src/gradevo/figures/cost.py",
        common="src/gradevo/figures/style.py",
    output:
        figure_files("cost"),
    log:
        f"{LOGS}/figures/cost.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw_cost.py"


rule figure_densities:
    input:
        densities=rules.summary.output.densities,
        style="figures/matplotlibrc",
        source="src/gradevo/figures/densities.py",
        common="src/gradevo/figures/style.py",
    output:
        figure_files("densities"),
    log:
        f"{LOGS}/figures/densities.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw_densities.py"


rule figure_traces:
    input:
        targets=f"{RESULTS}/targets/{{measured}}.npz",
        summary=rules.summary.output.summary,
        style="figures/matplotlibrc",
        sources=["src/gradevo/figures/traces.py", "src/gradevo/fitted.py"],
        common="src/gradevo/figures/style.py",
    output:
        figure_files("traces_{measured}"),
    log:
        f"{LOGS}/figures/traces_{{measured}}.log",
    wildcard_constraints:
        measured="|".join(MEASURED),
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw_traces.py"


rule figures:
    input:
        expand(rules.figure_traces.output, measured=MEASURED),
        rules.figure_neurons.output,
        rules.figure_convergence.output,
        rules.figure_cost.output,
        rules.figure_densities.output,


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
