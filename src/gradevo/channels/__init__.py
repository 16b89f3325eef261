"""Channel sets: one file each, listed here by name."""

from gradevo.channels.base import Channel, ChannelSet, Gate
from gradevo.channels.hh import HH
from gradevo.channels.jones2024 import JONES2024

CHANNEL_SETS: dict[str, ChannelSet] = {s.name: s for s in (HH, JONES2024)}

__all__ = ["CHANNEL_SETS", "Channel", "ChannelSet", "Gate"]
