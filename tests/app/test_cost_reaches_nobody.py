"""No cost reaches who has no right to it, on any path (R45): every GET of the API, sync, files, errors, exports.

Unmistakable amounts are planted as costs, and all that the director's P&L makes of them is looked for too, as whole
numbers and as decimals. Paths are read off the description of the API, so a new route is walked as well; that the walk
can find something shows the director's.
"""

import re
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from proposals.buyer.page.limits import Limits
from sfa.app.factory import Services
from sfa.core.entities import ENTITIES
from sfa.core.money import format_minor
from sfa.db.tables import commission_entries
from sfa.profit.company.by import DIMENSIONS
from sfa.profit.items import KINDS
from sfa.web.openapi import description
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk, opened
from tests.deals.conftest import line, stated
from tests.files.cabinet import values
from tests.office import Office
from tests.profit.selling import guided, won
from tests.proposals.selling import offered, order

UNIT, HOUR, KILOMETRE, FREIGHT, CO_OP, CAMPAIGN, MEAL = 7_313_131, 431_317, 219_937, 613_117, 157_739, 877_711, 515_253
CAPITAL_BP = 17_333
FLOOR_BP = 17_379
PLANTED = {UNIT, HOUR, KILOMETRE, FREIGHT, CO_OP, CAMPAIGN, MEAL, CAPITAL_BP, FLOOR_BP}
SINCE = {"valid_from": "2025-01-01"}
COSTLY = {kind for kind, about in KINDS.items() if about.right == "cost"}
WITHOUT_RIGHT = ("ana", "mia")
STREAMS = {"/sync/live"}
ASKED = {
    "q": "pump",
    "on": "2026-01-05",
    "purpose": "marketing",
    "channel": "email",
    "entity": "deals",
    "key": "deal-a",
}
ASKED |= {"from": "2026-01-01", "to": "2027-01-01"}
# What a parameter of a path names, where the words before it do not say.
NAMED = {"user": "users", "period": "fiscal_periods", "device_key": "", "entity": "", "drain": "", "rev": ""}
CALLS_MAX = 120  # of one path
MOMENT_MS = 200


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    plant(office)
    with opened(office) as found:
        yield found


def plant(office: Office) -> None:
    euros = {"currency": "EUR"}
    period = {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}
    quota = {"period_key": "FY2026.Q1", "measure": "margin", "target": 1_000_000, **euros}
    plan = {"name": "Plan", **euros, **SINCE, "tiers": [{"from_minor": 0, "rate_bp": 500}], "measure": "margin"}
    charge = {"deal_key": "deal-a", **euros, "booked_on": "2026-01-02"}
    effort = {"deal_key": "deal-a", "account_key": "acme", "owner_key": "ana"}
    office.put(
        ("fiscal_periods", "FY2026.Q1", period),
        ("unit_costs", "c-pump", {"amount_minor": UNIT}),
        ("prices", "p-pump", {"amount_minor": 10_000_000}),
        ("cost_rates", "hour", {"kind": "visit_hour", "amount_minor": HOUR, **euros, **SINCE}),
        ("cost_rates", "work", {"kind": "work_hour", "amount_minor": HOUR, **euros, **SINCE}),
        ("cost_rates", "km", {"kind": "kilometre", "amount_minor": KILOMETRE, **euros, **SINCE}),
        ("cost_rates", "capital", {"kind": "capital", "rate_bp": CAPITAL_BP, **SINCE}),
        ("campaigns", "fair", {"name": "Fair", "start_on": "2026-01-01"}),
        (
            "campaign_costs",
            "stand",
            {"campaign_key": "fair", "amount_minor": CAMPAIGN, **euros, "booked_on": "2026-01-01"},
        ),
        ("campaign_touches", "t", {"campaign_key": "fair", "account_key": "acme", "touched_at": NOW - 9 * DAY_MS}),
        ("commission_plans", "plan", plan),
        ("commission_assignments", "ana-plan", {"plan_key": "plan", "user_key": "ana", **SINCE}),
        ("discount_limits", "rep", {"role": "rep", "limit_bp": 500, **SINCE}),
        ("quotas", "q-team", {"team_key": "north", **quota}),
        ("quotas", "q-ana", {"user_key": "ana", **quota, "measure": "revenue"}),
        ("quotas", "q-ana-margin", {"user_key": "ana", **quota}),
        ("notes", "n", {"account_key": "acme", "author_key": "ana", "body": "Wants a pump."}),
        ("attachments", "photo", values(b"x", author_key="ana")),
        ("work_entries", "w", {**effort, "minutes": 90, "done_on": "2026-01-03"}),
        (
            "expenses",
            "lunch",
            {"owner_key": "cleo", "account_key": "zeta", "kind": "meal", "amount_minor": MEAL}
            | euros
            | {"spent_on": "2026-01-03"},
        ),
    )
    line(office, "l1", "deal-a", quantity="3", unit_price_minor=9_000_000)
    proposed(office)
    visit = {"account_key": "acme", "owner_key": "ana", "status": "completed", "deal_key": "deal-a"}
    at = NOW - 2 * DAY_MS
    stated(
        office,
        ("visits", "v", {**visit, "checked_in_at": at, "checked_out_at": at + 5_000_000}),
        ("deals", "deal-a", {"amount_minor": 27_000_000, "payment_days": 45, "opened_on": "2026-01-01"}),
        ("deals", "deal-a", {"stage_key": "won", "closed_at": NOW - DAY_MS}),
    )
    office.put(
        ("deal_charges", "freight", {**charge, "kind": "freight", "amount_minor": FREIGHT}),
        ("deal_charges", "co-op", {**charge, "kind": "co_op", "amount_minor": CO_OP}),
        ("deal_charges", "credit", {**charge, "kind": "credit_note", "amount_minor": 1_000}),
    )
    won(office, [8_000_000 + n for n in range(6)])
    guided(office)


def proposed(office: Office) -> None:
    """One proposal that was sent, and one that waits for a director because of its margin, and says nothing of it."""
    floors = {"ana": ("rep", -FLOOR_BP), "mia": ("manager", 9_999)}
    office.put(
        *(("margin_floors", f"f-{n}", {"role": role, "floor_bp": bp, **SINCE}) for n, (role, bp) in floors.items()),
        ("deals", "deal-p", {"name": "P", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}),
    )
    price = {"unit_price_minor": 9_700_000}
    ana = offered(office, "sent", deal_key="deal-p", line=price)
    assert order(ana, "submit", "sent").outcome == "applied"  # where there is a floor, it is said by submitting alone
    assert order(ana, "send", "sent").outcome == "applied"
    offered(office, "waits", deal_key="deal-p", line={"unit_price_minor": 9_600_000}, author_key="ana")
    assert order(office.phone("mia"), "submit", "waits").outcome == "applied"
    assert office.row("proposals", "waits")["needs"] == ["director"]
    assert order(office.phone("mia"), "send", "waits").code == "approval_needed"


# -- walking ----------------------------------------------------------------------------------------------------------


def addresses(desk: Desk) -> list[str]:
    """Every GET of the description, with the keys of what there is in its places."""
    keys = {entity: [row["key"] for row in desk.office.rows(entity)] for entity in ENTITIES}
    found: list[str] = []
    for path, operations in sorted(description(desk.client.app)["paths"].items()):
        if "get" not in operations or path in STREAMS:
            continue
        asked = [p for p in operations["get"].get("parameters", []) if p["in"] == "query"]
        query = "&".join(
            f"{p['name']}={ASKED[p['name']]}"
            for p in asked
            if p["required"] or path == "/sync/explain"
            if p["name"] in ASKED
        )
        for filled in _filled(path, keys):
            found.append(f"{filled}?{query}" if query else filled)
            if any(p["name"] == "format" for p in asked):
                found.append(f"{filled}?format=csv")
    found += [f"/sync/explain?entity={entity}&key={key}" for entity in keys for key in keys[entity][:3]]
    return found


def _filled(path: str, keys: dict[str, list[str]]) -> Iterator[str]:
    if "{entity}" in path:
        for entity, found in keys.items():
            yield from _filled(path.replace("{entity}", entity), {**keys, entity: found[:3]})
        return
    words = path.split("/")
    places: list[list[str]] = []
    for place, word in enumerate(words):
        if not word.startswith("{"):
            places.append([word])
        else:
            places.append(_candidates(word.strip("{}"), words[place - 1], keys))
    yield from map("/".join, islice(product(*places), CALLS_MAX))


def _candidates(name: str, before: str, keys: dict[str, list[str]]) -> list[str]:
    if before in keys:
        return keys[before]
    if before == "verify":
        return ["0" * 64, *keys["proposals"]]
    if before == "periods":
        return keys["fiscal_periods"]
    if before == "files":
        return keys["attachments"]
    if name == "dimension":
        return [*DIMENSIONS]
    for word, entity in NAMED.items():
        if name.startswith(word) and entity:
            return keys[entity]
    every = [key for of in keys.values() for key in of[:2]]
    return ["1", *every] if name in ("rev", "drain") else every


def asked(desk: Desk, user: str | None, path: str) -> Any:
    """A moment after the one before, so that nobody is told to wait instead."""
    desk.office.clock.advance(MOMENT_MS)
    services: Services = desk.client.app.state.services
    services.pages.limits = Limits(services.clock)  # or whoever guesses tokens is held up
    answer = desk.get(user, path) if user is not None else desk.client.get(path)
    assert answer.status_code != 429, path
    return answer


def heard(desk: Desk, user: str | None, statuses: dict[str, int] | None = None) -> Iterator[tuple[str, bytes]]:
    """(where, bytes) of all that somebody is answered: headers and bodies, of what he may ask and what he may not.
    `statuses` is told how each address was answered."""
    for path in addresses(desk):
        answer = asked(desk, user, path)
        if statuses is not None:
            statuses[path] = answer.status_code
        yield path, repr(sorted(answer.headers.items())).encode() + answer.content
    wishes: list[dict[str, Any]] = [{}, {"lines": {"l1": {"discount_bp": 2_000}}}, {"lines": {"x": {}}}, {"months": -1}]
    for body in wishes:
        path = "/api/deals/deal-a/what-if"
        headers = {"Authorization": f"Bearer {desk.token(user)}"} if user is not None else {}
        yield f"{path} {body}", desk.client.post(path, json=body, headers=headers).content


def synced(office: Office, user: str) -> Iterator[tuple[str, bytes]]:
    """Every byte of a full drain, and what a device is told of changes that are refused."""
    phone = office.phone(user)
    for asked in ({}, {"early": True}, {"digest": True, "page_rows": 3}):
        cursor: str | None = None
        for n in range(2_000):
            body = phone.body((), cursor=cursor, pull=True, **asked)
            answer = phone.answer(body)
            yield f"sync {asked} {n}", answer
            page = msgspec.json.decode(answer)["page"]
            cursor = page["cursor"]
            if page["caught_up"]:
                break
    yield "sync in lines", phone.answer(phone.body((), pull=True, lines=True))
    refused = [
        phone.mutation(
            "update", "unit_costs", "c-pump", base=office.rev("unit_costs", "c-pump"), set={"amount_minor": 1}
        ),
        phone.mutation("create", "unit_costs", "c-new", base=0, set={"product_key": "pump", "amount_minor": 1}),
        phone.mutation(
            "update", "deal_charges", "freight", base=office.rev("deal_charges", "freight"), set={"amount_minor": 1}
        ),
        phone.mutation("delete", "cost_rates", "hour", base=1),
    ]
    yield "sync push", phone.answer(phone.body(refused, pull=True))


def numbers_of(desk: Desk) -> set[int]:
    """What was planted, and whatever the director's P&L and state of the deal make of it. What a plan on margins pays
    for one deal is one of them: times 10,000 and divided by the rate it is the margin."""
    pnl = desk.get("dirk", "/api/deals/deal-a/pnl").json()
    found, open_ = set(PLANTED), {1_000, 27_000_000, 30_000_000, 3_000_000}
    for side in (pnl["actual"], pnl["quoted"]):
        for step in side["steps"] if side is not None else ():
            found |= {i["amount_minor"] for i in step["items"] if i["kind"] in COSTLY and i["amount_minor"]}
        totals = side["totals"] if side is not None else ()
        found |= {t["amount_minor"] for t in totals if t["total"] not in ("list", "invoice") and t["amount_minor"]}
    profit = desk.get("dirk", "/api/deals/deal-a/state").json()["profit"]
    found |= {profit["cost_minor"], profit["profit_minor"]}
    e = commission_entries.c
    paid = desk.office.database.read(lambda c: c.execute(select(e.amount_minor, e.basis_minor)).all())
    assert len(paid) > 2
    found |= {amount for row in paid for amount in row}
    return {abs(number) for number in found} - open_


def pattern_of(numbers: set[int]) -> re.Pattern[bytes]:
    words = {str(number) for number in numbers if number >= 10_000}
    words |= {re.escape(format_minor(number, "EUR")) for number in numbers if number >= 10_000}
    return re.compile(rb"(?<![\d.])(?:" + "|".join(sorted(words)).encode() + rb")(?!\d)")


# -- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", WITHOUT_RIGHT)
def test_a_rep_and_a_manager_are_told_no_cost_on_any_path(desk: Desk, user: str) -> None:
    """R45."""
    numbers = numbers_of(desk)
    assert len(numbers) > len(PLANTED) + 3
    pattern = pattern_of(numbers)
    places = 0
    for where, said in heard(desk, user):
        places += 1
        assert pattern.search(said) is None, (where, pattern.search(said))
    assert places > 200


@pytest.mark.parametrize("user", WITHOUT_RIGHT)
def test_their_devices_hold_no_cost_and_are_sent_none(desk: Desk, user: str) -> None:
    """R45: the bytes of a full drain, however it is asked for."""
    pattern = pattern_of(numbers_of(desk))
    places = list(synced(desk.office, user))
    assert len(places) >= 4
    for where, said in places:
        assert pattern.search(said) is None, (where, pattern.search(said))


def test_who_is_not_logged_in_is_told_no_cost(desk: Desk) -> None:
    """R45: a prospect has no login; what is open to him says nothing."""
    pattern = pattern_of(numbers_of(desk))
    for where, said in heard(desk, None):
        assert pattern.search(said) is None, where


def test_the_same_walk_as_the_director_finds_every_one_of_them_and_is_answered_on_every_route(desk: Desk) -> None:
    """Or the walks above could find nothing, or ask with keys and questions that are refused."""
    numbers = numbers_of(desk)
    statuses: dict[str, int] = {}
    said = b"".join(said for _, said in heard(desk, "dirk", statuses))
    said_to_device = b"".join(said for _, said in synced(desk.office, "dirk"))
    # An expense lies with its owner, whom the director manages; the campaign's cost with who sees cost.
    assert {number for number in PLANTED if not pattern_of({number}).search(said)} == set()
    assert {number for number in numbers if number >= 10_000 and not pattern_of({number}).search(said)} == set()
    assert {number for number in PLANTED if not pattern_of({number}).search(said_to_device)} == set()
    answered = {path.split("?")[0] for path, status in statuses.items() if status == 200}
    wanted = [
        *("/api/deals/deal-a/pnl", "/api/deals/deal-a/pnl.csv", "/api/deals/deal-a/state", "/api/pricing/guides"),
        *("/api/unit_costs/c-pump", "/api/history/unit_costs/c-pump", "/api/campaign_costs", "/api/cost_rates/hour"),
        *("/api/quotas/q-team/attainment", "/api/quotas/q-team/contributions", "/api/reconciliation"),
        *(f"/api/profit/{dimension}" for dimension in DIMENSIONS),
        *("/api/proposals/sent/document", "/api/proposals/waits/approvals", "/api/deals/deal-p/proposals"),
        *("/api/proposals/sent/versions", "/api/proposal-approvals", "/api/margin_floors/f-ana"),
        *("/api/profit/whales", "/api/accounts/acme/profit", "/api/campaigns/fair/roi"),
        *("/api/commission/statements/ana/FY2026.Q1", "/api/contacts/carl/export"),
    ]
    assert [path for path in wanted if path not in answered] == []
