"""Refused mutations as rows: their full content stays where the author can see and repair it (S1, S19)."""

import msgspec

from sfa.crm.edits import Who
from sfa.db.writes import Door, Origin
from sync.numbers import Numbered
from sync.protocol import Receipt

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


def write(
    door: Door, who: Who, device: str, item: Numbered, receipt: Receipt, origin: Origin, suffix: str = ""
) -> None:
    cell = door.cell("refusals", key_of(device, item.n, suffix), "none")
    if cell.rev:
        return
    mutation = item.mutation
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
        "mutation": content_of(item),
        "status": "open",
    }
    door.put(cell, values, origin, "create")
