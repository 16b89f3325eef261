"""``gradevo export``: a study's neurons, and fits of them, for other programs."""

from __future__ import annotations

import json
import keyword
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np

    from gradevo.neuron import Neuron
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
    seed: Annotated[
        int | None, typer.Option(help="whose neuron, where each seed has its own; else the fit's, or the first")
    ] = None,
) -> None:
    """A neuron and its protocol as a NEURON script with mechanisms."""
    from gradevo.config import load_config
    from gradevo.export import write_neuron_script
    from gradevo.study import make_neuron, make_problem, make_truth

    check_name(out)
    declared = load_config(config)
    stored = None if fit is None else read_fit(fit)
    if seed is None and stored is not None and declared.get("neuron_per_seed", False):
        seed = stored["totals"].get("seed")
    posed = make_problem(declared, problem, seed=seed)
    densities, passive = make_neuron(declared, posed.neuron.name, seed)[1], {}
    made, protocol = posed.neuron, posed.protocol
    if stored is not None:
        inputs = posed.parameters.inputs(best_of(stored, fit, posed)[None])
        densities = inputs.densities[0]
        passive = {name: values[0] for name, values in inputs.passive().items()}
    elif posed.compartment_truth is None:
        raise ValueError(f"nobody knows the true densities of problem {problem!r}; export a fit of it with --fit")
    else:
        truth = make_truth(declared, problem, posed.neuron)  # the data may be another neuron's than the one that is fitted
        made, densities, protocol = truth.neuron, truth.densities(densities), truth.protocol(protocol)
    check_mechanisms(made, out)
    files = write_neuron_script(made, densities, out, protocol, **passive)
    typer.echo(f"wrote {', '.join(file.name for file in files)}\nrun it:  cd {out.parent} && nrnivmodl && python {out.name}")


def check_name(path: Path) -> None:
    """Raises ValueError for a script that would hide a module which it, or another script in its folder, imports."""
    if keyword.iskeyword(path.stem) or path.stem in {"neuron", *sys.stdlib_module_names}:
        raise ValueError(f"{path} has the name of a module that Python imports itself; call it {path.stem}_model.py, say")


def check_mechanisms(neuron: Neuron, path: Path) -> None:
    """Raises ValueError where a mechanism of another script in the folder has the same name and another content."""
    from gradevo.nmodl import mechanism, suffix

    for channel in neuron.channels.channels:
        name = suffix(neuron.channels, channel)
        there = path.with_name(f"{name}.mod")
        if there.is_file() and there.read_text() != mechanism(channel, name, neuron.channels.gate_voltage_mV):
            raise ValueError(f"{there} is there already and differs, and a script beside it may need it; give another folder")


def read_fit(path: Path) -> dict[str, Any]:
    """A result's JSON. Raises FileNotFoundError, or ValueError for a file that is no result."""
    if not path.is_file():
        raise FileNotFoundError(f"no fit {path}; `gradevo fit ... --out {path.with_suffix('.parquet')}` writes one")
    try:
        stored = json.loads(path.read_text())
        _ = stored["best_parameters"], stored["totals"]["problem"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{path} is not a stored fit; give the .json beside a fit's .parquet") from None
    return stored


def best_of(stored: dict[str, Any], path: Path | None, problem: Problem) -> np.ndarray:
    """The best parameters [P] of a stored fit. Raises ValueError for a fit of another problem, or one that found nothing."""
    import numpy as np

    values, fitted = stored["best_parameters"], stored["totals"]["problem"]
    if fitted != problem.name or len(values) != problem.n_parameters:
        raise ValueError(
            f"{path} is a fit of problem {fitted!r} with {len(values)} parameters; {problem.name!r} has {problem.n_parameters}: "
            "give the fit's own problem"
        )
    if None in values:
        raise ValueError(f"{path} holds no parameters: its fit ended as {stored.get('status')!r}; export another")
    declared, now = stored["metadata"]["parameters"], list(problem.parameter_names)
    if declared != now:
        at = next(i for i, pair in enumerate(zip(declared, now, strict=True)) if pair[0] != pair[1])
        raise ValueError(
            f"{path} is a fit of other parameters: parameter {at} is {declared[at]!r} there, {now[at]!r} in problem "
            f"{problem.name!r} now; export it with the config that it was made with, or fit again"
        )
    return np.array(values, dtype=float)
