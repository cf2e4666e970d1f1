"""What people type at `sfa device`, as keys and typed values."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from sfa.core.errors import Refused
from sfa.core.shapes import SHAPES
from sync.device import Device


def find(found: Device, entity: str, text: str) -> str:
    """The key of the one row that is meant by a key, a name or title, or the beginning or end of a key."""
    rows = found.list(entity)
    if text in rows:
        return text
    wanted = text.casefold()
    named = [key for key, row in rows.items() if str(row.get("name") or row.get("title") or "").casefold() == wanted]
    parts = [key for key in rows if key.startswith(text) or key.endswith(text)]
    meant = named or parts
    if len(meant) != 1:
        raise Refused("row_unknown", f"{len(meant)} {entity} on this device are meant by {text!r}")
    return meant[0]


def find_given(found: Device, entity: str, text: str | None) -> str | None:
    """The same, where something is said at all."""
    return find(found, entity, text) if text is not None else None


def fields_of(entity: str, texts: Sequence[str]) -> dict[str, Any]:
    """`FIELD=VALUE` as typed values; lists and objects are written as JSON."""
    values: dict[str, Any] = {}
    for text in texts:
        field, separator, value = text.partition("=")
        if not separator:
            raise click.UsageError(f"{text!r} is not FIELD=VALUE")
        if field not in SHAPES[entity].types:
            raise Refused("field_unknown", f"{entity} has no field {field!r}")
        values[field] = value_of(SHAPES[entity].types[field], value)
    return values


def value_of(kind: Any, text: str) -> Any:
    """A value of a field's type, or as JSON, or the text itself; `null` is nothing."""
    if text == "null":
        return None
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text  # the device says what is wrong with it


def instant(text: str) -> int:
    """ISO date and time -> milliseconds since the epoch; UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is not a date and time, as 2026-11-23T10:00") from None
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp() * 1000)
