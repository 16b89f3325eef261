rule neuron:
    input:
        sources(),
        "src/gradevo/study.py",
        lambda wildcards: morphology(wildcards.neuron),
    output:
        f"{RESULTS}/neurons/{{neuron}}.npz",
    log:
        f"{LOGS}/neurons/{{neuron}}.log",
    conda:
        "../../environment.yml"
    params:
        drawn=SEEDS[0] if config.get("neuron_per_seed") else None,
        definition=lambda wildcards: config["neurons"][wildcards.neuron],
    script:
        "../scripts/write_neuron.py"
