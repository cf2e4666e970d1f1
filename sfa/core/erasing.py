"""What is left of a person's data when it is erased: pure.

The fields that say who somebody is are blanked wherever they are kept as fields: in the row, in its history, and in
mutations that were kept for somebody to decide or repair. What happened, when and by whom stays; keys stay, because
other rows name them.
"""

from collections.abc import Collection, Mapping
from typing import Any

ENTITY = "contacts"
NAME = "Erased"
BLANK: dict[str, Any] = {
    "name": NAME,
    "title": None,
    "phone": None,
    "mobile": None,
    "email": None,
    "language": None,
    "preferred_channel": None,
    "external_id": None,
    "active": False,
}
# What of rows about a person is blanked in them and in their history.
FIELDS: dict[str, dict[str, Any]] = {
    ENTITY: BLANK,
    "consents": {"source": None, "evidence": None},
    "deal_contacts": {"note": None},
    "campaign_touches": {},
    "proposal_recipients": {"name": NAME, "email": "", "language": None},
    "proposal_questions": {"asked_by": NAME},
    "proposals": {"outcome": None},  # in history; of the row the name and the reason alone go
    "conflicts": {"losing": None, "standing": None},
    "refusals": {"mutation": None, "repaired_with": None, "details": None},
    "suggestions": {"mutations": None},
    "handovers": {"mutations": None},
}


def blanked(entity: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row that erasing changes, with what they become."""
    return {field: value for field, value in FIELDS[entity].items() if row[field] != value}


def blanked_changes(entity: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A revision's changes that still say which fields changed, and of a person no longer from what to what."""
    fields = FIELDS[entity]
    return {
        f: [fields[f] if v is not None else None for v in pair] if f in fields else pair for f, pair in changes.items()
    }


def without_person(value: Any, keys: Collection[str]) -> Any:
    """Kept mutations, however deep in lists and objects, without those of these people."""
    if isinstance(value, list):
        return [without_person(part, keys) for part in value if not _is_about(part, keys)]
    if isinstance(value, dict):
        return {name: without_person(part, keys) for name, part in value.items()}
    return value


def _is_about(value: Any, keys: Collection[str]) -> bool:
    if not isinstance(value, dict):
        return False
    mutation = value.get("mutation", value)
    return isinstance(mutation, dict) and mutation.get("entity") == ENTITY and mutation.get("key") in keys
