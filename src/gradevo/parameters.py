"""What is free in a neuron, and how a vector of parameters maps to its compartments.

Free quantities are channels' densities (the leak's among them), the membrane capacitance and the axial resistivity. Each has
one parameter per region of the neuron (``gradevo.regions``); parameters are ordered by quantity, then by region. With as many
regions as compartments, parameter ``c * n_compartments + i`` is quantity c in compartment i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gradevo.neuron import Neuron
from gradevo.regions import contiguous_regions, region_means
from gradevo.units import AXIAL_RESISTIVITY, CAPACITANCE, DENSITY_UNIT, PASSIVE_UNITS


class Inputs(NamedTuple):
    """What a simulation takes, or the gradient with respect to it; None for what is not free.

    densities [K, channels, n] S/cm2; capacitance [K, n] uF/cm2; axial_resistivity [K] ohm cm. Arrays or tensors.
    """

    densities: Any
    capacitance: Any = None
    axial_resistivity: Any = None

    def passive(self) -> dict[str, Any]:
        """The keywords of ``simulate`` for what is free besides the densities."""
        return {name: getattr(self, name) for name in PASSIVE_UNITS if getattr(self, name) is not None}


@dataclass(frozen=True, eq=False)
class Quantity:
    """A free quantity: its name, unit, the region [n] of every compartment, and which parameters are its values."""

    name: str
    unit: str
    labels: np.ndarray
    values: slice

    @property
    def n_regions(self) -> int:
        return self.values.stop - self.values.start

    @property
    def error_column(self) -> str:
        """Where tables keep the mean absolute error over compartments."""
        prefix = f"{self.name}_error" if self.name in PASSIVE_UNITS else f"density_error_{self.name}"
        return f"{prefix}_mean_abs_{self.unit.replace('/', '_').replace(' ', '_')}"


@dataclass(frozen=True, eq=False)
class Parameters:
    """The free quantities of a neuron, in order, and the densities [channels, n] S/cm2 of the channels that are not free.

    Make one with ``make_parameters``.
    """

    neuron: Neuron
    quantities: tuple[Quantity, ...]
    fixed: np.ndarray

    @property
    def n_parameters(self) -> int:
        return self.quantities[-1].values.stop

    @cached_property
    def names(self) -> tuple[str, ...]:
        """[P] such as "Na[3]" (region 3), or the quantity's name alone where it has one value for the whole neuron."""
        return tuple(q.name if q.n_regions == 1 else f"{q.name}[{r}]" for q in self.quantities for r in range(q.n_regions))

    @cached_property
    def units(self) -> tuple[str, ...]:
        """[P] the unit of every parameter."""
        return tuple(q.unit for q in self.quantities for _ in range(q.n_regions))

    @cached_property
    def defaults(self) -> np.ndarray:
        """[P] the channel set's densities and capacitance, and the morphology's axial resistivity."""
        return self.means(self.select(self.neuron.default_densities()))

    def per_compartment(self, values: np.ndarray) -> np.ndarray:
        """Parameters [..., P] to every quantity in every compartment [..., quantities, n]."""
        return np.stack([values[..., q.values][..., q.labels] for q in self.quantities], axis=-2)

    def select(self, densities: np.ndarray) -> np.ndarray:
        """The free quantities [quantities, n] of the neuron with these densities [channels, n] S/cm2 and its own capacitance
        and axial resistivity."""
        m, n = self.neuron.morphology, self.neuron.n_compartments
        passive = {CAPACITANCE: self.neuron.channels.capacitance_uF_cm2, AXIAL_RESISTIVITY: m.axial_resistivity_ohm_cm}
        return np.array(
            [
                np.full(n, passive[q.name]) if q.name in passive else densities[self.neuron.channel_names.index(q.name)]
                for q in self.quantities
            ],
            dtype=float,
        )

    def means(self, true: np.ndarray) -> np.ndarray:
        """Parameters [P]: the area-weighted means of these quantities [quantities, n] in their regions."""
        return self._joined([region_means(v, q.labels, self._areas) for v, q in zip(true, self.quantities, strict=True)])

    def express(self, true: np.ndarray) -> np.ndarray | None:
        """Parameters [P] that give these quantities [quantities, n], or None if they vary within a region."""
        values = self.means(true)
        return values if np.array_equal(self.per_compartment(values), true) else None

    def inputs(self, values: np.ndarray) -> Inputs:
        """Parameters [K, P] to what ``simulate`` takes."""
        values = np.asarray(values, dtype=float)
        full = np.repeat(self.fixed[None], len(values), axis=0)
        passive: dict[str, np.ndarray] = {}
        for q in self.quantities:
            own = values[:, q.values]
            if q.name == AXIAL_RESISTIVITY:
                passive[q.name] = own[:, 0].copy()
            elif q.name == CAPACITANCE:
                passive[q.name] = own[:, q.labels]
            else:
                full[:, self.neuron.channel_names.index(q.name)] = own[:, q.labels]
        return Inputs(full, **passive)

    def possible(self, values: np.ndarray) -> np.ndarray:
        """Which of the candidates [K, P] can be simulated, [K]: capacitances and resistivities are positive and finite."""
        fine = np.ones(len(values), dtype=bool)
        for q in self.quantities:
            if q.name in PASSIVE_UNITS:
                own = np.asarray(values)[:, q.values]
                fine &= (np.isfinite(own) & (own > 0)).all(axis=1)
        return fine

    def gradient(self, gradient: Inputs) -> np.ndarray:
        """The chain rule backwards through ``inputs``: d/d inputs, as arrays, to d/d parameters [K, P]."""
        total = np.zeros((len(gradient.densities), self.n_parameters))
        for q in self.quantities:
            own = total[:, q.values]
            if q.name == AXIAL_RESISTIVITY:
                own[:, 0] = gradient.axial_resistivity
                continue
            of_compartment = (
                gradient.capacitance if q.name == CAPACITANCE else gradient.densities[:, self.neuron.channel_names.index(q.name)]
            )
            if q.n_regions == self.neuron.n_compartments:
                own[:] = of_compartment
                continue
            # bincount adds one compartment after the other: the same bits whatever the batch
            which = np.arange(len(total))[:, None] * q.n_regions + q.labels
            own[:] = np.bincount(which.ravel(), of_compartment.ravel(), total[:, q.values].size).reshape(own.shape)
        return total

    @property
    def error_columns(self) -> tuple[str, ...]:
        return (*(q.error_column for q in self.quantities), "density_error_median_rel", "density_error_max_rel")

    def errors(self, values: np.ndarray, true: np.ndarray | None) -> dict[str, float]:
        """Errors of parameters [P] against the true quantities [quantities, n], keyed by ``error_columns``; NaN without a truth.

        Mean absolute errors are over compartments. The relative ones are over all free densities in all compartments; a
        capacitance counts once per region and the axial resistivity once.
        """
        if true is None:
            return dict.fromkeys(self.error_columns, float("nan"))
        error = np.abs(self.per_compartment(values) - true)
        relative = error / true
        counted = [
            r[np.unique(q.labels, return_index=True)[1]] if q.name in PASSIVE_UNITS else r
            for q, r in zip(self.quantities, relative, strict=True)
        ]
        together = np.concatenate(counted)
        numbers = [*error.mean(axis=1), np.median(together), np.max(together)]
        return dict(zip(self.error_columns, map(float, numbers), strict=True))

    @property
    def _areas(self) -> np.ndarray:
        return self.neuron.morphology.areas_um2

    @staticmethod
    def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.atleast_1d(part) for part in parts])


def make_parameters(
    neuron: Neuron, free: Sequence[str], regions: Mapping[str, int] | None = None, fixed: np.ndarray | None = None
) -> Parameters:
    """Parameters for the free quantities, named as channels, "capacitance" or "axial_resistivity".

    regions: into how many contiguous regions the neuron is cut for a quantity. Those not named have a value per compartment if
    they are densities, one for the whole neuron if not. The axial resistivity has one.
    fixed: densities [channels, n] S/cm2 of the channels that are not free (rows of free ones are ignored); None: the defaults.

    Raises:
        ValueError: for a quantity that the neuron lacks or that is named twice, none at all, regions of something that is not
            free, a number of regions that cannot be, the axial resistivity of a neuron that was coupled directly, or fixed
            densities of the wrong shape.
    """
    regions = regions or {}
    known = (*neuron.channel_names, *PASSIVE_UNITS)
    for name in free:
        if name not in known:
            raise ValueError(f"free {name!r} is not in neuron {neuron.name!r}; it has {', '.join(known)}")
    if not free or len(set(free)) != len(free):
        raise ValueError(f"free quantities {tuple(free)} must be one or more different names")
    for name in regions:
        if name not in free:
            raise ValueError(f"regions are given for {name!r}, which is not free; free are {', '.join(free)}")
    if AXIAL_RESISTIVITY in free:
        if neuron.morphology.axial_resistivity_ohm_cm is None:
            raise ValueError(f"neuron {neuron.name!r} was coupled directly and has no axial resistivity; leave it out of free")
        if regions.get(AXIAL_RESISTIVITY, 1) != 1:
            raise ValueError(
                f"axial_resistivity has {regions[AXIAL_RESISTIVITY]} regions; it is one for the whole neuron: give 1"
            )
    quantities, first = [], 0
    for name in free:
        passive = name in PASSIVE_UNITS
        k = regions.get(name, 1 if passive else neuron.n_compartments)
        labels = contiguous_regions(neuron.morphology, k)
        quantities.append(Quantity(name, PASSIVE_UNITS.get(name, DENSITY_UNIT), labels, slice(first, first + k)))
        first += k
    known_densities = np.array(neuron.default_densities() if fixed is None else fixed, dtype=float)
    neuron.check_densities(known_densities)
    return Parameters(neuron, tuple(quantities), known_densities)
