"""``gradevo export``: a study's neurons, and fits of them, for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from gradevo.problem import Problem

app = typer.Typer(help="Write a study's neuron, or a fit of it, for other programs.", no_args_is_help=True)

_CONFIG = typer.Argument(help="a study's YAML, such as config/quick.yaml")


@app.command("swc")
def swc(
    config: Annotated[Path, _CONFIG],
    neuron: Annotated[str, typer.Argument(help="one of its neurons")],
    out: Annotated[Path, typer.Argument(help="the .swc file to write")],
) -> None:
    """A neuron's geometry as SWC."""
    from gradevo.config import load_config
    from gradevo.study import make_neuron
    from gradevo.swc_export import write_swc

    if out.suffix != ".swc":
        raise ValueError(f"{out} must end in .swc")
    made, _ = make_neuron(load_config(config), neuron)
    write_swc(made, out)
    typer.echo(f"{made.n_compartments} compartments in {out}")


@app.command("neuron")
def neuron(
    config: Annotated[Path, _CONFIG],
    problem: Annotated[str, typer.Argument(help="one of its problems: its neuron and protocol are written")],
    out: Annotated[Path, typer.Argument(help="the .py file to write, in a folder for it and its mechanisms")],
    fit: Annotated[Path | None, typer.Option(help="a stored fit of the problem (.json); without it, the true neuron")] = None,
) -> None:
    """A neuron and its protocol as a NEURON script with mechanisms."""
    from gradevo.config import load_config
    from gradevo.export import write_neuron_script
    from gradevo.study import make_neuron, make_problem

    declared = load_config(config)
    posed = make_problem(declared, problem)
    if fit is None and posed.compartment_truth is None:
        raise ValueError(f"nobody knows the true densities of problem {problem!r}; export a fit of it with --fit")
    densities, passive = make_neuron(declared, posed.neuron.name)[1], {}
    if fit is not None:
        inputs = posed.parameters.inputs(read_best(fit, posed)[None])
        densities = inputs.densities[0]
        passive = {name: values[0] for name, values in inputs.passive().items()}
    files = write_neuron_script(posed.neuron, densities, out, posed.protocol, **passive)
    typer.echo(f"wrote {', '.join(file.name for file in files)}\nrun it:  cd {out.parent} && nrnivmodl && python {out.name}")


def read_best(path: Path, problem: Problem) -> np.ndarray:
    """The best parameters [P] in a result's JSON.

    Raises:
        FileNotFoundError, or ValueError: for a file that is no result, a fit of another problem, or one that found nothing.
    """
    import numpy as np

    if not path.is_file():
        raise FileNotFoundError(f"no fit {path}; `gradevo fit ... --out {path.with_suffix('.parquet')}` writes one")
    try:
        stored = json.loads(path.read_text())
        values, fitted = stored["best_parameters"], stored["totals"]["problem"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{path} is not a stored fit; give the .json beside a fit's .parquet") from None
    if fitted != problem.name or len(values) != problem.n_parameters:
        raise ValueError(
            f"{path} is a fit of problem {fitted!r} with {len(values)} parameters; {problem.name!r} has {problem.n_parameters}: "
            "give the fit's own problem"
        )
    if None in values:
        raise ValueError(f"{path} holds no parameters: its fit ended as {stored.get('status')!r}; export another")
    return np.array(values, dtype=float)
