"""What a submitted visit says after its corrections (R14): pure.

The row of a submitted visit never changes; each correction of a field is a row of its own, numbered by `ordinal`. The
effective value is that of the last one. Taking them in any order, or once more, gives the same.
"""

from collections.abc import Iterable, Mapping
from typing import Any

AMENDABLE = frozenset(
    {"purpose", "visit_type", "contact_key", "outcome", "checked_in_at", "checked_out_at", "participants", "answers"}
)


def effective(visit: Mapping[str, Any], amendments: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The visit's row with the last correction of each field."""
    latest: dict[str, Mapping[str, Any]] = {}
    for amendment in amendments:
        known = latest.get(amendment["field"])
        if known is None or amendment["ordinal"] > known["ordinal"]:
            latest[amendment["field"]] = amendment
    return {**visit, **{field: amendment["new"] for field, amendment in latest.items()}}
