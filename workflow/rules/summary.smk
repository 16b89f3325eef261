rule summary:
    input:
        targets=expand(f"{RESULTS}/targets/{{problem}}.npz", problem=PROBLEMS),
        histories=expand("{fit}.parquet", fit=FITS),
        results=expand("{fit}.json", fit=FITS),
        sources=["src/gradevo/study.py", "src/gradevo/fit_rows.py"],
    output:
        summary=f"{RESULTS}/summary.parquet",
        csv=f"{RESULTS}/summary.csv",
        densities=f"{RESULTS}/densities.parquet",
        histories=f"{RESULTS}/histories.parquet",
        # what these were made from: `gradevo merge` joins only what belongs together
        record=f"{RESULTS}/record.json",
    log:
        f"{LOGS}/summary.log",
    conda:
        "../../environment.yml"
    params:
        success=config["success"],
    script:
        "../scripts/summarise.py"


rule statistics:
    input:
        summary=rules.summary.output.summary,
        histories=rules.summary.output.histories,
        sources=statistics_sources(),
    output:
        statistics=f"{RESULTS}/statistics.csv",
        latex=f"{RESULTS}/statistics.tex",
        hits=f"{RESULTS}/hits.parquet",
        costs=f"{RESULTS}/costs.csv",
        comparisons=f"{RESULTS}/comparisons.csv",
        crossovers=f"{RESULTS}/crossovers.csv",
        profiles=f"{RESULTS}/profiles.csv",
        fixed_budget=f"{RESULTS}/fixed_budget.csv",
    log:
        f"{LOGS}/statistics.log",
    conda:
        "../../environment.yml"
    params:
        settings=config.get("statistics"),
        series=series(config),
    script:
        "../scripts/compute_statistics.py"


rule spread:
    input:
        summary=rules.summary.output.summary,
        densities=rules.summary.output.densities,
        source="src/gradevo/spread.py",
    output:
        f"{RESULTS}/spread.csv",
    log:
        f"{LOGS}/spread.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/write_spread.py"


rule findings:
    input:
        statistics=rules.statistics.output.statistics,
        costs=rules.statistics.output.costs,
        comparisons=rules.statistics.output.comparisons,
        crossovers=rules.statistics.output.crossovers,
        fixed_budget=rules.statistics.output.fixed_budget,
        problems=f"{RESULTS}/problems.csv",
        sources=findings_sources(),
    output:
        f"{RESULTS}/FINDINGS.md",
    log:
        f"{LOGS}/findings.log",
    conda:
        "../../environment.yml"
    params:
        # not read by the script: what the sentences say of the config
        said={
            key: config.get(key) for key in ("neuron_per_seed", "stop_loss", "success")
        },
    script:
        "../scripts/write_findings.py"
