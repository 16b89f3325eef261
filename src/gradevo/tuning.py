"""Settings of every method, chosen with equal effort on neurons that no study uses (`snakemake --cores all tuning`).

Of each method the same number of settings is tried, on the same problems, with the same seeds and the same budget: its
defaults, and combinations drawn from its space of values. Within a problem and a seed a method's settings are ranked by
the loss they reach, then by what that cost; the setting of the best mean rank becomes the preset "tuned".
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import yaml

from gradevo.config import Config
from gradevo.methods import Method, get_method


def settings_to_try(method: Method, count: int, seed: int) -> list[dict[str, Any]]:
    """`count` different settings of a method, each a value for every name in its space; the defaults come first.

    Raises ValueError where the space holds fewer: then methods would not be tuned with equal effort.
    """
    default = {name: method.defaults[name] for name in method.space}
    combinations = [dict(zip(method.space, values, strict=True)) for values in itertools.product(*method.space.values())]
    others = [settings for settings in combinations if settings != default]
    if count - 1 > len(others):
        raise ValueError(
            f"{method.name} has {len(others) + 1} settings, fewer than the {count} to be tried of each method; lower "
            "tuning.settings, or give the method a larger space in gradevo/methods/__init__.py"
        )
    drawn = np.random.default_rng(seed).choice(len(others), count - 1, replace=False)
    return [default, *(others[i] for i in drawn)]


def try_settings(config: Config, problem: str, method: str) -> pd.DataFrame:
    """Fit `problem` with each of the method's settings and each seed: one row per fit.

    Columns: problem, method, setting (its number), settings (JSON), seed, status, best_loss, simulation_equivalents.
    Raises ValueError as `settings_to_try` and `gradevo.study.make_problems` do.
    """
    from gradevo.study import make_problems, run_fit  # loads the kernels, which planning a study does not need

    posed = make_problems(config, problem)
    rows = []
    for number, settings in enumerate(settings_to_try(get_method(method), **_effort(config))):
        trial = config | {"methods": {method: config["methods"][method] | settings}}
        for seed in config["seeds"]:
            result = run_fit(trial, posed[seed], method, seed)
            rows.append(
                {
                    "problem": problem,
                    "method": method,
                    "setting": number,
                    "settings": json.dumps(trial["methods"][method]),
                    "seed": seed,
                    "status": str(result.status),
                    "best_loss": result.best_loss,
                    "simulation_equivalents": result.totals["simulation_equivalents"],
                }
            )
    return pd.DataFrame(rows)


def rank_settings(trials: pd.DataFrame, stop_loss: float) -> pd.DataFrame:
    """One row per method and setting, the best first: mean rank, geometric mean of the losses, share that stopped.

    A loss at or below `stop_loss` counts as `stop_loss`: such fits are ranked by their cost alone. A fit without a
    finite loss ranks last. Columns: method, setting, settings, mean_rank, mean_loss, reached, tuned (of each method's
    best; of equals the first, so that defaults stay unless they are beaten).
    """
    trials = trials.assign(
        best_loss=trials["best_loss"].clip(lower=stop_loss).fillna(np.inf),
        reached=trials["best_loss"] <= stop_loss,
    )
    cells = trials.groupby(["method", "problem", "seed"])
    # one number to rank by: the place of the loss, and among equal losses the place of the cost
    loss_place = cells["best_loss"].rank(method="min")
    ties = trials.assign(place=loss_place).groupby(["method", "problem", "seed", "place"])
    trials["rank"] = loss_place + ties["simulation_equivalents"].rank(method="average") - 1
    table = trials.groupby(["method", "setting", "settings"], as_index=False).agg(
        mean_rank=("rank", "mean"),
        mean_loss=("best_loss", _geometric_mean),
        reached=("reached", "mean"),
    )
    table = table.sort_values(["method", "mean_rank", "setting"], ignore_index=True)
    table["tuned"] = ~table.duplicated("method")
    return table


def tuned_text(table: pd.DataFrame, config: Config) -> str:
    """The content of config/tuned.yaml: each method's tuned settings, from the table of `rank_settings`."""
    effort = _effort(config)
    best = table.loc[table["tuned"]]
    chosen = {name: json.loads(settings) for name, settings in zip(best["method"], best["settings"], strict=True)}
    return (
        "# The preset `tuned` of each method. Written by `snakemake --cores all tuning`; not for editing.\n"
        f"# Of each method {effort['count']} settings x {len(config['problems'])} problems x {len(config['seeds'])} seeds, "
        f"{config['budget_equivalents']:g} simulation-equivalents\n"
        "# each (config/tuning.yaml); all of them with their ranks are in results/tuning/settings.csv.\n"
        + yaml.safe_dump(chosen, sort_keys=True, default_flow_style=None)
    )


def check_untouched(study: Mapping[str, Any], tuning: Config) -> None:
    """Raise ValueError if a study that uses tuned settings has a neuron on which they were tuned, in whatever regions.

    Where a study draws a neuron per seed, none of those can have a tuning neuron's densities (`gradevo.study`), but what is
    declared is refused all the same.
    """
    if not any(settings.get("preset") == "tuned" for settings in study["methods"].values()):
        return
    for name, neuron in study["neurons"].items():
        for other, tuned_on in tuning["neurons"].items():
            if all(neuron.get(key) == tuned_on[key] for key in ("morphology", "channels", "densities")):
                raise ValueError(
                    f"neurons.{name} is the tuning neuron {other!r}: settings tuned on it do not count as equal terms; "
                    "change a seed or the morphology"
                )


def _effort(config: Config) -> dict[str, int]:
    """How many settings are tried, and the seed that draws them. Raises ValueError where the config does not say."""
    if "tuning" not in config:
        raise ValueError("a config for tuning needs the key tuning: { settings: 8, seed: 1 }")
    return {"count": config["tuning"]["settings"], "seed": config["tuning"]["seed"]}


def _geometric_mean(losses: pd.Series) -> float:
    return float(np.exp(np.log(losses).mean()))
