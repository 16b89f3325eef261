# Settings of every method, tuned on neurons that no study uses:  snakemake --cores all tuning
from gradevo.config import load_config
from gradevo.tuning import check_untouched, settings_to_try

TUNING = load_config("config/tuning.yaml")
check_untouched(config, TUNING)


rule tuning_trials:
    input:
        sources=lambda wildcards: sources(wildcards.method),
        study="src/gradevo/study.py",
    output:
        "results/tuning/trials/{problem}__{method}.parquet",
    log:
        "logs/tuning/{problem}__{method}.log",
    wildcard_constraints:
        problem="|".join(TUNING["problems"]),
        method="|".join(TUNING["methods"]),
    conda:
        "../../environment.yml"
    # nothing is timed, so as many run side by side as there are cores
    threads: 1
    params:
        # not read by the script: a change in them makes these trials again, and no others
        problem=lambda wildcards: TUNING["problems"][wildcards.problem],
        neuron=lambda wildcards: TUNING["neurons"][
            TUNING["problems"][wildcards.problem]["neuron"]
        ],
        settings=lambda wildcards: settings_to_try(
            get_method(wildcards.method),
            TUNING["tuning"]["settings"],
            TUNING["tuning"]["seed"],
        ),
        defaults=lambda wildcards: get_method(wildcards.method).settings(
            TUNING["methods"][wildcards.method]
        ),
        limits={
            key: TUNING.get(key)
            for key in (
                "gradient_weight",
                "budget_equivalents",
                "stop_loss",
                "wall_limit_s",
                "seeds",
            )
        },
    script:
        "../scripts/try_settings.py"


# Studies read config/tuned.yaml as they read their own configuration: it is no input of theirs, so that no study tunes by
# the way, and a setting that tuning changed makes only the fits that use it again.
rule tuning:
    input:
        trials=expand(
            rules.tuning_trials.output,
            problem=TUNING["problems"],
            method=TUNING["methods"],
        ),
        source="src/gradevo/tuning.py",
    output:
        table="results/tuning/settings.csv",
        tuned=update("config/tuned.yaml"),
    log:
        "logs/tuning/tuning.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/choose_settings.py"
