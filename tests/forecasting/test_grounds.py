"""What a call of somebody's own is based on is what the roll-up says of him (R16, R22, R29, R34)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from forecasting.grounds import views_of
from sfa.core.errors import Refused
from tests.crm.desk import Desk, opened
from tests.forecasting.review import begun, until
from tests.office import Office
from tests.quotas.ledger import rate, shares, won, write


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    """Screens of the company as it is, without periods."""
    with opened(office) as made:
        yield made


def deal(key: str, close_on: str | None, amount: int | None = 100_01, **values: Any) -> tuple[str, str, Any]:
    money = {"amount_minor": amount, "currency": "EUR" if amount is not None else None}
    return (
        "deals",
        key,
        {"name": key, "owner_key": "ana", "stage_key": "offer", "close_on": close_on, **money, **values},
    )


def mixed(office: Office) -> None:
    """Deals of every bucket, split and overlaid, of other currencies and quarters, won, reversed; Ana moves."""
    begun(office)
    write(office, rate("USD", "EUR", "0.9", "2025-01-01"), rate("USD", "EUR", "0.5", "2026-03-01"))
    write(office, deal("commit", "2026-03-30", category="commit"), deal("later", "2026-04-02", category="likely"))
    write(office, deal("old", "2026-01-06"), deal("never", None), deal("blank", "2026-03-20", None))
    write(
        office,
        deal("usd", "2026-03-20", currency="USD", category="best_case"),
        deal("yen", "2026-03-20", currency="JPY"),
    )
    write(office, deal("halves", "2026-03-20", owner_key="bob", splits=shares(bob=3_333, ana=6_667), category="commit"))
    write(office, deal("others", "2026-03-20", splits=shares(bob=5_000, cleo=5_000), category="commit"))
    write(
        office,
        deal("seen", "2026-03-20", owner_key="cleo", overlays=shares(ana=1_000)),
        deal("bobs", "2026-03-20", owner_key="bob"),
    )
    write(office, won("w", "2026-01-20", 700_00), won("x", "2026-02-03", 100_00, currency="USD", owner_key="bob"))
    write(office, won("s", "2026-02-02", 100_01, splits=shares(ana=5_000, bob=5_000), overlays=shares(cleo=2_000)))
    write(office, won("back", "2026-02-05", 60_00), won("m", "2026-02-06", 40_00, owner_key="mia"))
    office.put(("team_members", "m-ana", {"valid_to": "2026-03-01"}))
    office.put(("team_members", "m-ana2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-03-01"}))
    until(office, "2026-03-10 12:00")
    again = office.phone("ana").do("deal.reopen", "deals", "back", base=1, set={"stage_key": "lead"})
    assert again.outcome == "applied"


def test_a_persons_node_of_his_deals_alone_is_that_of_the_roll_up(office: Office, desk: Desk) -> None:
    mixed(office)
    said = set()
    for user in ("ana", "bob", "cleo", "mia", "dirk"):
        for period in ("q1", "q2"):
            for currency in ("EUR", "USD"):
                path = f"/api/forecast/nodes/user:{user}?period={period}&currency={currency}"
                views = desk.get(user, path).json()["nodes"][0]["views"]
                told = own_views_of(office, user, period, currency)
                assert told == {view: amounts["rolled_up"] for view, amounts in views.items()}, (user, path)
                said.add(tuple(told.values()))
    assert len(said) > 10  # and not nothing for everybody


def views(office: Office, user: str, node: str, period: str, currency: str) -> dict[str, int]:
    return dict(office.database.read(views_of, office.clock.now_ms(), user, node, period, currency))


def own_views_of(office: Office, user: str, period: str, currency: str) -> dict[str, int]:
    return views(office, user, f"user:{user}", period, currency)


def test_a_teams_node_of_its_peoples_deals_is_that_of_the_roll_up_byte_for_byte(office: Office, desk: Desk) -> None:
    """Also in the quarter in which somebody came to it, left it, or shares a deal with another team (R16, R18)."""
    mixed(office)
    office.put(("team_members", "m-bob", {"valid_to": "2026-02-01"}))  # who left stays where he was
    office.put(("team_members", "m-cleo", {"valid_to": "2026-03-05"}))
    office.put(("team_members", "m-cleo2", {"team_key": "north", "user_key": "cleo", "valid_from": "2026-03-05"}))
    office.put(("team_members", "m-root", {"team_key": "south", "user_key": "dirk", "role": "manager",
                                           "valid_from": "2026-01-01"}))  # fmt: skip
    said = set()
    for user, team in (("mia", "north"), ("dirk", "all-sales"), ("dirk", "south")):
        for period in ("q1", "q2"):
            for currency in ("EUR", "USD"):
                path = f"/api/forecast/nodes/team:{team}?period={period}&currency={currency}"
                answer = desk.get(user, path)
                assert answer.status_code == 200, (team, answer.text)
                told = {view: a["rolled_up"] for view, a in answer.json()["nodes"][0]["views"].items()}
                found = views(office, user, f"team:{team}", period, currency)
                assert msgspec.json.encode(found) == msgspec.json.encode(told), (user, path)
                said.add(tuple(told.values()))
    assert len(said) > 8


def test_a_team_that_the_caller_sees_and_does_not_manage_himself_is_not_read(office: Office, desk: Desk) -> None:
    begun(office)
    for user, node in (("dirk", "team:north"), ("ana", "team:north"), ("mia", "user:ana"), ("mia", "company")):
        with pytest.raises(Refused) as refused:
            views(office, user, node, "q1", "EUR")
        assert refused.value.code == "not_found"
    refusal = desk.post("dirk", "/api/forecast/calls", json={"commit_minor": 1, "node": "team:north"})
    assert (refusal.status_code, refusal.json()["code"]) == (403, "not_permitted")


def test_it_refuses_what_the_roll_up_refuses(office: Office) -> None:
    begun(office)
    for period, currency, code in (("q9", "EUR", "period_unknown"), ("q1", "XQX", "currency_unknown")):
        with pytest.raises(Refused) as refused:
            own_views_of(office, "ana", period, currency)
        assert refused.value.code == code


def test_a_call_makes_no_roll_up_of_the_company(office: Office, desk: Desk) -> None:
    """And so leaves the next one cold, as the write does anyway."""
    mixed(office)
    team = desk.post("mia", "/api/forecast/calls", json={"commit_minor": 1, "node": "team:north"})
    assert team.json()["based_on"] == views(office, "mia", "team:north", "q1", "EUR")
    made = desk.post("ana", "/api/forecast/calls", json={"commit_minor": 1})
    assert made.status_code == 201
    assert made.json()["based_on"] == own_views_of(office, "ana", "q1", "EUR")
    asked = desk.get("ana", "/api/forecast/nodes/user:ana?period=q1&currency=EUR")
    assert asked.headers["sfa-forecast"] == "cold"
