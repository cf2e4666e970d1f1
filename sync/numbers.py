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

from sync import devices
from sync.devices import Registration
from sync.protocol import MUTATION_BYTES_MAX, Mutation, Receipt

_mutation = msgspec.json.Decoder(Mutation)
_canonical = msgspec.json.Encoder(order="deterministic")


class _OnlyNumber(Struct):
    n: int = 0


_number = msgspec.json.Decoder(_OnlyNumber)


class Numbered(Struct, frozen=True):
    """One item of a push. `mutation` is None where it is not of the documented form; `error` says why."""

    n: int
    digest: str
    raw: bytes
    mutation: Mutation | None
    error: str | None
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


def read_item(raw: Raw, place: int) -> Numbered:
    """Decode one item; `place` is the number it would have by its position."""
    content = bytes(raw)
    if len(content) > MUTATION_BYTES_MAX:
        return Numbered(_read_number(raw, place), _digest(content), b"null", None, "the mutation is too large")
    try:
        mutation = _mutation.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Numbered(_read_number(raw, place), _digest(content), content, None, str(error))
    return Numbered(mutation.n, _digest(_canonical.encode(mutation)), content, mutation, None)


def _read_number(raw: Raw, place: int) -> int:
    try:
        n = _number.decode(raw).n
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return place
    return n if 1 <= n <= 2**53 else place


def walk(connection: Connection, device: Registration, sent: Sequence[Raw]) -> Walk:
    """Sort a push by its numbers against what this registration sent before."""
    items: list[Numbered] = []
    for raw in sent:
        items.append(read_item(raw, items[-1].n + 1 if items else device.last_n + 1))
    old = [item for item in items if item.n <= device.last_n]
    stored = devices.read_receipts(connection, device, [item.n for item in old]) if old else {}
    seen: list[Receipt] = []
    reused: list[Numbered] = []
    for item in old:
        receipt = stored[item.n]  # receipts are never purged
        if receipt.digest == item.digest or receipt.outcome == "skipped":
            seen.append(receipt)
        else:
            reused.append(item)
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


def _unit_size(items: list[Numbered], position: int) -> int | None:
    """How many items from here land together; None where the unit is not whole and consecutive."""
    mutation = items[position].mutation
    unit = mutation.unit if mutation is not None else None
    if unit is None:
        return 1
    part = items[position : position + unit.size]
    whole = len(part) == unit.size and all(
        member.n == items[position].n + i and (member.mutation is None or member.mutation.unit == unit)
        for i, member in enumerate(part)
    )
    return unit.size if whole else None
