"""Who may give which discount: the approvals that a deal's lines need (R44, R53). Pure, for devices too.

A limit says how far below the list price a role may go, for one family or (null) for all others. A role without a limit
of its own has that of the next role above; who is above every limit has none, and where nobody has a limit nothing
needs approval. Of two limits for one role, family and day (a write is refused for it) the stricter counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from sfa.core.access import ROLES, holds_on
from sfa.core.money import BP_WHOLE
from sfa.profit.items import half_up

Row = Mapping[str, Any]
NOBODY, UNKNOWN = "nobody", "unknown"


class Approval(Struct, frozen=True):
    """What a line needs. `discount_bp` is how far it is below the list, negative above it; `limit_bp` how far its
    author may go, null without limit. `role` is the lowest that may; null where none is needed, or with `code`
    no_list_price where that cannot be said, or beyond_all_limits where nobody may."""

    line_key: str
    discount_bp: int | None
    limit_bp: int | None
    role: str | None
    code: str | None = None

    @property
    def needed(self) -> bool:
        return self.role is not None or self.code is not None


def limits_of(rows: Iterable[Row], family: str | None, day: str) -> dict[str, int]:
    """role -> how far it may go with products of a family on a day; roles without any limit are not in it."""
    found: dict[tuple[str, bool], int] = {}
    for row in rows:
        if row["family"] in (family, None) and holds_on(row["valid_from"], row["valid_to"], day):
            place = row["role"], row["family"] is not None
            found[place] = min(found.get(place, row["limit_bp"]), row["limit_bp"])
    own = {role: found.get((role, True), found.get((role, False))) for role in ROLES}
    limits: dict[str, int] = {}
    above: int | None = None
    for role in reversed(ROLES):
        limit = own[role]
        above = limit if limit is not None else above
        if above is not None:
            limits[role] = above
    return limits


def approval(
    line_key: str,
    scaled: int | Fraction,
    listed: int | Fraction | None,
    limits: Mapping[str, int],
    author_role: str,
) -> Approval:
    """Of one line; `scaled` is its price per unit after discount in ten-thousandths of a minor unit."""
    limit = limits.get(author_role)
    if listed is None or listed <= 0:
        return Approval(line_key, None, limit, None, "no_list_price" if limit is not None else None)
    below = BP_WHOLE - half_up(scaled, listed)
    for role in ROLES[_place(author_role) :]:
        allowed = limits.get(role)
        if allowed is None or scaled >= listed * (BP_WHOLE - allowed):
            return Approval(line_key, below, limit, None if role == author_role else role)
    return Approval(line_key, below, limit, None, "beyond_all_limits")


def _place(role: str) -> int:
    return ROLES.index(role) if role in ROLES else 0


def highest(found: Sequence[Approval]) -> str | None:
    """The role that may approve the whole deal; `nobody` where one line is beyond all limits, `unknown` while that
    cannot be said of one."""
    if any(each.code == "beyond_all_limits" for each in found):
        return NOBODY
    if any(each.code == "no_list_price" for each in found):
        return UNKNOWN
    roles = [each.role for each in found if each.role is not None]
    return max(roles, key=_place, default=None)
