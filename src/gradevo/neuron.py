"""Neuron = morphology + channels, immutable."""

from dataclasses import dataclass

import numpy as np

from gradevo.channels.base import ChannelSet
from gradevo.morphology import Morphology


@dataclass(frozen=True, eq=False)
class Neuron:
    """A morphology whose every compartment carries the same channel set, at densities of its own."""

    name: str
    morphology: Morphology
    channels: ChannelSet

    @property
    def n_compartments(self) -> int:
        return self.morphology.n_compartments

    @property
    def channel_names(self) -> tuple[str, ...]:
        return self.channels.names

    def default_densities(self) -> np.ndarray:
        """[channels, compartments] S/cm2: the channel set's densities everywhere."""
        densities = [c.density_S_cm2 for c in self.channels.channels]
        return np.repeat(np.array(densities)[:, None], self.n_compartments, axis=1)

    def check_densities(self, densities: np.ndarray) -> None:
        """Raises ValueError unless the shape of ``densities`` is [..., channels, compartments]."""
        wanted = (len(self.channel_names), self.n_compartments)
        if densities.shape[-2:] != wanted:
            raise ValueError(
                f"densities have shape {densities.shape}; neuron {self.name!r} needs [..., {wanted[0]} channels "
                f"{self.channel_names}, {wanted[1]} compartments]"
            )
