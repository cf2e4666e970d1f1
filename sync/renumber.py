"""A drain's changes under a registration of its own: numbered anew, as a copy of a phone numbers its queue (S18, S31).

Pure functions of decoded items. A unit that is whole stays whole; of one that is cut each member comes by itself. What
cannot be read keeps its place and its words, and is refused there.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from sync.numbers import Numbered, unit_from
from sync.protocol import MUTATIONS_MAX


def renumbered(items: Sequence[Numbered], first_n: int, begin_within: int) -> list[Raw]:
    """The first of `items`, numbered from `first_n` on: at most a push, no unit cut. Those from the place
    `begin_within` on are here for the sake of units that begin before it, and begin none themselves."""
    made: list[Raw] = []
    while len(made) < min(len(items), begin_within):
        place = len(made)
        size = unit_from(items, place)
        part = items[place : place + max(size, 1)]
        if place + len(part) > MUTATIONS_MAX:
            break
        made += [_under(item, first_n + place + i, keeps_unit=size > 0) for i, item in enumerate(part)]
    return made


def _under(item: Numbered, n: int, *, keeps_unit: bool) -> Raw:
    try:
        values = msgspec.json.decode(item.raw)
        if not isinstance(values, dict):
            return Raw(item.raw)  # it takes the number of its place, and is refused
        values["n"] = n
        if not keeps_unit:
            values.pop("unit", None)
        return Raw(msgspec.json.encode(values))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        # As one text: whatever number could still be found in it is not that of its place.
        return Raw(msgspec.json.encode(item.raw.decode("utf-8", "replace")))
