"""The numbers of a push: which mutations are new, which were seen, where a gap or a split unit stops it (S17-S20).

A number is taken once. Seen with the same content: the stored receipt again. Seen with other content: the device was
cloned. Items are decoded one by one, so that one broken item is one refusal; an item whose own number cannot be read
takes the place that it stands in.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sync import devices
from sync.devices import Registration
from sync.protocol import MUTATION_BYTES_MAX, UNIT_SIZE_MAX, Mutation, Receipt, Unit
from sync.versions import VERSIONS, Versions

_mutation = msgspec.json.Decoder(Mutation)
_canonical = msgspec.json.Encoder(order="deterministic")


class _OnlyNumber(Struct):
    n: int = 0


class _OnlyUnit(Struct):
    unit: Unit | None = None


_number = msgspec.json.Decoder(_OnlyNumber)
_unit = msgspec.json.Decoder(_OnlyUnit)


class Numbered(Struct, frozen=True):
    """One item of a push. `mutation` is None where it is not of the documented form; `error` says why."""

    n: int
    digest: str
    raw: bytes
    mutation: Mutation | None
    error: str | None
    unit: Unit | None = None
    unit_size: int = 1


class Walk(Struct, frozen=True):
    """`seen`: receipts of numbers taken before. `reused`: such numbers with other content. `new`: to be taken, in
    order, units whole. `stopped`: why nothing after them is taken."""

    seen: list[Receipt]
    reused: list[Numbered]
    new: list[Numbered]
    stopped: str | None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def read_item(raw: Raw, place: int, versions: Versions = VERSIONS) -> Numbered:
    """Decode one item, and turn it into words of the newest version; its digest is that of the words that were sent.
    `place` is the number it would have by its position."""
    content = bytes(raw)
    if len(content) > MUTATION_BYTES_MAX:
        return _broken(raw, place, content, f"the mutation has more than {MUTATION_BYTES_MAX} bytes")
    try:
        mutation = _mutation.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _broken(raw, place, content, str(error))
    digest = _digest(_canonical.encode(mutation))
    try:
        turned = versions.upward(mutation)
    except Refused as refused:
        return Numbered(mutation.n, digest, content, None, refused.text, mutation.unit)
    return Numbered(mutation.n, digest, content, turned, None, mutation.unit)


def _broken(raw: Raw, place: int, content: bytes, error: str) -> Numbered:
    """What can still be read of an item: its number and its unit."""
    try:
        n = _number.decode(raw).n
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        n = place
    try:
        unit = _unit.decode(raw).unit
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        unit = None
    return Numbered(n if 1 <= n <= 2**53 else place, _digest(content), content, None, error, unit)


def read_items(sent: Sequence[Raw], first_n: int, versions: Versions = VERSIONS) -> list[Numbered]:
    """Decode all; `first_n` is the number of the first, if it does not say."""
    items: list[Numbered] = []
    for raw in sent:
        items.append(read_item(raw, items[-1].n + 1 if items else first_n, versions))
    return items


def walk(connection: Connection, device: Registration, sent: Sequence[Raw], versions: Versions = VERSIONS) -> Walk:
    """Sort a push by its numbers against what this registration sent before."""
    items = read_items(sent, device.last_n + 1, versions)
    old = [item for item in items if item.n <= device.last_n]
    stored = devices.read_receipts(connection, device, [item.n for item in old]) if old else {}
    seen: list[Receipt] = []
    reused: list[Numbered] = []
    for item in old:
        receipt = stored[item.n]  # receipts are never purged
        if receipt.digest == item.digest:  # what one copy declared as lost (`skip`) has no digest: another copy had it
            seen.append(receipt)
        else:
            reused.append(item)
    if reused:
        return Walk(seen, reused, [], "mutation_reused")  # a clone: what follows waits for the new registration
    new, clones, stopped = _in_order([item for item in items if item.n > device.last_n], device.last_n + 1)
    return Walk(seen, reused + clones, new, stopped)


def _in_order(items: list[Numbered], expected: int) -> tuple[list[Numbered], list[Numbered], str | None]:
    """-> (to be taken, other content under the number of one of these, why nothing after them is taken)."""
    taken: list[Numbered] = []
    clones: list[Numbered] = []
    first = expected
    position = 0
    while position < len(items):
        item = items[position]
        if item.n < expected:  # the same number twice in one request: the first is taken
            if item.digest != taken[item.n - first].digest:
                clones.append(item)
            position += 1
            continue
        if item.n != expected:
            return taken, clones, "sequence_gap"
        size = _unit_size(items, position)
        if size is None:
            return taken, clones, "unit_split"
        for member in items[position : position + size]:
            taken.append(msgspec.structs.replace(member, unit_size=size))
        position += size
        expected += size
    return taken, clones, None


def _unit_size(items: Sequence[Numbered], position: int) -> int | None:
    """How many items from here land together; None where the unit is not whole and consecutive."""
    size = unit_from(items, position)
    first_n = items[position].n
    if size and all(member.n == first_n + i for i, member in enumerate(items[position : position + size])):
        return size
    return 1 if items[position].unit is None else None  # alone: no unit, or an unreadable item that none needs


def unit_from(items: Sequence[Numbered], position: int) -> int:
    """How many items from here are one whole unit, whatever their numbers; 0 where none begins."""
    named = items[position].unit
    unit = named or _unit_ahead(items, position)
    if unit is None:
        return 0
    part = items[position : position + unit.size]
    whole = len(part) == unit.size and all(
        member.unit == unit or (member.mutation is None and member.unit is None) for member in part
    )
    behind = items[position + unit.size : position + unit.size + 1]
    if named is None and any(member.unit == unit for member in behind):
        return 0  # the unit is whole without an unreadable item before it
    return unit.size if whole else 0


def _unit_ahead(items: Sequence[Numbered], position: int) -> Unit | None:
    """The unit that an item too broken to name it stands at the head of, if any."""
    if items[position].mutation is not None:
        return None
    ahead = items[position : position + UNIT_SIZE_MAX]
    readable = (item.unit for item in ahead if item.mutation is not None or item.unit is not None)
    return next(readable, None)
