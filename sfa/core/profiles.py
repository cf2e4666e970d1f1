"""How long rows stay on the devices of each role (S10): pure.

A company says for a role how many days of visits, notes and closed deals its devices carry; what it does not say is the
organisation's `history_days`. Roles that say the same share a *layer*, named by those numbers, so that what one role
is told never moves the rows of another. A row that is young enough for everybody lies in its buckets; an older one lies
in the layers of those who still carry it (`territory:x~400.548.548`), and of each bucket that a person holds, the layer
of the person's role is held too. So scope alone decides what travels, and everybody who holds a bucket gets the same
bytes of it. What may not reach one of them travels to none (`is_online_only`).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct

from sfa.core.access import ROLES

DAY_MS = 24 * 3600 * 1000
PROFILE_DAYS_MIN = 30  # what the entities' limits allow: a younger row needs no look at any profile
OF_PEOPLE = "forecast_overrides"  # what managers say of a person is among them
DAYS_OF = {"visits": "visit_days", "notes": "note_days", "deals": "deal_days", "attachments": "note_days"}
NAMED_BY = ("visits", "notes", "deals")  # files go with the notes, and name no layer


def is_online_only(entity: str, row: Mapping[str, Any]) -> bool:
    """Whether no device carries a row, however young. What a manager puts in the place of a person's own figure is not
    for that person (R25), and whoever holds its bucket now or later, as a manager of his own team, may be he."""
    return entity == OF_PEOPLE and row.get("level") == "manager" and row.get("user_key") is not None


class Profiles(Struct, frozen=True):
    """`days`: role -> entity -> days, for every role."""

    days: Mapping[str, Mapping[str, int]]

    def layer(self, role: str) -> str:
        """What it carries, in days of visits, notes and deals."""
        return ".".join(str(self.days[role][entity]) for entity in NAMED_BY)

    def past(self, occupied: Collection[str] = ()) -> dict[str, str]:
        """role -> the layer that its devices carry. A role that carries no more than anybody needs none, but keeps one
        in which rows still lie (`occupied`): they go to the buckets only when the job comes to them."""
        least = {entity: min(self.days[role][entity] for role in ROLES) for entity in DAYS_OF}
        layers = {role: self.layer(role) for role in ROLES}
        return {role: layer for role, layer in layers.items() if self.days[role] != least or layer in occupied}

    def lengths(self, entity: str) -> list[int]:
        """The different numbers of days, the shortest first."""
        return sorted({self.days[role][entity] for role in ROLES})

    def layers(self, entity: str, since: int, now_ms: int) -> tuple[str, ...] | None:
        """The layers in which a row lies whose time counts from `since`: None while everybody carries it, () when
        nobody does any more."""
        kept = [role for role in ROLES if since > now_ms - self.days[role][entity] * DAY_MS]
        return None if len(kept) == len(ROLES) else tuple(sorted({self.layer(role) for role in kept}))


def profiles_of(rows: Iterable[Mapping[str, Any]], history_days: int) -> Profiles:
    """Of a company's profile rows in the order of their keys; the first one of a role counts."""
    days = {role: dict.fromkeys(DAYS_OF, history_days) for role in ROLES}
    seen: set[str] = set()
    for row in rows:
        if row["role"] not in seen:
            seen.add(row["role"])
            days[row["role"]] = {e: row[field] or history_days for e, field in DAYS_OF.items()}
    return Profiles(days)
