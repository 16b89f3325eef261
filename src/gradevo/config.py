"""Reading and checking a study's configuration, before anything is computed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from gradevo.channels import channel_set
from gradevo.grids import expanded
from gradevo.losses import LOSS_UNITS, loss_spec
from gradevo.methods import get_method
from gradevo.truth import perturbed, refined
from gradevo.units import AXIAL_RESISTIVITY, PASSIVE_UNITS

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Config = dict[str, Any]

LIMITS = ("gradient_weight", "tangent_weight", "budget_equivalents", "stop_loss", "wall_limit_s", "memory_limit_MB")
"""The study's keys that limit each of its fits."""

GRACE_S = 60.0
"""What a fit may take beyond wall_limit_s before its process is ended: for loading kernels, preparing a
competitor, its last batch, and scoring."""

SIMULATED = (
    "stimuli", "stimulated", "recorded", "recordings", "duration_ms", "sample_interval_ms", "truth_dt_ms", "truth",
    "start_factor", "noise_seed", "heldout",
)  # fmt: skip
"""What a problem says of recordings that are simulated; of measured ones, their files say it, or nobody knows."""

SCHEMA = Path("workflow/schemas/config.schema.yaml")

MERGE = "tag:yaml.org,2002:merge"
"""The tag of YAML's key `<<`."""

LIMITED = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
"""What a schema's limits of a number say."""


def methods_of(config: Config, problem: str) -> list[str]:
    """The methods that fit a problem: those that it names, or all of the study's."""
    return list(config["problems"][problem].get("methods", config["methods"]))


def load_config(path: str | Path, schema: str | Path | None = None, *, scale: str | None = None) -> Config:
    """Read a study's YAML and check it; scale: in the place of the study's own. Raises FileNotFoundError, or ValueError naming
    the place and the way out.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no config file {path}")
    text = path.read_text()
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from None
    refuse_repeated_keys(text, path)
    if scale is not None and isinstance(content, dict):
        content |= {"scale": scale}
    try:
        return check_config(content, schema)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def refuse_repeated_keys(text: str, path: str | Path) -> None:
    """Raises ValueError, with both lines, where a mapping of a YAML text has a key twice: readers keep the last one silently.

    A key that overrides one of a merge (`<<: *anchor`) is none, nor are several merges. What is no YAML is left to who reads it.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return
    waiting: list[tuple[str, yaml.Node | None]] = [("", root)]
    seen: set[int] = set()  # an alias is the very node of its anchor, and may lie within it
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(f"{place}[{i}]", item) for i, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            waiting.append((f"{place}.{key.value}" if place else key.value, value))
            line, own = key.start_mark.line + 1, (key.tag, key.value)
            if key.tag == MERGE:
                continue
            if own in lines:
                raise ValueError(
                    f"{path} has {key.value!r} twice in {place or 'the config'}, on lines {lines[own]} and {line}: only the last "
                    "one would count; rename or remove one of them"
                )
            lines[own] = line


def check_config(config: Mapping[str, Any], schema: str | Path | None = None) -> Config:
    """The config as a plain dict if it is right.

    Grids are written out first. Then it is checked against the schema (unknown keys are refused), and for what a schema cannot
    say: neurons that problems name, methods and their settings, bounds and currents that cross. Raises ValueError.
    """
    import jsonschema  # not for the workflow's jobs, whose config has been checked
    from jsonschema.exceptions import best_match

    rules = yaml.safe_load(find_schema(schema).read_text())
    checked = _numbers(config)
    if isinstance(checked, dict):
        checked = expanded(checked)
    error = best_match(jsonschema.Draft202012Validator(rules).iter_errors(checked))
    if error is not None:
        raise ValueError(_explain(error))
    for name, neuron in checked["neurons"].items():
        _check_seed(f"neurons.{name}.densities", neuron.get("densities", {}), checked)
        try:
            channel_set(neuron["channels"])
        except ValueError as error:
            raise ValueError(f"neurons.{name}.channels: {error}") from None
        path = morphology_file(checked, name)
        if path is not None and not path.is_file():
            raise ValueError(f"neurons.{name}.morphology.path is {path}; there is no such file in {Path.cwd()}")
    for name, problem in checked["problems"].items():
        for method in problem.get("methods", ()):
            if method not in checked["methods"]:
                known = list(checked["methods"])
                raise ValueError(f"problems.{name}.methods names {method!r}, not among the study's; {_closest(method, known)}")
        neurons = checked["neurons"]
        if problem["neuron"] not in neurons:
            raise ValueError(f"problems.{name}.neuron is {problem['neuron']!r}; {_closest(problem['neuron'], list(neurons))}")
        _check_free(f"problems.{name}", problem, neurons[problem["neuron"]])
        _check_target(f"problems.{name}", problem)
        _check_measured(f"problems.{name}", problem, checked)
        if "measured" in problem:
            continue
        _check_experiment(f"problems.{name}", problem)
        _check_truth(f"problems.{name}", problem, neurons[problem["neuron"]])
    for name, settings in checked["methods"].items():
        try:
            get_method(name).settings(settings)
        except ValueError as error:
            raise ValueError(f"methods.{name}: {error}") from None
    for name in (name for pair in checked.get("statistics", {}).get("pairs", []) for name in pair):
        if name not in checked["methods"]:
            known = list(checked["methods"])
            raise ValueError(f"statistics.pairs names {name!r}, not among the study's methods; {_closest(name, known)}")
    if "identifiability" in checked:
        _check_identifiability(checked["identifiability"], checked["problems"])
    return checked


def _check_seed(place: str, densities: Mapping[str, Any], config: Config) -> None:
    """Raises ValueError where starts and true densities would come from the same random numbers."""
    seed = densities.get("seed")
    if seed in config["seeds"] and not config.get("neuron_per_seed", False):
        raise ValueError(
            f"{place}.seed is {seed}, which is one of the study's seeds too: that seed's starts would be drawn from the same "
            "random numbers as the true densities, and lie close to them; give it another"
        )


def heldout_stimuli(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem's held-out stimuli in full: `heldout` where it names its kind, or else the fitted ones with another count and
    seed.
    """
    heldout = problem["heldout"]
    return dict(heldout) if "kind" in heldout else problem["stimuli"] | heldout


def _check_experiment(place: str, problem: Mapping[str, Any]) -> None:
    """Raises ValueError for a single sample, currents that cross, or held-out stimuli that are the fitted ones."""
    if problem["sample_interval_ms"] > problem["duration_ms"]:
        raise ValueError(
            f"{place}.sample_interval_ms is {problem['sample_interval_ms']:g}, longer than duration_ms "
            f"({problem['duration_ms']:g}): that leaves the first sample alone, to which any densities fit; sample more often"
        )
    _check_sites(place, problem)
    _check_files(f"{place}.stimuli", problem)
    stimuli = problem["stimuli"]
    declared = {"stimuli": stimuli}
    if "heldout" in problem:
        if "kind" not in problem["heldout"] and stimuli["kind"] in ("steps", "file"):
            raise ValueError(f"{place}.heldout: {stimuli['kind']!r} are not drawn at random; name a kind of stimuli to hold out")
        declared["heldout"] = heldout_stimuli(problem)
        if stimuli["kind"] == "file" and declared["heldout"] == stimuli:
            raise ValueError(f"{place}.heldout has the sweeps of the fitted stimuli; name others as sweeps, here and there")
        if declared["heldout"] | {"count": 0} == stimuli | {"count": 0}:
            raise ValueError(f"{place}.heldout has the seed of the fitted stimuli; choose another")
    for key, currents in declared.items():
        if currents.get("low_uA_cm2", 0) > currents.get("high_uA_cm2", float("inf")):
            raise ValueError(f"{place}.{key}: low_uA_cm2 is above high_uA_cm2; swap them")


def _check_sites(place: str, problem: Mapping[str, Any]) -> None:
    """Raises ValueError where it is not said once where currents enter."""
    from_file = problem["stimuli"]["kind"] == "file"
    if from_file and "stimulated" in problem:
        raise ValueError(f"{place}.stimulated: where a file's currents enter is in stimuli.sites; leave one of them out")
    if not from_file and "stimulated" not in problem:
        raise ValueError(f"{place}: 'stimulated' is a required property: the compartments into which currents enter")


def _check_files(place: str, problem: Mapping[str, Any]) -> None:
    for path in input_files(problem):
        if not path.is_file():
            raise ValueError(f"{place} names {path}; there is no such file in {Path.cwd()}")


def _check_target(place: str, problem: Mapping[str, Any]) -> None:
    """Raises ValueError for a loss without a target."""
    loss, _ = loss_spec(problem.get("loss", "mse"))
    if LOSS_UNITS[loss] != "mV2" and "loss_target" not in problem:
        raise ValueError(
            f"{place}.loss is {loss!r}, which is not in mV2 (its unit: {LOSS_UNITS[loss]}): the study's success.loss does not "
            "apply; give the problem a loss_target"
        )


def _check_measured(place: str, problem: Config, config: Config) -> None:
    """Raises ValueError where what is measured and what is simulated are mixed up, or the neuron's densities are with the wrong
    one of them."""
    neuron = problem["neuron"]
    if "measured" not in problem:
        if "densities" not in config["neurons"][neuron]:
            raise ValueError(f"{place} is simulated, but neurons.{neuron} has no densities; give them, or `measured` recordings")
        return
    for key in SIMULATED:
        if key in problem:
            raise ValueError(f"{place} has both measured and {key}, which belongs to simulated recordings; leave one of them out")
    if "densities" in config["neurons"][neuron]:
        raise ValueError(
            f"neurons.{neuron}.densities are true ones that data are simulated with, but those of {place} are measured; leave "
            "them out"
        )
    if config.get("neuron_per_seed", False):
        raise ValueError(f"neuron_per_seed draws a neuron for each seed, but {place} is measured on one; leave it out")
    if not problem.get("noise_mV") and "loss_target" not in problem:
        raise ValueError(
            f"{place} says neither noise_mV nor loss_target, so that nothing tells a good fit from a bad one; give the standard "
            "deviation of the voltage at rest as noise_mV"
        )
    _check_files(f"{place}.measured", problem)


def _check_identifiability(asked: Config, problems: Config) -> None:
    """Raises ValueError for problems that are not declared or are measured, and for numbers of sites that are drawn but not
    computed."""
    named = {"sites.problem": [asked["sites"]["problem"]], "calibration.draws": list(asked["calibration"]["draws"])}
    named |= {"likelihood.densities": list(asked["likelihood"]["densities"])}
    named |= {f"placement.{key}": [asked["placement"][key]] for key in ("recording", "stimulation")}
    for place, names in named.items():
        for name in names:
            if name not in problems:
                raise ValueError(
                    f"identifiability.{place} names {name!r}, not among the problems; {_closest(name, list(problems))}"
                )
            if "measured" in problems[name]:
                raise ValueError(
                    f"identifiability.{place} names {name!r}, whose true densities nobody knows; name a simulated one"
                )
    for count in asked["sites"]["drawn"]:
        if count not in asked["sites"]["counts"]:
            raise ValueError(f"identifiability.sites.drawn has {count}, which is not among its counts; add it there")


def _check_free(place: str, problem: Config, neuron: Config) -> None:
    """What is fitted, and its bounds: known names, and a resistivity only where there is one."""
    known = [*channel_set(neuron["channels"]).names, *PASSIVE_UNITS]
    bounds = problem.get("bounds", {})
    pairs = bounds if isinstance(bounds, Mapping) else {"": bounds}
    for key, names in (("free", problem.get("free", [])), ("bounds", pairs if pairs is bounds else [])):
        for name in names:
            if name not in known:
                raise ValueError(f"{place}.{key}: {name!r} is not in neuron {problem['neuron']!r}; {_closest(name, known)}")
    if AXIAL_RESISTIVITY in problem.get("free", []) and "coupling_S_cm2" in neuron["morphology"]:
        raise ValueError(
            f"{place}.free: neuron {problem['neuron']!r} is coupled directly and has no axial resistivity; leave it out, "
            "or declare a morphology with axial_resistivity_ohm_cm"
        )
    for name, (low, high) in pairs.items():
        if low >= high:
            raise ValueError(f"{'.'.join(filter(None, (place, 'bounds', name)))} cross: {low} >= {high}; give [low, high]")


def _check_truth(place: str, problem: Config, neuron: Config) -> None:
    """Raises ValueError for a true neuron that cannot be made: a channel without gates, a morphology that cannot be refined."""
    truth = problem.get("truth", {})
    try:
        perturbed(channel_set(neuron["channels"]), truth.get("shift_mV", {}), truth.get("rate_factor", {}))
        refined(neuron["morphology"], truth.get("refine", 1))
    except ValueError as error:
        raise ValueError(f"{place}.truth: {error}") from None
    shape = neuron["morphology"]
    if shape["kind"] == "balanced_tree" and truth.get("refine", 1) != 1 and shape.get("compartments_per_section", 1) == 1:
        raise ValueError(
            f"{place}.truth: of a balanced_tree whose root is one compartment, branches leave from its middle, of a refined one "
            "from its end: that would be another tree; give it compartments_per_section: 3"
        )


def morphology_file(config: Config, neuron: str) -> Path | None:
    """The file that a neuron's morphology is read from; None if it is made by rule."""
    shape = config["neurons"][neuron]["morphology"]
    return Path(shape["path"]) if shape["kind"] == "file" else None


def input_files(problem: Mapping[str, Any]) -> list[Path]:
    """The files that a problem's recordings, or the stimuli of simulated ones, are read from."""
    measured = problem.get("measured", {})
    named = [measured[key] for key in ("traces", "stimuli") if key in measured]
    named += [problem[key]["path"] for key in ("stimuli", "heldout") if "path" in problem.get(key, {})]
    return [Path(path) for path in dict.fromkeys(named)]


def find_schema(schema: str | Path | None = None) -> Path:
    """The schema's file: the given one, or else the source tree's or the current folder's. Raises FileNotFoundError."""
    places = [Path(schema)] if schema is not None else [Path(__file__).parents[2] / SCHEMA, Path.cwd() / SCHEMA]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"no config schema at {' or '.join(map(str, places))}; run inside gradevo's source tree")


def _numbers(value: Any) -> Any:
    """YAML 1.1 reads 1e-8 (no dot) as text; here it becomes the number that was meant."""
    if isinstance(value, Mapping):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and value[:1] in "+-.0123456789" and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _explain(error: ValidationError) -> str:
    """The place, what is there, and the way out."""
    rule, allowed, found = str(error.validator), cast("Any", error.validator_value), cast("Any", error.instance)
    place = ".".join(str(part) for part in error.absolute_path) or "the config"
    parent = cast("Any", error.parent)
    if rule == "additionalProperties" and isinstance(found, Mapping):
        known = list(_schema(error).get("properties", {}))
        unknown = [key for key in found if key not in known]
        if unknown:
            return f"unknown key {unknown[0]!r} in {place}; {_closest(str(unknown[0]), known)}"
    # of several forms, none of which fits, all are said, and not what is wrong with one of them
    if parent is not None and parent.validator == "oneOf" and parent.absolute_path == error.absolute_path:
        return _explain(parent)
    said = _schema(error).get("description")
    if rule == "oneOf" and said:
        return f"{place}: {found!r} is none of the forms allowed: {said}"
    way_out = ""
    if rule == "required":
        first = next(key for key in allowed if error.message.startswith(repr(key)))
        said = _schema(error).get("properties", {}).get(first, {}).get("description")
        way_out = f"; add it: {said}" if said else "; add it"
    elif rule in LIMITED:
        way_out = f"; give a number {LIMITED[rule]} {allowed}"
    elif rule == "pattern" and said:
        name = re.sub("[^A-Za-z0-9]+", "_", str(found)).strip("_")
        return f"{place}: {found!r} is no name; use {said}" + (f", such as {name!r}" if name else "")
    return f"{place}: {error.message}{way_out}"


def _schema(error: ValidationError) -> Mapping[str, Any]:
    """What the schema says of the place of an error."""
    return error.schema if isinstance(error.schema, Mapping) else {}


def _closest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known)}"
