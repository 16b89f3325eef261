rule summary:
    input:
        targets=expand(f"{RESULTS}/targets/{{problem}}.npz", problem=PROBLEMS),
        histories=expand("{fit}.parquet", fit=FITS),
        results=expand("{fit}.json", fit=FITS),
        source="src/gradevo/study.py",
    output:
        summary=f"{RESULTS}/summary.parquet",
        csv=f"{RESULTS}/summary.csv",
        densities=f"{RESULTS}/densities.parquet",
        histories=f"{RESULTS}/histories.parquet",
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
        source="src/gradevo/statistics.py",
    output:
        f"{RESULTS}/statistics.csv",
    log:
        f"{LOGS}/statistics.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/compute_statistics.py"
