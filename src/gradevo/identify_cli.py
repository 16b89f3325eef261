"""``gradevo identify``: what a problem's recordings can tell of its densities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def identify(
    config: Annotated[Path, typer.Argument(help="a study's YAML, such as config/quick.yaml")],
    problem: Annotated[str, typer.Argument(help="one of its problems")],
    seed: Annotated[int | None, typer.Option(help="judge at random densities of this seed instead of the truth", min=0)] = None,
    noise_mV: Annotated[
        float | None, typer.Option("--noise-mV", help="standard deviation per sample; without it, the problem's")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="write a row per density here (.csv)")] = None,
) -> None:
    """Say which densities a problem's recordings can tell, and how well: Fisher information, no fit.

    Each density is identified (bound below 1 %), practically unidentifiable (a finite bound above) or structurally so.
    """
    import numpy as np
    from rich.console import Console

    from gradevo.config import load_config
    from gradevo.identifiability.information import fisher_information
    from gradevo.identifiability.table import summary, verdict_table, write_verdicts
    from gradevo.identifiability.verdicts import Verdicts
    from gradevo.study import make_problem

    declared = load_config(config)
    if csv is not None and csv.suffix != ".csv":
        raise ValueError(f"--csv {csv} must end in .csv")
    console = Console()
    with console.status("loading the kernels"):
        posed = make_problem(declared, problem)
    noise = posed.noise_mV if noise_mV is None else noise_mV
    if noise_mV is None and noise == 0:
        raise ValueError(f"problem {problem!r} has no noise, without which no bound exists; state one, such as --noise-mV 0.1")
    if seed is not None:
        densities = posed.sample_random(np.random.default_rng(seed), 1, as_density=True)[0]
    elif posed.truth is not None:
        densities = posed.truth
    elif posed.true_values is None:
        raise ValueError(f"nobody knows the true densities of problem {problem!r}; judge at random ones with --seed 0")
    else:
        raise ValueError(f"the truth of problem {problem!r} varies within its regions; judge at random densities with --seed 0")
    with console.status("tangents"):
        found = Verdicts(fisher_information(posed, densities, noise))
    console.print(verdict_table(found))
    for line in summary(found):
        console.print(line, soft_wrap=True)
    if csv is not None:
        write_verdicts(found, csv)
        console.print(f"verdicts {csv}")
