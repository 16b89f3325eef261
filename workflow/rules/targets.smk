rule target:
    input:
        sources(),
        "src/gradevo/study.py",
        lambda wildcards: morphology(config["problems"][wildcards.problem]["neuron"]),
        lambda wildcards: recordings(wildcards.problem),
    output:
        f"{RESULTS}/targets/{{problem}}.npz",
    log:
        f"{LOGS}/targets/{{problem}}.log",
    conda:
        "../../environment.yml"
    params:
        # not read by the script: a change in them makes the target again
        drawn=SEEDS if config.get("neuron_per_seed") else None,
        problem=lambda wildcards: config["problems"][wildcards.problem],
        neuron=lambda wildcards: config["neurons"][
            config["problems"][wildcards.problem]["neuron"]
        ],
    script:
        "../scripts/write_target.py"
