"""Conditions of Jones and Kording (2024) from the data files that the study left (arXiv 2407.04025).

A file holds ``current`` [stimuli, compartments, samples] uA/cm2, ``voltage`` of the same shape in mV, and, where known,
``g_Na_true``, ``g_K_true`` [compartments] mS/cm2, ``g_Na_history``, ``g_K_history`` [steps, compartments] and ``loss_history``
[steps]; ``adjacency`` [compartments, compartments] where the neuron is not a chain. Times are those of the published code:
samples at linspace(0, 5, 50)[1:-1] ms, of which the first is the initial state; the current at time t is sample
floor(t / 0.1 ms), the last one holding on.
"""

from __future__ import annotations

import json as json_format
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradevo.channels import CHANNEL_SETS
from gradevo.morphology import chain, from_adjacency
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol, resolve_sites
from gradevo.stimulus import Stimulus
from gradevo.units import MS_PER_CM2_TO_S_PER_CM2, UA_PER_CM2_UM2_TO_NA

SAMPLE_INTERVAL_MS = 5.0 / 49
CURRENT_INTERVAL_MS = 0.1
TOY_COUPLING_S_CM2 = 0.5e-3
GRAPH_COUPLING_S_CM2 = 0.01e-3

TRACE_STEPS_PER_SAMPLE = 102
"""1 us: the stored traces are met within 0.01 mV."""

ADAM_STEPS_PER_SAMPLE = 204
"""0.5 us: g_Na's final error follows the step (mS/cm2: 0.302 at 3 us, 0.310 at 1.5, 0.313 at 1, 0.316 now; stored 0.318)."""

LBFGS_STEPS_PER_SAMPLE = 25
"""4 us: with steps of 10 us a sparsely stimulated file keeps a false minimum."""

LARGE_STEPS_PER_SAMPLE = 10
"""10 us for files with an adjacency (184 compartments): what their fits leave is far above its integration error."""

PUBLISHED_STEPS = 200
LBFGS_EVALUATIONS = 1000
LBFGS_SETTINGS = {"starts": 1, "restarts": 0, "tolerance": 1e-10}
GRADIENT_WEIGHT = 2.5
"""Simulations that one gradient costs; only the budget's unit here, every run counts its evaluations."""

REQUIRED = ("current", "voltage")

if TYPE_CHECKING:
    from gradevo.meter import Meter


@dataclass(frozen=True, eq=False)
class Condition:
    """A file's content, checked. Arrays are as described above; None where the file lacks them."""

    path: Path
    current: np.ndarray
    voltage: np.ndarray
    truth: np.ndarray | None
    """[2, compartments] Na, K in mS/cm2"""
    history: np.ndarray | None
    """[2, steps, compartments] mS/cm2"""
    adjacency: np.ndarray | None

    @property
    def n_compartments(self) -> int:
        return self.voltage.shape[1]

    @property
    def stimulated(self) -> tuple[int, ...]:
        """Compartments that any current of the file enters."""
        return tuple(int(i) for i in np.flatnonzero(np.any(self.current != 0, axis=(0, 2))))


def read_condition(path: str | Path) -> Condition:
    """Reads and checks a file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: for a file that is no npz, lacks a key, or holds a wrong shape or a number that is not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give a .npz of the published study")
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {key: np.asarray(file[key], dtype=float) for key in file.files}
    except (zipfile.BadZipFile, ValueError, OSError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as a .npz of numbers ({error})") from None
    missing = [key for key in REQUIRED if key not in data]
    if missing:
        raise ValueError(f"{path} lacks {' and '.join(missing)}; it has {', '.join(sorted(data)) or 'nothing'}")
    voltage, current = data["voltage"], data["current"]
    if voltage.ndim != 3 or voltage.shape[2] < 2 or 0 in voltage.shape:
        raise ValueError(f"{path}: voltage has shape {voltage.shape}; it must be [stimuli, compartments, 2 or more samples]")
    n_stimuli, n = voltage.shape[:2]
    if current.ndim != 3 or current.shape[:2] != (n_stimuli, n) or current.shape[2] < 1:
        raise ValueError(f"{path}: current has shape {current.shape}; voltage {voltage.shape} needs [{n_stimuli}, {n}, samples]")
    for key, value in data.items():
        if not np.isfinite(value).all():
            where = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
            raise ValueError(f"{path}: {key}{where} is {value[tuple(where)]}; it must be finite")
    return Condition(
        path=path,
        current=current,
        voltage=voltage,
        truth=_pair(path, data, "g_Na_true", "g_K_true", (n,)),
        history=_pair(path, data, "g_Na_history", "g_K_history", (None, n)),
        adjacency=data.get("adjacency"),
    )


def _pair(path: Path, data: dict[str, np.ndarray], na: str, k: str, shape: tuple[int | None, ...]) -> np.ndarray | None:
    """The two keys stacked, or None if either is absent; None in ``shape`` stands for any length."""
    if na not in data or k not in data:
        return None
    for key in (na, k):
        found = data[key].shape
        if len(found) != len(shape) or any(w not in (None, f) for w, f in zip(shape, found, strict=True)):
            wanted = ", ".join("steps" if w is None else str(w) for w in shape)
            raise ValueError(f"{path}: {key} has shape {found}; it must be [{wanted}]")
    if data[na].shape != data[k].shape:
        raise ValueError(f"{path}: {na} {data[na].shape} and {k} {data[k].shape} differ in shape")
    return np.stack([data[na], data[k]])


def make_neuron(condition: Condition, as_chain: bool = False) -> Neuron:
    """The published neuron: a chain, or the file's graph; ``as_chain`` takes a chain with the graph's coupling."""
    channels = CHANNEL_SETS["jones2024"]
    if condition.adjacency is None:
        return Neuron("jones2024-toy", chain(condition.n_compartments, coupling_S_cm2=TOY_COUPLING_S_CM2), channels)
    if as_chain:
        return Neuron("jones2024-chain", chain(condition.n_compartments, coupling_S_cm2=GRAPH_COUPLING_S_CM2), channels)
    if len(condition.adjacency) != condition.n_compartments:
        raise ValueError(
            f"{condition.path}: adjacency has shape {condition.adjacency.shape} but there are "
            f"{condition.n_compartments} compartments"
        )
    return Neuron("jones2024-graph", from_adjacency(condition.adjacency, GRAPH_COUPLING_S_CM2), channels)


def make_protocol(condition: Condition, neuron: Neuron, recorded: tuple[int, ...], steps_per_sample: int) -> Protocol:
    """The published experiment; integration steps of SAMPLE_INTERVAL_MS / steps_per_sample."""
    sites = condition.stimulated
    area = neuron.morphology.areas_um2[list(sites)][:, None]
    edges = CURRENT_INTERVAL_MS * np.arange(condition.current.shape[2] + 1)
    n_samples = condition.voltage.shape[2]
    end = SAMPLE_INTERVAL_MS * (n_samples + 1)
    edges[-1] = max(edges[-1], end)
    stimulus = Stimulus(edges, condition.current[:, list(sites)] * area * UA_PER_CM2_UM2_TO_NA)
    return Protocol(
        stimulus=stimulus,
        stimulated=sites,
        recorded=recorded,
        sample_interval_ms=SAMPLE_INTERVAL_MS,
        n_samples=n_samples,
        dt_ms=SAMPLE_INTERVAL_MS / steps_per_sample,
        start_ms=SAMPLE_INTERVAL_MS,
    )


def trace_differences(condition: Condition, neuron: Neuron, steps_per_sample: int = TRACE_STEPS_PER_SAMPLE) -> np.ndarray:
    """Simulated truth minus stored voltages [stimuli, samples, compartments] mV.

    Raises:
        ValueError: if the file has no true densities.
    """
    from gradevo.simulate import simulate_numpy

    if condition.truth is None:
        raise ValueError(f"{condition.path} has no g_Na_true and g_K_true to simulate")
    densities = neuron.default_densities()
    densities[list(neuron.channels.free_indices)] = condition.truth * MS_PER_CM2_TO_S_PER_CM2
    everywhere = tuple(range(neuron.n_compartments))
    protocol = make_protocol(condition, neuron, everywhere, steps_per_sample)
    return simulate_numpy(neuron, densities, protocol) - condition.voltage.transpose(0, 2, 1)


def reproduce_jones2024(
    file: str | Path, *, record: str = "all", method: str = "adam", json_path: str | Path | None = None
) -> dict[str, Any]:
    """Runs a published condition and compares it with what the file stores; prints a summary and returns the JSON's content.

    record: recorded compartments, "all" or such as "0,1,-1". method: "adam" (the published settings, 200 steps on the raw
    densities from 100 and 45 mS/cm2) or "lbfgs" (on log densities from the same start).

    Raises:
        ValueError, FileNotFoundError: for a bad file, site or method.
    """
    from gradevo.fit import fit
    from gradevo.problem import Problem
    from gradevo.simulate import warm_up

    if method not in ("adam", "lbfgs"):
        raise ValueError(f"method {method!r} is unknown here; use adam or lbfgs")
    condition = read_condition(file)
    recorded = resolve_sites(record, condition.n_compartments, "recorded site")
    neuron = make_neuron(condition)
    compile_s = warm_up(neuron)
    difference = None if condition.truth is None else trace_differences(condition, neuron)

    start = neuron.default_densities()[list(neuron.channels.free_indices)].ravel()
    truth = None if condition.truth is None else condition.truth.ravel() * MS_PER_CM2_TO_S_PER_CM2
    adam = method == "adam"
    # one evaluation more than steps: the densities after the last step are evaluated too
    evaluations = PUBLISHED_STEPS + 1 if adam else LBFGS_EVALUATIONS
    settings = {"preset": "published", "steps": evaluations} if adam else LBFGS_SETTINGS
    steps_per_sample = ADAM_STEPS_PER_SAMPLE if adam else LBFGS_STEPS_PER_SAMPLE
    if condition.adjacency is not None:
        steps_per_sample = LARGE_STEPS_PER_SAMPLE
    problem = Problem(
        name=condition.path.stem,
        neuron=neuron,
        protocol=make_protocol(condition, neuron, recorded, steps_per_sample),
        target=condition.voltage.transpose(0, 2, 1)[:, :, list(recorded)],
        # wide enough for any density of the study; the published optimiser itself knows no bounds
        low=0.1 * start,
        high=10.0 * start,
        free=neuron.channels.free,
        truth=truth,
        start=start,
        loss_declared="published_mse",
    )
    path: list[np.ndarray] = []
    with _progress(f"{method} on {condition.path.name}", evaluations) as advance:

        def follow(meter: Meter) -> None:
            assert meter.latest_densities is not None
            path.append(meter.latest_densities[0] / MS_PER_CM2_TO_S_PER_CM2)
            advance(f"{meter.best_loss:.3g}")

        result = fit(
            problem,
            method,
            seed=0,
            budget_equivalents=GRADIENT_WEIGHT * problem.n_simulations * evaluations,
            gradient_weight=GRADIENT_WEIGHT,
            settings=settings,
            on_event=follow,
        )
    if not np.isfinite(result.best_densities).all():
        raise ValueError(f"{method} on {condition.path} ended as {result.status}: {result.message}")
    final = path[-1] if adam else result.best_densities / MS_PER_CM2_TO_S_PER_CM2
    losses = result.history["loss"]
    report = _compare(condition, difference, np.array(path[1:]) if adam else None, final)
    report |= {
        "method": method,
        "status": str(result.status),
        "message": result.message,
        "final_loss": _number(losses.iloc[-1] if adam else result.best_loss),
        "wall_s": float(result.totals["wall_s"]),
        "compile_s": float(compile_s),
        "gradients": int(result.totals["gradients"]),
        "stimulated": list(condition.stimulated),
        "recorded": list(recorded),
        "dt_ms": problem.protocol.step_ms,
    }
    _print(condition, report)
    if json_path is not None:
        from gradevo.result import write_aside

        text = json_format.dumps(report, indent=1, allow_nan=False) + "\n"
        write_aside(Path(json_path), lambda temporary: temporary.write_text(text))
        print(f"wrote {json_path}")
    return report


def _compare(
    condition: Condition, difference: np.ndarray | None, path: np.ndarray | None, final: np.ndarray
) -> dict[str, float | None]:
    """The numbers that compare a run with its file; None where the file lacks what they need. mV and mS/cm2.

    path: [steps, 2 compartments] densities after each step of Adam, or None. final: [2 compartments].
    """
    n = condition.n_compartments
    report: dict[str, float | None] = {
        "trace_rms_mV": None if difference is None else _number(np.sqrt((difference**2).mean())),
        "trace_max_mV": None if difference is None else _number(np.abs(difference).max()),
    }
    for c, channel in enumerate(("g_Na", "g_K")):
        mine = slice(c * n, (c + 1) * n)
        stored = None if condition.history is None else condition.history[c]
        truth = None if condition.truth is None else condition.truth[c]
        deviation = None
        if path is not None and stored is not None:
            steps = min(len(path), len(stored))
            deviation = _number(np.abs(path[:steps, mine] - stored[:steps]).max())
        report[f"history_max_abs_{channel}"] = deviation
        report[f"final_mean_abs_error_{channel}"] = None if truth is None else _number(np.abs(final[mine] - truth).mean())
        published = None if truth is None or stored is None else _number(np.abs(stored[-1] - truth).mean())
        report[f"published_mean_abs_error_{channel}"] = published
    worst = None if condition.truth is None else _number(np.abs(final / condition.truth.ravel() - 1).max())
    report["max_rel_density_error"] = worst
    return report


def _number(value: float) -> float | None:
    """A float, or None for what JSON cannot say (NaN, infinity: a diverged simulation)."""
    return float(value) if np.isfinite(value) else None


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """A live bar on a terminal, silence elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]} mV2"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total, loss="-")
        yield lambda loss: bar.update(task, advance=1, loss=loss)


def _print(condition: Condition, report: dict[str, Any]) -> None:
    def shown(key: str, form: str = ".3f") -> str:
        return "-" if report[key] is None else format(report[key], form)

    print(f"{condition.path.name}: stimulated {report['stimulated']}, recorded {report['recorded']}")
    print(f"  truth against stored traces    rms {shown('trace_rms_mV', '.4f')} mV, largest {shown('trace_max_mV', '.4f')} mV")
    print(f"  {report['method']:<5} {report['status']}: {report['message']}; final loss {shown('final_loss', '.3g')} mV2")
    print("  mean error (mS/cm2)            g_Na    g_K")
    for label, key in (("this run", "final"), ("published", "published")):
        na, k = (shown(f"{key}_mean_abs_error_{c}") for c in ("g_Na", "g_K"))
        print(f"    {label:<26} {na:>7} {k:>7}")
    if report["history_max_abs_g_Na"] is not None:
        na, k = shown("history_max_abs_g_Na"), shown("history_max_abs_g_K")
        print(f"    {'from stored history, at most':<26} {na:>5} {k:>7}")
    print(f"  largest density error          {shown('max_rel_density_error', '.2%')}")
    print(f"  {report['gradients']} gradients in {report['wall_s']:.2f} s (compiling {report['compile_s']:.2f} s apart)")
