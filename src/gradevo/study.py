"""A study's configuration turned into neurons, problems and fits. Everything follows from its seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradevo import morphology
from gradevo.channels import channel_set
from gradevo.config import Config, heldout_stimuli
from gradevo.densities import DENSITIES
from gradevo.fit import Ended, fit
from gradevo.measured import file_stimulus, in_order, measured_arrays
from gradevo.meter import TANGENT_WEIGHT, Meter
from gradevo.morphology import Morphology
from gradevo.neuron import Neuron
from gradevo.observations import checked_observed, declared_observed
from gradevo.parameters import Parameters, make_parameters
from gradevo.problem import Problem
from gradevo.protocol import Protocol, resolve_sites
from gradevo.regions import contiguous_regions, region_means
from gradevo.result import Result, write_aside
from gradevo.simulate import simulate_numpy
from gradevo.stimulus import Stimulus, make_stimulus
from gradevo.truth import Truth, cover, perturbed, refined
from gradevo.units import PASSIVE_UNITS, UA_PER_CM2_UM2_TO_NA

DEFAULT_BOUNDS = (0.3, 3.0)

ALL = "all"


SEEDED = ("target_mV", "heldout_mV", "true_densities_S_cm2")
"""Arrays of which each seed has its own where each has a neuron of its own; they are stored as <array>_seed<seed> then."""


def make_neuron(config: Config, name: str, seed: int | None = None) -> tuple[Neuron, np.ndarray]:
    """The neuron called `name` and its true densities [channels, compartments] S/cm2. Raises ValueError.

    seed: of the fits, where the study has a neuron per seed; the first of its seeds where not given. Of a neuron whose true
    densities nobody knows, they are the channel set's.
    """
    declared = _declared(config, "neurons", name)
    grown = _grown(declared["morphology"])
    channels = channel_set(declared["channels"])
    if "initial_mV" in declared:  # gates are at their steady state there
        channels = replace(channels, initial_voltage_mV=declared["initial_mV"], gate_voltage_mV=None)
    neuron = Neuron(name, grown, channels)
    if "densities" not in declared:
        return neuron, neuron.default_densities()
    rule = dict(declared["densities"])
    rule["seed"] = _drawn(config, rule["seed"], seed)
    densities = DENSITIES[rule.pop("kind")](neuron, **rule)
    if declared.get("regions", ALL) != ALL:
        labels = contiguous_regions(grown, declared["regions"])
        densities = region_means(densities, labels, grown.areas_um2)[:, labels]
    return neuron, densities


def make_truth(config: Config, problem: str, neuron: Neuron) -> Truth:
    """What makes the data of a problem whose fitted neuron is given: that neuron itself where no `truth` is declared."""
    declared = config["problems"][problem].get("truth", {})
    shape, refine = config["neurons"][neuron.name]["morphology"], declared.get("refine", 1)
    grown = neuron.morphology if refine == 1 else _grown(refined(shape, refine))
    channels = perturbed(neuron.channels, declared.get("shift_mV", {}), declared.get("rate_factor", {}))
    made = replace(neuron, morphology=grown, channels=channels)
    return Truth(made, cover(shape["kind"], refine, grown.n_compartments))


def neuron_arrays(config: Config, name: str) -> dict[str, np.ndarray]:
    """A neuron for a table or a drawing.

    densities_S_cm2 [channels, compartments] (NaN where nobody knows them), default_densities_S_cm2 the same,
    channels, free (names), parents,
    areas_um2, diameters_um, path_distance_um [n], start_um, end_um [n, 3].
    """
    neuron, densities = make_neuron(config, name)
    if "densities" not in config["neurons"][name]:
        densities = np.full_like(densities, np.nan)
    shape = neuron.morphology
    return {
        "name": np.array(name),
        "channels": np.array(neuron.channel_names),
        "free": np.array(_free(neuron)),
        "densities_S_cm2": densities,
        "default_densities_S_cm2": neuron.default_densities(),
        "parents": shape.parents,
        "areas_um2": shape.areas_um2,
        "diameters_um": shape.diameters_um,
        "path_distance_um": shape.path_distance_um,
        "start_um": shape.start_um,
        "end_um": shape.end_um,
    }


def make_targets(config: Config, name: str) -> dict[str, np.ndarray]:
    """The recordings that problem `name` is fitted to: those of ``_targets``, and with a neuron per seed those of every seed as
    well, the first seed's under the plain names. Raises ValueError."""
    arrays = _targets(config, name)
    if config.get("neuron_per_seed", False):
        for seed in config["seeds"]:
            own = _targets(config, name, seed)
            arrays |= {f"{key}_seed{seed}": own[key] for key in SEEDED if key in own}
    return arrays


def _targets(config: Config, name: str, seed: int | None = None) -> dict[str, np.ndarray]:
    """What was recorded of one neuron.

    target_mV [stimuli, samples, recorded], with noise where the problem has any, and NaN where nothing was recorded;
    heldout_mV likewise, without noise or gaps (where declared); true_densities_S_cm2 [channels, n]; times_ms [samples];
    recorded, stimulated (compartments); current_edges_ms [pieces + 1], current_nA [stimuli, stimulated, pieces], and the same
    with heldout_ in front. Of a measured neuron, what its files hold, and no densities. Raises ValueError.
    """
    declared = _declared(config, "problems", name)
    neuron, densities = make_neuron(config, declared["neuron"], seed)
    if "measured" in declared:
        return measured_arrays(declared["measured"], neuron)
    protocol, heldout = protocols(declared, neuron)
    dt_ms = declared.get("truth_dt_ms", declared["dt_ms"])
    truth = make_truth(config, name, neuron)

    def recorded_mV(shown: Protocol) -> np.ndarray:
        return simulate_numpy(truth.neuron, truth.densities(densities), truth.protocol(replace(shown, dt_ms=dt_ms)))

    target = recorded_mV(protocol)
    noise_mV = declared.get("noise_mV", 0.0)
    if noise_mV > 0:
        rng = np.random.default_rng(_drawn(config, declared.get("noise_seed", 0), seed))
        target = target + rng.normal(0.0, noise_mV, size=target.shape)
    observed = _observed(declared, protocol, neuron)
    if observed is not None:
        target = np.where(observed, target, np.nan)
    arrays = {
        "target_mV": target,
        "true_densities_S_cm2": densities,
        "times_ms": protocol.sample_times_ms,
        "recorded": np.array(protocol.recorded),
        "stimulated": np.array(protocol.stimulated),
        "current_edges_ms": protocol.stimulus.edges_ms,
        "current_nA": protocol.stimulus.values_nA,
    }
    if heldout is not None:
        arrays |= {
            "heldout_mV": recorded_mV(heldout),
            "heldout_current_edges_ms": heldout.stimulus.edges_ms,
            "heldout_current_nA": heldout.stimulus.values_nA,
        }
    return arrays


def make_problems(config: Config, name: str, targets: str | Path | Mapping[str, np.ndarray] | None = None) -> dict[int, Problem]:
    """The problem that each of the study's seeds is given: one and the same, or one per neuron. As `make_problem`."""
    if isinstance(targets, (str, Path)):
        targets = read_arrays(targets)
    if config.get("neuron_per_seed", False):
        return {seed: make_problem(config, name, targets, seed) for seed in config["seeds"]}
    return dict.fromkeys(config["seeds"], make_problem(config, name, targets))


def make_problem(
    config: Config, name: str, targets: str | Path | Mapping[str, np.ndarray] | None = None, seed: int | None = None
) -> Problem:
    """Problem `name`, with targets from a file of `write_arrays`, from `make_targets`, or simulated now; seed as in
    `make_neuron`."""
    declared = _declared(config, "problems", name)
    if targets is None:
        targets = _targets(config, name, seed)
    else:
        targets = read_arrays(targets) if isinstance(targets, (str, Path)) else targets
        if config.get("neuron_per_seed", False):
            own = config["seeds"][0] if seed is None else seed
            targets = {key: targets.get(f"{key}_seed{own}", value) for key, value in targets.items()}
    neuron, densities = make_neuron(config, declared["neuron"], seed)
    free, regions = _free_regions(declared, config["neurons"][declared["neuron"]], neuron)
    parameters = make_parameters(neuron, free, regions)
    low, high = _bounds(declared, parameters)
    if "measured" in declared:
        recordings = _measured(declared, targets)
    else:
        recordings = _simulated(name, declared, targets, neuron, densities, parameters)
    return Problem(
        name=name,
        neuron=neuron,
        low=low,
        high=high,
        free=free,
        regions=regions,
        fixed=densities,  # what is not fitted is known
        noise_mV=declared.get("noise_mV", 0.0),
        loss_declared=declared.get("loss", "mse"),
        start=parameters.defaults if declared.get("start") == "defaults" else None,
        start_factor=declared.get("start_factor"),
        **recordings,
    )


def _simulated(
    name: str,
    declared: Mapping[str, Any],
    targets: Mapping[str, np.ndarray],
    neuron: Neuron,
    densities: np.ndarray,
    parameters: Parameters,
) -> dict[str, Any]:
    """What a Problem is given of targets that were simulated: protocols, voltages, and the truth."""
    protocol, heldout = protocols(declared, neuron)
    # processors round differently in the last digits, and a cluster's nodes need not be alike
    if not np.allclose(densities, targets["true_densities_S_cm2"], rtol=1e-9, atol=0.0):
        raise ValueError(f"the targets of problem {name!r} belong to other densities than its neuron's; make them anew")
    shown = {"": (protocol, declared["stimuli"])}
    if heldout is not None:
        shown["heldout_"] = (heldout, heldout_stimuli(declared))
    for prefix, (own, currents) in shown.items():
        stored = [targets[f"{prefix}{key}"] for key in ("current_edges_ms", "current_nA")]
        if currents["kind"] == "file" and not all(map(np.array_equal, stored, (own.stimulus.edges_ms, own.stimulus.values_nA))):
            raise ValueError(f"the targets of problem {name!r} belong to other currents than its file's; make them anew")
    true = parameters.select(densities)
    truth = parameters.express(true)
    return {
        "protocol": protocol,
        "target": targets["target_mV"],
        "truth": truth,
        "true_values": true if truth is None else None,
        "heldout": None if heldout is None else (heldout, targets["heldout_mV"]),
        "observed": _observed(declared, protocol, neuron),
    }


def _measured(declared: Mapping[str, Any], targets: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The same of targets that were measured: no truth, and what was not recorded is NaN."""
    stimulated, recorded = (tuple(targets[name].tolist()) for name in ("stimulated", "recorded"))

    def recording(prefix: str, voltages_mV: np.ndarray) -> tuple[Protocol, np.ndarray, np.ndarray]:
        seen = np.asarray(np.isfinite(voltages_mV).any(axis=(0, 1)))  # held-out sweeps may record fewer sites
        protocol = Protocol(
            stimulus=Stimulus(targets[f"{prefix}current_edges_ms"], targets[f"{prefix}current_nA"]),
            stimulated=stimulated,
            recorded=tuple(site for site, own in zip(recorded, seen, strict=True) if own),
            sample_interval_ms=float(targets["times_ms"][1]),
            n_samples=voltages_mV.shape[1],
            dt_ms=declared["dt_ms"],
        )
        return protocol, voltages_mV[:, :, seen], np.isfinite(voltages_mV[:, :, seen])

    protocol, target, observed = recording("", targets["target_mV"])
    found: dict[str, Any] = {"protocol": protocol, "target": target, "observed": observed}
    if "heldout_mV" in targets:
        protocol, target, observed = recording("heldout_", targets["heldout_mV"])
        found |= {"heldout": (protocol, target), "heldout_observed": observed}
    return found


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A .npz that appears whole or not at all."""
    write_aside(path, lambda temporary: np.savez_compressed(temporary, **dict(arrays)))  # pyright: ignore[reportArgumentType]


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def run_fit(
    config: Config,
    problem: Problem,
    method: str,
    seed: int,
    on_event: Callable[[Meter], Any] | None = None,
    ended: Ended | None = None,
) -> Result:
    """One fit of the study: the config's settings of `method`, its limits and its device. Raises ValueError as `fit` does."""
    declared = config["problems"].get(problem.name, {})
    device = config.get("device", problem.device)
    if device != problem.device:
        problem = replace(problem, device=device)
    return fit(
        problem,
        method,
        seed=seed,
        budget_equivalents=declared.get("budget_equivalents", config["budget_equivalents"]),
        gradient_weight=config["gradient_weight"],
        tangent_weight=config.get("tangent_weight", TANGENT_WEIGHT),
        settings=config["methods"].get(method, {}),
        stop_loss=config.get("stop_loss"),
        wall_limit_s=config.get("wall_limit_s"),
        study=config["study"],
        on_event=on_event,
        ended=ended,
    )


def _drawn(config: Config, declared: int, seed: int | None) -> Any:
    """What a neuron's or its noise's generator is seeded with. With a neuron per seed, no two seeds share numbers, and none has
    those of a neuron that is declared with any plain seed (a tuning neuron, say)."""
    if not config.get("neuron_per_seed", False):
        return declared
    return np.random.SeedSequence(declared, spawn_key=(config["seeds"][0] if seed is None else seed,))


def _grown(declared: Mapping[str, Any]) -> Morphology:
    """A declared morphology."""
    shape = dict(declared)
    kind = shape.pop("kind")
    if kind == "adjacency":
        return morphology.from_adjacency(np.array(shape.pop("adjacency")), **shape)
    return {
        "chain": morphology.chain,
        "balanced_tree": morphology.balanced_tree,
        "random_tree": morphology.random_tree,
        "attached_tree": morphology.attached_tree,
        "file": morphology.read_morphology,
    }[kind](**shape)


def _declared(config: Config, kind: str, name: str) -> dict[str, Any]:
    if name not in config[kind]:
        raise ValueError(f"no {name!r} among the config's {kind}: {', '.join(config[kind])}")
    return config[kind][name]


def _free(neuron: Neuron) -> tuple[str, ...]:
    """Names of the channels whose densities are fitted."""
    return tuple(neuron.channel_names[i] for i in neuron.channels.free_indices)


def _free_regions(
    problem: Mapping[str, Any], declared_neuron: Mapping[str, Any], neuron: Neuron
) -> tuple[tuple[str, ...], dict[str, int]]:
    """What is free, and in how many regions where that is not the rule of ``make_parameters``.

    Densities are fitted in the problem's regions, else in those of the neuron's truth, else per compartment.
    """
    declared = problem.get("free", _free(neuron))
    k = problem.get("regions", declared_neuron.get("regions", ALL))
    regions = {} if k == ALL else {name: k for name in declared if name not in PASSIVE_UNITS}
    if isinstance(declared, Mapping):
        regions |= {name: neuron.n_compartments if own == ALL else own for name, own in declared.items()}
    if "free" in problem:  # in an order of their own, so that the order of the declaration changes nothing
        declared = [name for name in (*neuron.channel_names, *PASSIVE_UNITS) if name in declared]
    return tuple(declared), regions


def _bounds(problem: Mapping[str, Any], parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """The box [P], [P]: factors of the defaults, one pair for all quantities or one by name."""
    declared = problem.get("bounds", {})
    pairs = [declared.get(q.name, DEFAULT_BOUNDS) if isinstance(declared, Mapping) else declared for q in parameters.quantities]
    counts = [q.n_regions for q in parameters.quantities]
    low, high = (np.repeat([pair[side] for pair in pairs], counts) * parameters.defaults for side in (0, 1))
    return low, high


def _observed(declared: Mapping[str, Any], protocol: Protocol, neuron: Neuron) -> np.ndarray | None:
    """What is recorded of the fitted voltages; None for everything."""
    if "recordings" not in declared:
        return None
    observed = declared_observed(declared["recordings"], protocol, neuron.n_compartments)
    return checked_observed("recordings", observed, protocol)


def protocols(declared: Mapping[str, Any], neuron: Neuron) -> tuple[Protocol, Protocol | None]:
    """The protocol that is fitted, and the held-out one."""
    n, duration_ms = neuron.n_compartments, declared["duration_ms"]

    def stimulus(currents: Mapping[str, Any], given: tuple[int, ...] | None) -> tuple[Stimulus, tuple[int, ...]]:
        """And the sites that it enters: those given, or a file's own."""
        if currents["kind"] == "file":
            read, sites = file_stimulus(currents, neuron, duration_ms)
            return (read, sites) if given is None else (in_order(read, sites, given), given)
        sites = resolve_sites(declared["stimulated"], n, "stimulated site") if given is None else given
        areas_um2 = neuron.morphology.areas_um2[list(sites)]
        return make_stimulus(currents, areas_um2, duration_ms, UA_PER_CM2_UM2_TO_NA), sites

    fitted, stimulated = stimulus(declared["stimuli"], None)
    interval_ms = declared["sample_interval_ms"]
    protocol = Protocol(
        stimulus=fitted,
        stimulated=stimulated,
        recorded=resolve_sites(declared["recorded"], n, "recorded site"),
        sample_interval_ms=interval_ms,
        n_samples=int(np.floor(duration_ms / interval_ms + 1e-9)) + 1,
        dt_ms=declared["dt_ms"],
    )
    protocol.validate(neuron)
    if "heldout" not in declared:
        return protocol, None
    other, _ = stimulus(heldout_stimuli(declared), stimulated)
    return protocol, replace(protocol, stimulus=other)
