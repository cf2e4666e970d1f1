"""A contract version that there never was, older than the first: for tests of what every version step may need (S32).

Version 0 knows no tasks and no deal lines, no websites and no mobile numbers; a contact's `phone` is its `telephone`,
and a deal's `amount_minor` is a text, `amount`. `VERSIONS_FROM_0` serves it beside the real ones. `told` says what a
row looks like to any version, in words of its own: it shares no code with the product's projection.
"""

from typing import Any

from sfa.core.errors import Refused
from sync.versions import CHANGES, DESCRIBED, Change, Described, Versions

Row = dict[str, Any]

UNKNOWN = frozenset({"tasks", "deal_lines"})
_FIRST = DESCRIBED[1]


def _described() -> Described:
    entities = {entity: dict(fields) for entity, fields in _FIRST.entities.items() if entity not in UNKNOWN}
    del entities["accounts"]["website"], entities["contacts"]["mobile"]
    entities["contacts"]["telephone"] = entities["contacts"].pop("phone")
    entities["deals"]["amount"] = {"type": "string"}
    del entities["deals"]["amount_minor"]
    return Described(entities, [word for word in _FIRST.outcomes if word != "merged"])


def _contact_down(row: Row) -> Row:
    return {"telephone" if field == "phone" else field: value for field, value in row.items()}


def _contact_up(said: Row) -> Row:
    return {"phone" if field == "telephone" else field: value for field, value in said.items()}


def _deal_down(row: Row) -> Row:
    minor = row.pop("amount_minor")
    return {**row, "amount": None if minor is None else str(minor)}


def _deal_up(said: Row) -> Row:
    if "amount" not in said:
        return said
    text = said.pop("amount")
    try:
        return {**said, "amount_minor": None if text is None else int(text)}
    except ValueError:
        raise Refused("field_invalid", f"{text!r} is no amount", field="amount") from None


FIRST_CHANGE = Change(
    down={"contacts": _contact_down, "deals": _deal_down},
    up={"contacts": _contact_up, "deals": _deal_up},
)
DESCRIBED_FROM_0 = {0: _described(), **DESCRIBED}
CHANGES_FROM_0 = {1: FIRST_CHANGE, **CHANGES}
VERSIONS_FROM_0 = Versions(DESCRIBED_FROM_0, CHANGES_FROM_0, minimum=0, push_minimum=0)


def told(contract: int, entity: str, row: Row) -> Row | None:
    """A row of the newest version as `contract` must hold it; None where it knows no such thing."""
    if contract == 0 and entity in UNKNOWN:
        return None
    if entity not in DESCRIBED[max(contract, 1)].entities:
        return None
    seen = {f: v for f, v in row.items() if f in DESCRIBED[max(contract, 1)].entities[entity]}
    if contract == 0 and entity == "accounts":
        seen = {f: v for f, v in seen.items() if f != "website"}
    if contract == 0 and entity == "contacts":
        seen = {f: v for f, v in seen.items() if f not in ("mobile", "phone")} | {"telephone": row["phone"]}
    if contract == 0 and entity == "deals":
        amount = row["amount_minor"]
        seen = {f: v for f, v in seen.items() if f != "amount_minor"}
        seen["amount"] = f"{amount}" if amount is not None else None
    return seen


def said(contract: int, entity: str, fields: Row) -> Row | None:
    """What an app of that version says where one of today says `fields`; None where it has no words for it."""
    if contract > 0:
        return fields
    if entity in UNKNOWN:
        return None
    gone = {"accounts": "website", "contacts": "mobile"}.get(entity)
    words = {f: v for f, v in fields.items() if f != gone}
    if fields and not words:
        return None
    if entity == "contacts" and "phone" in words:
        words["telephone"] = words.pop("phone")
    if entity == "deals" and "amount_minor" in words:
        minor = words.pop("amount_minor")
        words["amount"] = None if minor is None else f"{minor}"
    return words
