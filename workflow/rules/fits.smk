rule fit:
    input:
        targets=f"{RESULTS}/targets/{{problem}}.npz",
        sources=lambda wildcards: sources(wildcards.method),
        # measured targets are the same whatever the neuron
        morphology=lambda wildcards: morphology(
            config["problems"][wildcards.problem]["neuron"]
        ),
    output:
        # one job runs all seeds: starting Python and compiling kernels costs seconds
        histories=expand(
            f"{RESULTS}/fits/{{{{problem}}}}__{{{{method}}}}__s{{seed}}.parquet",
            seed=SEEDS,
        ),
        results=expand(
            f"{RESULTS}/fits/{{{{problem}}}}__{{{{method}}}}__s{{seed}}.json",
            seed=SEEDS,
        ),
    log:
        f"{LOGS}/fits/{{problem}}__{{method}}.log",
    conda:
        "../../environment.yml"
    threads: fit_threads()
    resources:
        **fit_resources(),
        # of several fits in one of a cluster's jobs (profiles/slurm), one at a time
        alone=1,
        # for the script: in the last with more memory, what is still too large becomes a row
        attempt=lambda wildcards, attempt: attempt,
    params:
        # not read by the script: a change in them makes these fits again, and no others
        problem=lambda wildcards: config["problems"][wildcards.problem],
        neuron=lambda wildcards: config["neurons"][
            config["problems"][wildcards.problem]["neuron"]
        ],
        settings=lambda wildcards: get_method(wildcards.method).settings(
            config["methods"][wildcards.method]
        ),
        limits={key: config.get(key) for key in LIMITS}
        | ({"device": DEVICE} if DEVICE != "cpu" else {}),
    script:
        "../scripts/run_fits.py"
