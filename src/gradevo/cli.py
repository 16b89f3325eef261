"""The command line. Whatever needs torch is imported inside the commands, so that --help answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradevo.export_cli import app as export_app
from gradevo.identify_cli import check_judged, identify, judged

if TYPE_CHECKING:
    from gradevo.problem import Problem
    from gradevo.result import Result

app = typer.Typer(
    name="gradevo",
    help="When does gradient descent beat evolutionary search for fitting biophysical neuron models?\n\n"
    "The whole study is `make study`, or `snakemake --cores all`. These commands run single parts of it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
reproduce_app = typer.Typer(help="Run a published study from its own data files.", no_args_is_help=True)
app.add_typer(reproduce_app, name="reproduce")
app.add_typer(export_app, name="export")
app.command()(identify)


def main() -> None:
    """Entry point: a mistake in the input ends with one line, not with a traceback."""
    try:
        app()
    except (ValueError, OSError) as error:
        # what strerror says is all that is needed, where the error was raised with a message of its own
        said = error.strerror if isinstance(error, OSError) and error.strerror and error.filename is None else error
        typer.secho(f"gradevo: {said}", err=True, fg=typer.colors.RED)
        raise SystemExit(2) from None


@app.command()
def methods() -> None:
    """List the fitting methods, their settings and defaults."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gradevo.methods import METHODS

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("method", no_wrap=True)
    table.add_column("what it is; whether it takes gradients, the view it searches, its settings with their defaults")
    for method in METHODS.values():
        facts = ["gradient" if method.gradient else "no gradient"]
        facts += [] if "view" in method.defaults else [f"view {method.view}"]
        facts += [f"{key}={value}" for key, value in method.defaults.items()]
        if method.presets:
            facts.append(f"presets: {', '.join(method.presets)}")
        table.add_row(method.name, f"{escape(method.summary)}\n[dim]{escape('; '.join(facts))}[/dim]")
    Console().print(table)


@app.command()
def fit(
    config: Annotated[Path, typer.Argument(help="a study's YAML, such as config/quick.yaml")],
    problem: Annotated[str, typer.Argument(help="one of its problems")],
    method: Annotated[str, typer.Argument(help="one of `gradevo methods`")],
    seed: Annotated[int, typer.Option(help="of everything random in the method", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="write the history here (.parquet), the rest beside it (.json)")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or auto (docs/gpu.md); without it, the config's")] = None,
    judge_mV: Annotated[
        float | None, typer.Option("--judge-mV", help="say whose fault errors are, the data's or the method's, at this noise")
    ] = None,
) -> None:
    """Run one method on one problem of a study, with the study's settings and limits, in a process of its own.

    Exits with 1 if the fit ended in an error or diverged.
    """
    from rich.console import Console

    from gradevo.config import load_config
    from gradevo.devices import resolved, said_of
    from gradevo.methods import get_method

    declared = load_config(config)
    get_method(method)
    asked = device or declared.get("device", "cpu")
    declared["device"] = resolved(asked)
    if asked != declared["device"]:
        typer.echo(f"device {asked}: {said_of(declared['device'])}")
    if out is not None:
        if out.suffix != ".parquet":
            raise ValueError(f"--out {out} must end in .parquet")
        from gradevo.files import write_aside

        # now, not after hours of fitting
        write_aside(out.with_name(f"{out.stem}.probe"), lambda path: path.write_text("probe\n"))
        out.with_name(f"{out.stem}.probe").unlink()
    console = Console()
    with console.status("loading torch and the kernels"):
        from gradevo.apart import fit_apart
        from gradevo.result import Status, write_result
        from gradevo.study import make_problem

        posed = make_problem(declared, problem, seed=seed)
    if judge_mV is not None:
        check_judged(posed, judge_mV)
    budget = declared["problems"][problem].get("budget_equivalents", declared["budget_equivalents"])
    with _Progress(console, f"{method} on {problem}", budget) as progress:
        result = fit_apart(declared, posed, method, seed, on_progress=progress.show)
    _summarise(console, declared, posed, result)
    if judge_mV is not None and result.status not in (Status.error, Status.diverged):
        for line in judged(posed, result.best_densities, judge_mV):
            console.print(line, soft_wrap=True, highlight=False)
    if out is not None:
        write_result(result, out)
        console.print(f"history {out}, the rest {out.with_suffix('.json')}")
    if result.status in (Status.error, Status.diverged):
        raise typer.Exit(1)


@app.command()
def plan(config: Annotated[Path, typer.Argument(help="a study's YAML, such as config/paper.yaml")]) -> None:
    """Say how many fits a study has and what they cost on this machine, from short fits that are timed now.

    What its problems of full scale, which are left for a cluster, would cost beside that is said apart.
    """
    from gradevo.config import load_config
    from gradevo.grids import FULL
    from gradevo.kernels.threads import available_threads
    from gradevo.planning import left_for_cluster, measured_rate, plan_lines
    from gradevo.planning import plan as planned

    declared, whole = load_config(config), load_config(config, scale=FULL)
    cores, rate = available_threads(), measured_rate(whole)
    for line in plan_lines(declared, planned(declared, rate), cores):
        typer.echo(line)
    left = left_for_cluster(declared, whole)
    if left:
        typer.echo("\nLeft for a cluster (scale: full); on such cores, beside the above:")
        for line in plan_lines(left, planned(left, rate), cores):
            typer.echo(line)


@app.command()
def example(folder: Annotated[Path, typer.Argument(help="where cell.swc and recordings.csv are written")]) -> None:
    """Write a small neuron and recordings of it, to try a study of your own with (docs/your-own-study.md)."""
    from gradevo.measured.example import write_example

    typer.echo(f"wrote {' and '.join(map(str, write_example(folder)))}")


@app.command()
def figures(
    config: Annotated[Path, typer.Argument(help="a study's YAML, such as config/paper.yaml")],
    results: Annotated[Path | None, typer.Option(help="folder of its tables; results/<study> if not given")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for the figures; figures/<study> if not given")] = None,
) -> None:
    """Draw a study's figures from its stored tables. No fit is run.

    Where the sources or the config are not those that made the tables, it says so, on the figures too.
    """
    from gradevo.config import load_config
    from gradevo.figures.study import draw_all

    declared = load_config(config)
    study = declared["study"]
    files, stale = draw_all(results or Path("results", study), out or Path("figures", study), declared)
    for path in files:
        typer.echo(path)
    for line in stale:
        typer.secho(f"STALE: {line}", err=True, fg=typer.colors.RED, bold=True)
    if stale:
        renews = (
            "snakemake --cores all --forceall identifiability" if "identifiability" in declared else f"make study CONFIG={config}"
        )
        typer.secho(f"STALE: the figures show the tables as they are; {renews} renews them", err=True, fg="red")


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="two or more folders such as results/quick, of parts of one study")],
    out: Annotated[Path, typer.Option(help="folder for the joint tables")],
) -> None:
    """Join the results of a study that was run in parts: other seeds, neurons, problems or methods on each machine.

    Parts of different configurations or sources are refused, and fits that two parts have differently.
    """
    from gradevo.merge import merge as run

    for line in run(folders, out):
        typer.echo(line)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="the headline size alone, about a minute")] = False,
    full: Annotated[bool, typer.Option("--full", help="every size, however long it takes")] = False,
    out: Annotated[Path, typer.Option(help="folder for bench.json and the figure, or for gpu.json")] = Path("results/bench"),
    device: Annotated[str, typer.Option(help="cpu, or cuda: a GPU beside its own limits, in at most 8 minutes")] = "cpu",
) -> None:
    """Time gradevo against Jaxley and NEURON on one model, in at most 15 minutes on two cores.

    Nothing is timed before the three gave the same voltages. `make bench` installs Jaxley first. With --device cuda a GPU is
    timed instead (docs/gpu.md).
    """
    if device != "cpu":
        _bench_on_a_gpu(device, quick or full, out)
        return
    import matplotlib
    from rich.console import Console

    from gradevo.bench.over_sizes import said
    from gradevo.bench.run import run_bench
    from gradevo.bench.table import bench_table
    from gradevo.figures.bench import bench_figure
    from gradevo.figures.style import save

    if quick and full:
        raise ValueError("--quick and --full exclude each other; give one of them")
    console = Console()
    with console.status("starting") as status:
        found = run_bench("quick" if quick else "full" if full else "normal", out, say=status.update)
    console.print(bench_table(found))
    for line in said(found["over_sizes"]):
        console.print(line, soft_wrap=True)
    style = Path("figures/matplotlibrc")
    if style.is_file():
        matplotlib.rc_file(style)
    save(bench_figure(found), [out / "bench.png"])
    console.print(f"timings {out / 'bench.json'}, figure {out / 'bench.png'}")


def _bench_on_a_gpu(device: str, chosen: bool, out: Path) -> None:
    if device != "cuda" or chosen:
        raise ValueError(f"--device is {device!r}; it is cpu or cuda, and with cuda neither --quick nor --full is given")
    from gradevo.devices import resolved

    resolved(device)
    from gradevo.bench_gpu.run import run_bench
    from gradevo.bench_gpu.table import bench_lines

    found = run_bench(out, say=typer.echo)
    for line in bench_lines(found):
        typer.echo(line)
    typer.echo(f"timings {out / 'gpu.json'}")


@reproduce_app.command("jones2024")
def reproduce_jones2024(
    file: Annotated[Path, typer.Argument(help="a .npz of the published study")],
    record: Annotated[str, typer.Option(help="recorded compartments: all, or such as 0,1,-1")] = "all",
    method: Annotated[str, typer.Option(help="adam (the published settings) or lbfgs")] = "adam",
    json: Annotated[Path | None, typer.Option(help="write the comparison here")] = None,
) -> None:
    """Fit a condition of Jones and Kording (2024) from its data file and compare with the stored run."""
    from gradevo.reproduce import reproduce_jones2024 as run

    run(file, record=record, method=method, json_path=json)


class _Progress:
    """A live line: budget spent, best loss, time."""

    def __init__(self, console, title: str, budget: float) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
            TextColumn("best {task.fields[best]}"), TimeElapsedColumn(), console=console,
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=budget, best="-")

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def show(self, counts: dict[str, Any]) -> None:
        self._bar.update(self._task, completed=counts["simulation_equivalents"], best=f"{counts['best_loss']:.3g}", refresh=True)


def _summarise(console, config: dict, problem: Problem, result: Result) -> None:
    from rich.table import Table

    from gradevo.fit_rows import loss_target, summary_row
    from gradevo.losses import LOSS_UNITS

    row = summary_row(config, problem, result)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("status", f"{row['status']}: {row['message']}")
    unit = LOSS_UNITS[problem.loss_function.name]
    verdict = "reached" if row["success_loss"] else "not reached"
    table.add_row("best loss", f"{row['best_loss']:.3g} {unit} (target {loss_target(config, problem):.3g}: {verdict})")
    if problem.heldout is not None:
        table.add_row("held-out loss", f"{row['heldout_loss']:.3g} {unit}")
    if row["success_density"] is not None:  # None: nobody knows the truth
        table.add_row(
            "density error",
            f"largest {row['density_error_max_rel']:.2%}, median {row['density_error_median_rel']:.2%} of the truth",
        )
    table.add_row(
        "spent",
        f"{row['simulations']} simulations + {row['gradients']} gradients = "
        f"{row['simulation_equivalents']:.0f} equivalents, {row['wall_s']:.2f} s "
        f"(compiling {row['compile_s']:.2f} s apart)",
    )
    if row["success_loss"]:
        table.add_row(
            "cost to target",
            f"{row['simulation_equivalents_to_target']:.0f} equivalents, {row['wall_s_to_target']:.2f} s",
        )
    console.print(table)


if __name__ == "__main__":
    main()
