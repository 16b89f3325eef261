"""Channel sets: one file each, listed here by name."""

import difflib
from collections.abc import Sequence
from functools import cache

from gradevo.channels.base import Channel, ChannelSet, Gate, combine
from gradevo.channels.hh import HH
from gradevo.channels.ih import IH, IH_DISTAL
from gradevo.channels.jones2024 import JONES2024
from gradevo.channels.k_a import K_A, K_A_DISTAL
from gradevo.channels.pospischil2008 import POSPISCHIL_LTS, POSPISCHIL_RS

CHANNEL_SETS: dict[str, ChannelSet] = {
    s.name: s for s in (HH, JONES2024, POSPISCHIL_RS, POSPISCHIL_LTS, IH, IH_DISTAL, K_A, K_A_DISTAL)
}


def channel_set(names: str | Sequence[str]) -> ChannelSet:
    """A channel set by name, or several combined: the first is the membrane, the others' channels are added to it.

    Raises:
        ValueError: for no name, an unknown one, or sets that share a channel's name.
    """
    return _combined((names,) if isinstance(names, str) else tuple(names))


@cache
def _combined(names: tuple[str, ...]) -> ChannelSet:
    if not names:
        raise ValueError("no channel set is named; give one, or a list with the membrane first")
    for name in names:
        if name not in CHANNEL_SETS:
            close = difflib.get_close_matches(name, CHANNEL_SETS, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"no channel set {name!r}; {hint}known: {', '.join(CHANNEL_SETS)}")
    sets = [CHANNEL_SETS[name] for name in names]
    return sets[0] if len(sets) == 1 else combine("+".join(names), *sets)


__all__ = ["CHANNEL_SETS", "Channel", "ChannelSet", "Gate", "channel_set", "combine"]
