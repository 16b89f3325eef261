"""An experiment: which currents enter where, which voltages are recorded when, and how the equations are integrated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from gradevo.neuron import Neuron
from gradevo.stimulus import Stimulus


@dataclass(frozen=True, eq=False)
class Protocol:
    """Stimuli, sites, sampling and numerics.

    stimulus: one current per stimulus and stimulated site, in the order of ``stimulated``.
    stimulated, recorded: compartments. Sample k is taken at start_ms + k sample_interval_ms; sample 0 is the initial state.
    dt_ms must divide the sampling interval. implicitness: 1 is backward Euler, 1/2 Crank-Nicolson.
    first_gate_step: length of the first gate step in units of dt; None for 1/2 with Crank-Nicolson (needed for second
    order) and 0 with backward Euler: NEURON solves voltages from the initial gates first.

    Raises:
        ValueError: for a dt that is zero, negative or does not divide the interval, sites that repeat, no samples, or an
            implicitness outside [1/2, 1].
    """

    stimulus: Stimulus
    stimulated: tuple[int, ...]
    recorded: tuple[int, ...]
    sample_interval_ms: float
    n_samples: int
    dt_ms: float
    start_ms: float = 0.0
    implicitness: float = 0.5
    first_gate_step: float | None = None

    def __post_init__(self) -> None:
        for name in ("sample_interval_ms", "dt_ms"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; it must be positive and finite")
        ratio = self.sample_interval_ms / self.dt_ms
        if self.n_samples > 1 and (round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6 * ratio):
            raise ValueError(
                f"dt_ms {self.dt_ms} does not divide sample_interval_ms {self.sample_interval_ms}; "
                f"take {self.sample_interval_ms / max(1, np.ceil(ratio)):.6g}"
            )
        if self.n_samples < 1:
            raise ValueError(f"n_samples is {self.n_samples}; it must be 1 or more")
        if not 0.5 <= self.implicitness <= 1.0:
            raise ValueError(f"implicitness is {self.implicitness}; it must be between 0.5 and 1")
        if self.first_gate_step is not None and not 0.0 <= self.first_gate_step <= 1.0:
            raise ValueError(f"first_gate_step is {self.first_gate_step}; it must be between 0 and 1 (in units of dt)")
        for name in ("stimulated", "recorded"):
            sites = getattr(self, name)
            if len(set(sites)) != len(sites):
                raise ValueError(f"{name} names a site twice: {sites}")
        if not self.recorded:
            raise ValueError("recorded is empty; record at least one site")
        if self.stimulus.n_sites != len(self.stimulated):
            raise ValueError(f"the stimulus has {self.stimulus.n_sites} sites but {len(self.stimulated)} are stimulated")

    @property
    def n_stimuli(self) -> int:
        return self.stimulus.n_stimuli

    @property
    def steps_per_sample(self) -> int:
        return max(1, round(self.sample_interval_ms / self.dt_ms))

    @property
    def step_ms(self) -> float:
        """The step actually taken: the sampling interval over a whole number."""
        return self.sample_interval_ms / self.steps_per_sample

    @property
    def n_steps(self) -> int:
        return (self.n_samples - 1) * self.steps_per_sample

    @property
    def sample_times_ms(self) -> np.ndarray:
        return self.start_ms + self.sample_interval_ms * np.arange(self.n_samples)

    @property
    def first_gate_step_ms(self) -> float:
        fraction = self.first_gate_step
        if fraction is None:
            fraction = 0.0 if self.implicitness == 1.0 else 0.5
        return fraction * self.step_ms

    def validate(self, neuron: Neuron) -> None:
        """Raises ValueError if a stimulated or recorded site does not exist in the neuron."""
        for name in ("stimulated", "recorded"):
            for site in getattr(self, name):
                if not 0 <= site < neuron.n_compartments:
                    raise ValueError(
                        f"{name} site {site} does not exist: neuron {neuron.name!r} has compartments "
                        f"0 to {neuron.n_compartments - 1}"
                    )


def resolve_sites(
    sites: str | int | Iterable[int] | Mapping[str, int], n_compartments: int, what: str = "site"
) -> tuple[int, ...]:
    """ "all", a number, a list or a comma-separated string of compartments; negative ones count from the end. {"spread": k}: k
    compartments spread evenly over their numbers, the first and (but for k = 1) the last among them.

    Raises:
        ValueError: naming the site that is not a number, does not exist or repeats.
    """
    if isinstance(sites, Mapping):
        count = cast(Mapping[str, int], sites)["spread"]
        if not 1 <= count <= n_compartments:
            raise ValueError(f"{what}: {count} cannot be spread over {n_compartments} compartments; give 1 to {n_compartments}")
        return tuple(np.rint(np.linspace(0, n_compartments - 1, count)).astype(int).tolist())
    if isinstance(sites, str):
        if sites.strip() == "all":
            return tuple(range(n_compartments))
        entries: list[object] = [s.strip() for s in sites.split(",")]
    elif isinstance(sites, int):
        entries = [sites]
    else:
        entries = list(sites)
    out = []
    for entry in entries:
        try:
            site = int(str(entry))
        except ValueError:
            raise ValueError(f"{what} {entry!r} is not a compartment number; write all, or numbers such as 0,2,-1") from None
        if not -n_compartments <= site < n_compartments:
            raise ValueError(f"{what} {site} does not exist: there are compartments 0 to {n_compartments - 1}")
        resolved = site % n_compartments
        if resolved in out:
            raise ValueError(f"{what} {site} is named twice in {sites!r}")
        out.append(resolved)
    return tuple(out)
