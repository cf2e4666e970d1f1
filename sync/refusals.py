"""Refused mutations as rows: their full content stays where the author can see and repair it (S1, S19)."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from sfa.core.erasing import ENTITY as ERASABLE
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.edits import Who
from sfa.db.erasures import is_erased
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sync.numbers import Numbered
from sync.protocol import Mutation, Receipt
from sync.versions import Versions

TEXT_MAX = 2_000
SHORT_MAX = 100


def key_of(device: str, n: int, suffix: str = "") -> str:
    """One refusal per number, and one more per content of a reused number; a repeat finds it there."""
    return f"{device}.{n}" + (f".{suffix}" if suffix else "")


def content_of(item: Numbered) -> object:
    """The mutation as it was sent; broken JSON values as far as they can be kept."""
    try:
        return msgspec.json.decode(item.raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return item.raw.decode("utf-8", "replace")


def _short(text: str) -> str:
    """PostgreSQL keeps no NUL in a text; the mutation itself is kept as it was sent."""
    return text.replace("\x00", "\ufffd")[:SHORT_MAX]


def _first(door: Door, who: Who, item: Numbered, receipt: Receipt) -> str | None:
    """The refusal that a refused try wanted to repair, the first of several: both are open until one lands."""
    named = item.mutation.repairs if item.mutation is not None else None
    if named is None or not is_key(named) or receipt.code == "already_repaired":
        return None
    cell = door.cell("refusals", named)
    if not cell.exists or cell.row["author_key"] != who.user_key or cell.row["status"] == "repaired":
        return None
    found: str = cell.row["repairs_key"] or cell.key
    return found


def _is_of_erased(door: Door, content: object) -> bool:
    """Whether it is about a person who was erased: why it was refused does not matter then, nor its form."""
    if not isinstance(content, dict) or content.get("entity") != ERASABLE:
        return False
    key = content.get("key")
    return isinstance(key, str) and is_key(key) and is_erased(door.connection, key)


def write(
    door: Door, who: Who, device: str, item: Numbered, receipt: Receipt, origin: Origin, suffix: str = ""
) -> None:
    cell = door.cell("refusals", key_of(device, item.n, suffix), "none")
    if cell.rev:
        return
    mutation, content = item.mutation, content_of(item)
    values = {
        "author_key": who.user_key,
        "device_key": device,
        "n": item.n,
        "entity": _short(mutation.entity) if mutation else "",
        "row_key": _short(mutation.key) if mutation else "",
        "kind": _short(mutation.kind) if mutation else "",
        "code": receipt.code,
        "text": (receipt.text or "")[:TEXT_MAX],
        "depends_on_n": receipt.depends_on_n,
        "mutation": None if _is_of_erased(door, content) else content,
        "repairs_key": _first(door, who, item, receipt),
        "status": "open",
        "details": receipt.details,
    }
    door.put(cell, values, origin, "create")


def settle_reused(door: Door, who: Who, taken: Sequence[Numbered], now_ms: int, versions: Versions) -> None:
    """What a cloned device sends again, under its new registration, is no longer an open question (S18): the refusal
    that kept the content of a number used before is repaired by the mutation that says the same."""
    table = ROWS["refusals"]
    mine = (table.c.author_key == who.user_key, table.c.code == "mutation_reused", table.c.status == "open")
    said = [_meaning(item.mutation) for item in taken if item.mutation is not None]
    for key, mutation in door.connection.execute(select(table.c.key, table.c.mutation).where(*mine, ~table.c.gone)):
        try:
            same = _meaning(versions.upward(msgspec.convert(mutation, Mutation))) in said
        except (msgspec.ValidationError, Refused):
            continue
        if same:
            origin = Origin(author_key=who.user_key, at=now_ms, stored_at=now_ms)
            door.put(door.cell("refusals", key, "none"), {"status": "repaired"}, origin, "refusal.repair")


def _meaning(mutation: Mutation) -> Mutation:
    """All but the number, and the unit, whose other half may have been taken before."""
    return msgspec.structs.replace(mutation, n=1, unit=None)
