"""``gradevo identify``: what a problem's recordings can tell of its densities; and what a fit made of that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from gradevo.problem import Problem


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


def check_judged(problem: Problem, noise_mV: float) -> None:
    """Before a fit, that its parameters can be judged. Raises ValueError for an unknown truth or noise that is not above 0."""
    from gradevo.identifiability.squares import check_noise

    check_noise(noise_mV)
    if problem.truth is None:
        raise ValueError(f"the truth of problem {problem.name!r} is unknown, or varies within its regions; leave --judge-mV out")


def judged(problem: Problem, fitted: np.ndarray, noise_mV: float) -> Iterator[str]:
    """Of a fit's parameters [P]: whose fault their errors are, and how many are right of those that recordings with this noise
    (mV per sample) can tell, or cannot. Raises ValueError as `judge_fit`."""
    import numpy as np

    from gradevo.identifiability.fits import judge_fit
    from gradevo.identifiability.information import fisher_information
    from gradevo.identifiability.verdicts import Verdicts
    from gradevo.wording import number

    assert problem.truth is not None
    information = fisher_information(problem, problem.truth, noise_mV)
    verdicts = Verdicts(information)
    yield f"at {number(noise_mV)} mV of noise, {judge_fit(problem, fitted, noise_mV, information).fault}"
    errors = np.abs(fitted / problem.truth - 1)
    for verdict, count in verdicts.counts.items():
        if count:
            own = errors[[each is verdict for each in verdicts.verdicts]]
            within = int((own <= verdicts.threshold).sum())
            yield (
                f"{count} {verdict}: {within} within {number(100 * verdicts.threshold)} %, median error "
                f"{number(100 * float(np.median(own)))} %"
            )
