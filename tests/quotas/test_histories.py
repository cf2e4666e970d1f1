"""On any history of deals, visits, moves and merges a figure is the exact sum of its contributions (R10), and a root
with what nobody is placed for is everything (R18), on both databases."""

from random import Random
from typing import Any

import pytest

from tests.office import Office
from tests.quotas.ledger import (
    FEBRUARY,
    JANUARY,
    Q1,
    Q2,
    Row,
    at,
    check_explained,
    contributions,
    line,
    quota,
    rate,
    shares,
    stored,
    visit,
    won,
    write,
)

DAYS = ("2025-12-31", "2026-01-01", "2026-01-20", "2026-01-31", "2026-02-01", "2026-02-09", "2026-03-31", "2026-04-01")
PEOPLE = ("ana", "bob", "cleo")
LEAVES = ("north", "south")
MEASURES = ("revenue", "margin", "quantity", "total_contacts", "unique_contacts", "new_accounts")
STATES = ("completed", "completed", "completed", "no_show", "cancelled", "checked_in", "planned")


def found_company(office: Office, chance: Random) -> None:
    """Quotas of every measure for people, teams and territories; people who move between the leaves of the tree."""
    write(office, Q1, Q2, JANUARY, FEBRUARY, rate("USD", "EUR", "0.9", "2025-01-01"))
    write(office, rate("EUR", "USD", "1.25", "2026-02-01"), rate("USD", "EUR", "0.77", "2026-02-09"))
    write(office, ("accounts", "acme", {"tier": "A"}), ("products", "hose", {"name": "Hose", "unit": "metre"}))
    rows: list[Row] = []
    for user, day in zip(PEOPLE, chance.sample(DAYS[1:7], 3), strict=True):
        rows.append(("team_members", f"m-{user}", {"team_key": chance.choice(LEAVES), "valid_to": day}))
        if chance.random() < 0.7:
            moved = {"team_key": chance.choice(LEAVES), "user_key": user, "valid_from": day}
            rows.append(("team_members", f"m2-{user}", moved))
    owners: list[dict[str, Any]] = [{"user_key": user} for user in PEOPLE]
    owners += [{"team_key": team} for team in ("all-sales", *LEAVES)]
    owners += [{"territory_key": place} for place in ("t-north", "t-south")]
    for owner in owners:
        (whose,) = owner.values()
        for measure in MEASURES:
            for when in ("Q1", "Q2", "P01", "P02"):
                rows.append(quota(f"{measure}-{whose}-{when}", measure, when, **owner))
    strict: dict[str, Any] = {"counts_unverified": False, "counts_out_of_range": False, "counts_no_show": True}
    rows.append(quota("strict", "unique_contacts", team_key="all-sales", **strict))
    rows.append(quota("tier", "total_contacts", team_key="all-sales", account_tier="A", counts_cancelled=True))
    rows.append(quota("over", team_key="all-sales", overlay=True, currency="USD"))
    rows.append(quota("dollars", user_key="ana", currency="USD"))
    rows.append(quota("metres", "quantity", team_key="all-sales", unit="metre"))
    write(office, *rows)


def live(office: Office, chance: Random) -> None:
    """Deals are won, split, changed and reopened; visits happen, are corrected, and their contacts merged."""
    for n in range(12):
        owner, other = chance.sample(PEOPLE, 2)
        part = chance.randint(0, 10_000)
        said: dict[str, Any] = {"owner_key": owner, "account_key": chance.choice(("acme", "zeta", None))}
        said |= {"currency": chance.choice(("EUR", "EUR", "USD")), "overlays": shares(cleo=2_500)}
        said |= {"splits": shares(**{owner: part, other: 10_000 - part}) if chance.random() < 0.5 else []}
        day = chance.choice(DAYS)
        write(office, won(f"d{n}", day, chance.randint(-999, 99_999), **said), line(f"l{n}", f"d{n}", f"{n}.25"))
        if chance.random() < 0.3:
            write(office, line(f"h{n}", f"d{n}", "1.5", "hose"))
        if chance.random() < 0.3:
            reopen(office, f"d{n}", chance)
    for n in range(25):
        about: dict[str, Any] = {"owner_key": chance.choice(PEOPLE), "visit_type": chance.choice((None, "demo"))}
        about |= {"account_key": "acme", "contact_key": chance.choice(("carl", "carl2", None))}
        about |= {"status": chance.choice(STATES), "planned_at": at(chance.choice(DAYS), 9)}
        about["verdict"] = chance.choice(("in_range", "out_of_range", "unverifiable", None))
        write(office, visit(f"v{n}", chance.choice(DAYS), chance.randint(0, 23), **about))
    for n in range(6):
        field, new = chance.choice((("checked_in_at", at(chance.choice(DAYS), 7)), ("contact_key", "carl2")))
        said = {"visit_key": f"v{n}", "author_key": "ana", "amended_at": at(DAYS[-1]), "ordinal": 1, "reason": "r"}
        write(office, ("visit_amendments", f"am{n}", {**said, "field": field, "new": new}))


def reopen(office: Office, key: str, chance: Random) -> None:
    row = office.row("deals", key)
    fields = ("stage_key", "closed_at", "owner_key", "amount_minor", "currency", "splits", "overlays")
    ended = {field: row[field] for field in fields} | {
        "reopened_at": row["closed_at"] + chance.randint(0, 40) * 86_400_000
    }
    write(office, ("deals", key, {"stage_key": "offer", "closed_at": None, "closings": [ended]}))
    if chance.random() < 0.5:
        write(office, ("deals", key, {"stage_key": "won", "closed_at": ended["reopened_at"] + 1, "amount_minor": 5}))


@pytest.mark.parametrize("seed", range(4))
def test_r10_and_r18_hold_on_any_history(office: Office, seed: int) -> None:
    chance = Random(seed)
    write(office, ("contacts", "carl2", {"account_key": "acme", "name": "Carlo"}))
    found_company(office, chance)
    live(office, chance)
    check_tree(office, None)
    check_tree(office, at(chance.choice(DAYS), 15))
    assert office.phone("ana").do("contact.merge", "contacts", "carl2", set={"into": "carl"}).outcome == "applied"
    found = check_tree(office, None)
    assert len([figure for figure in found.values() if figure]) > 20


def check_tree(office: Office, as_of: int | None) -> dict[str, int | None]:
    """The root is what its leaves sum up to (everybody is in one team at a time, and in no other): only unique contacts
    do not add up, as two teams may meet one person."""
    found = {key: figure.value for key, figure in check_explained(office, as_of).items()}
    for measure in set(MEASURES) - {"unique_contacts"}:
        for when in ("Q1", "Q2", "P01", "P02"):
            leaves = [found[f"{measure}-{team}-{when}"] for team in LEAVES]
            assert found[f"{measure}-all-sales-{when}"] == sum(value or 0 for value in leaves), (measure, when)
    assert as_of is not None or placed_and_unplaced(office) == everything(office)
    return found


def everything(office: Office) -> int:
    """What all credits of the first quarter are, in cents whatever the currency, counted by hand."""
    return sum(
        _signed(c)
        for c in stored(office)[0]
        if not c["overlay"] and at("2026-01-01", 0) <= c["at"] < at("2026-04-01", 0)
    )


def placed_and_unplaced(office: Office) -> int:
    """The same by the explanation of the root, and the credits of people who are in no team on their day."""
    root = contributions(office, "revenue-all-sales-Q1", left_out=True)
    placed = sum(-(c.amount_minor or 0) if c.reversal else (c.amount_minor or 0) for c in root)
    members = office.rows("team_members")
    outside = 0
    for c in stored(office)[0]:
        if c["overlay"] or not at("2026-01-01", 0) <= c["at"] < at("2026-04-01", 0):
            continue
        mine = [m for m in members if m["user_key"] == c["user_key"] and at(m["valid_from"], 0) <= c["at"]]
        if not any(m["valid_to"] is None or c["at"] < at(m["valid_to"], 0) for m in mine):
            outside += _signed(c)
    return placed + outside


def _signed(credit: dict[str, Any]) -> int:
    return int(-credit["amount_minor"] if credit["reversal"] else credit["amount_minor"])
