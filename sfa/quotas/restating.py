"""What a closed figure would be today, and why it differs (R2, R17, R18, R34): pure.

A figure is the sum of its contributions (R10), so two figures differ by what was added, removed or changed. `restated`
lists each contribution that differs once: what was closed plus the deltas is exactly what the figure is now. Why it
differs is one stable word of `WHYS`, found from what happened to the record since the closing; where several things
happened, the first that fits counts. It decides nothing about who may see the record.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

Kind = Literal["added", "removed", "changed"]

LATE = "late"
REOPENED = "reopened"
CHANGED_AMOUNT = "changed_amount"
CHANGED_COST = "changed_cost"
CHANGED_SPLIT = "changed_split"
CHANGED_OWNER = "changed_owner"
CHANGED_CUSTOMER = "changed_customer"
DATED_OTHERWISE = "dated_otherwise"
RATE_CORRECTED = "rate_corrected"
RULE_CHANGED = "rule_changed"
MEMBERSHIP_CHANGED = "membership_changed"
MERGED = "merged"
DELETED = "deleted"
REPEATED = "repeated"
OTHER = "other"
WHYS: dict[str, str] = {
    LATE: "it happened inside the period and was stored after the closing",
    REOPENED: "a deal was reopened, or its end is dated otherwise",
    CHANGED_AMOUNT: "the amount, the currency or the quantity is another one",
    CHANGED_COST: "what the goods cost is another figure",
    CHANGED_SPLIT: "the deal is shared out otherwise",
    CHANGED_OWNER: "it belongs to somebody else",
    CHANGED_CUSTOMER: "it is about another customer",
    DATED_OTHERWISE: "the time at which a visit took place was corrected",
    RATE_CORRECTED: "the rate of that day is another one, or was missing",
    RULE_CHANGED: "what counts is another rule: the state of a visit, a tier, the quota's own settings, when a deal is "
    "credited, which stages win, the unit of a product, the zone of the company",
    MEMBERSHIP_CHANGED: "who belongs to the team, or what to the territory, on that day is another one",
    MERGED: "records were merged, or a merge was undone",
    DELETED: "the record was deleted",
    REPEATED: "of several to the same person, or of the same customer, another one is the first now",
    OTHER: "nothing of this happened to the record itself",
}
# What says that something happened at all, and when.
EVENTS: dict[str, frozenset[str]] = {
    "deals": frozenset({"stage_key", "closed_at", "signed_at", "invoiced_at"}),
    "accounts": frozenset({"stage_key", "closed_at", "signed_at", "invoiced_at"}),
    "visits": frozenset({"status", "checked_in_at", "planned_at"}),
}
# What decides, beside them, whether it counts.
STATES: dict[str, frozenset[str]] = {
    "visits": frozenset({"status", "verdict", "visit_type", "contact_key"}),
    "accounts": frozenset({"tier"}),
}
SHARES = frozenset({"splits", "overlays"})
WORTH = frozenset({"amount_minor", "currency"})
TIMES = frozenset({"checked_in_at", "planned_at"})


class Place(NamedTuple):
    """Which contribution: unique in one quota. `ordinal` is the end of a deal, 0 for anything else."""

    entity: str
    row_key: str
    ordinal: int
    reversal: bool
    user_key: str


Fact = tuple[str, str, int, bool]  # what happened, whoever it is credited to


class Was(Struct, frozen=True):
    """What one contribution said, then or now: `value` in the unit of the measure, `amount_minor` in `currency`, `rate`
    is the text of the row that was used."""

    at: int
    share_bp: int
    amount_minor: int | None
    currency: str | None
    rate: str | None
    value: int
    reason: str


class Part(Was, frozen=True, kw_only=True):
    """One contribution as a closing keeps it."""

    place: Place


class Difference(Struct, frozen=True):
    """A contribution that is not what it was: `before` is null where it was added, `after` where it is gone."""

    kind: Kind
    why: str
    place: Place
    before: Part | None
    after: Part | None
    delta: int


class Since(Struct, frozen=True):
    """What happened to one record after the closing. `made`: it was stored for the first time; `fields` are its own
    that changed, `account_fields` those of its customer; `merged`: it or its customer took part in a merge; `lines`:
    those of a deal are other ones. Of a customer (new accounts) it is what happened to his deals, of a visit also what
    amendments corrected."""

    made: bool = False
    gone: bool = False
    merged: bool = False
    lines: bool = False
    fields: frozenset[str] = frozenset()
    account_fields: frozenset[str] = frozenset()


class Quota(Struct, frozen=True):
    """What of the quota matters: whether who belongs to its team or territory was changed, whether its own rules or
    those of the company were, or what goods cost, whether its closed figure lacked what had no rate, and what is left
    out of it now as `repeated`."""

    measure: str
    members_changed: bool = False
    rules_changed: bool = False
    company_rules_changed: bool = False
    costs_changed: bool = False
    incomplete: bool = False
    repeated: frozenset[Place] = frozenset()


UNTOUCHED = Since()


def restated(
    closed: Iterable[Part], now: Iterable[Part], since: Mapping[tuple[str, str], Since], quota: Quota
) -> list[Difference]:
    """Every contribution whose value differs, by place. `since` is asked by (entity, row_key); what it does not know
    was not touched. What has the same value is no difference, whatever else it says now."""
    before = {part.place: part for part in closed}
    after = {part.place: part for part in now}
    facts_before, facts_after = ({place[:4] for place in side} for side in (before, after))
    found: list[Difference] = []
    for place in sorted(before.keys() | after.keys()):
        was, is_ = before.get(place), after.get(place)
        delta = (is_.value if is_ is not None else 0) - (was.value if was is not None else 0)
        touched = since.get((place.entity, place.row_key), UNTOUCHED)
        shared = place[:4] in facts_before and place[:4] in facts_after
        if was is not None and is_ is not None:
            if delta:
                found.append(Difference("changed", _why_changed(was, is_, touched, quota), place, was, is_, delta))
        elif is_ is not None:
            found.append(Difference("added", _why_added(is_, touched, quota, shared), place, None, is_, delta))
        elif was is not None:
            found.append(Difference("removed", _why_removed(was, touched, quota, shared), place, was, None, delta))
    return found


def differing(closed: Iterable[Part], now: Iterable[Part]) -> set[tuple[str, str]]:
    """(entity, row_key) of what `restated` would list: the records to be asked about."""
    before = {part.place: part.value for part in closed}
    after = {part.place: part.value for part in now}
    places = before.keys() | after.keys()
    return {(p.entity, p.row_key) for p in places if before.get(p) != after.get(p)}


def _why_changed(was: Part, is_: Part, since: Since, quota: Quota) -> str:
    if was.share_bp != is_.share_bp:
        return CHANGED_SPLIT
    if (was.amount_minor, was.currency) != (is_.amount_minor, is_.currency):
        return CHANGED_AMOUNT if since.fields & WORTH or not since.fields & SHARES else CHANGED_SPLIT
    if was.rate != is_.rate:
        return RATE_CORRECTED
    if quota.measure == "margin":
        return CHANGED_COST
    if quota.measure == "revenue":  # one amount, one rate text: the pair is quoted the other way round now
        return RATE_CORRECTED
    return RULE_CHANGED if quota.company_rules_changed and not since.lines else CHANGED_AMOUNT


def _why_added(part: Part, since: Since, quota: Quota, shared: bool) -> str:
    place = part.place
    if place.reversal:
        return REOPENED
    if since.made:
        return LATE
    if since.merged:
        return MERGED
    if _is_redated(place, since):
        return DATED_OTHERWISE
    if not shared and since.fields & EVENTS.get(place.entity, frozenset()):
        return LATE
    if place.entity == "accounts" and "closings" in since.fields:
        return REOPENED
    if quota.incomplete and part.rate is not None and not since.fields and not since.lines:
        return RATE_CORRECTED
    return _why_moved(place, since, quota)


def _why_removed(part: Part, since: Since, quota: Quota, shared: bool) -> str:
    place = part.place
    if place.reversal:
        return REOPENED
    if since.merged:
        return MERGED
    if since.gone:
        return DELETED
    if place.entity == "accounts" and "closings" in since.fields:
        return REOPENED
    if place.entity == "accounts" and "account_key" in since.fields:
        return CHANGED_CUSTOMER
    if place in quota.repeated or (place.entity == "accounts" and since.made):
        return REPEATED
    if _is_redated(place, since):
        return DATED_OTHERWISE
    if not shared and since.fields & EVENTS.get(place.entity, frozenset()):
        return REOPENED if place.entity == "deals" else RULE_CHANGED
    return _why_moved(place, since, quota)


def _is_redated(place: Place, since: Since) -> bool:
    """The same visit, which took place at another time."""
    return place.entity == "visits" and bool(since.fields & TIMES) and "status" not in since.fields


def _why_moved(place: Place, since: Since, quota: Quota) -> str:
    """The record was there and is there, and counts for somebody else, or not any more."""
    if "owner_key" in since.fields:
        return CHANGED_OWNER
    if since.fields & SHARES:
        return CHANGED_SPLIT
    if since.fields & WORTH or (since.lines and quota.measure == "quantity"):
        return CHANGED_AMOUNT
    if since.lines and quota.measure == "margin":
        return CHANGED_COST
    if "account_key" in since.fields:
        return CHANGED_CUSTOMER
    if quota.rules_changed or "tier" in since.account_fields or since.fields & STATES.get(place.entity, frozenset()):
        return RULE_CHANGED
    if quota.members_changed or "territory_key" in since.account_fields:
        return MEMBERSHIP_CHANGED
    if quota.measure == "unique_contacts" and not since.fields:
        return REPEATED
    if quota.costs_changed:
        return CHANGED_COST
    return RULE_CHANGED if quota.company_rules_changed else OTHER
