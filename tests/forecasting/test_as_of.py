"""A roll-up as of a day that is over: the snapshot of that day, equal to what the roll-up said that day (R27)."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from forecasting import frozen
from forecasting.answers import Basis
from forecasting.service import Forecasts, Wanted
from sfa.crm.online import Online
from sfa.db.database import open_database
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk, opened
from tests.forecasting.selling import DOLLARS, Q1, Q2, order, shares, take
from tests.office import Office

PATH = "/api/forecast/rollup"
ABOUT = ("as_of_snapshot", "seq", "rates")


@pytest.fixture
def desk(selling: Office) -> Iterator[Desk]:
    """Everything that a snapshot must keep: a win, an overlay, a split, another currency, holes, categories."""
    order(selling, "deal.win", "deal-c")
    selling.put(
        ("deals", "deal-b", {"overlays": shares(ana=1_000), "category": "commit"}),
        ("deals", "deal-e", {"name": "Pipes", "owner_key": "mia", "stage_key": "lead", "close_on": "2026-01-02"}),
        ("deals", "deal-f", {"name": "Taps", "owner_key": "cleo", "stage_key": "offer", "account_key": "acme"}),
        ("deals", "deal-f", {"amount_minor": 7_000, "currency": "USD"}),
        ("deals", "deal-g", {"name": "Nuts", "owner_key": "ana", "stage_key": "lead", "category": "omitted"}),
        ("deals", "deal-g", {"amount_minor": 10, "currency": "CHF", "close_on": "2026-03-03"}),
    )
    with opened(selling) as found:
        yield found


def next_day(desk: Desk) -> None:
    desk.office.clock.advance(DAY_MS)
    desk.forget_tokens()


def asked(desk: Desk, query: str = "", user: str = "fay") -> dict[str, Any]:
    answer = desk.get(user, f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told_alike(found: dict[str, Any]) -> dict[str, Any]:
    """What a frozen roll-up and a live one both say."""
    for name in ABOUT:
        found.pop(name)
    for node in found["nodes"]:
        for view in node["views"].values():
            for name in ("own_adjusted", "manager_adjusted", "code"):
                view.pop(name)
    return found


@pytest.mark.parametrize("by", ["owner", "territory", "product"])
@pytest.mark.parametrize("period", [Q1, Q2])
def test_a_frozen_roll_up_is_what_the_live_one_was_that_day_r27(desk: Desk, by: str, period: str) -> None:
    live = asked(desk, f"period={period}&by={by}")
    take(desk.office)
    next_day(desk)
    past = asked(desk, f"period={period}&by={by}&as_of=2026-01-05")
    assert past["as_of_snapshot"] == 1
    assert told_alike(past) == told_alike(live)


def test_a_period_that_was_over_stands_as_on_its_last_day_frozen_and_live_r27(desk: Desk) -> None:
    """Bob, who closed in it, and Ana, who did not, come to the south after it; so does a team."""
    day = "2026-04-02"
    desk.office.clock.advance(100 * DAY_MS)
    desk.forget_tokens()
    for user in ("ana", "bob"):
        desk.office.put(("team_members", f"m-{user}", {"valid_to": day}))
        desk.office.put(
            ("team_members", f"m-{user}-2", {"team_key": "south", "user_key": user, "valid_from": day}),
        )
    desk.office.put(
        ("teams", "new", {"name": "New"}),
        ("users", "nils", {"name": "Nils", "email": "nils@example.com", "role": "rep"}),
    )
    desk.office.put(
        ("team_edges", "e-new", {"team_key": "new", "parent_key": "south", "valid_from": day}),
        ("team_members", "m-nils", {"team_key": "new", "user_key": "nils", "valid_from": day}),
    )
    live = {period: asked(desk, f"period={period}") for period in (Q1, Q2)}
    take(desk.office, 100)
    next_day(desk)
    for period, stands, own in ((Q1, "team:north", False), (Q2, "team:south", True)):
        past = asked(desk, f"period={period}&as_of=2026-04-15")
        parents = {node["node"]: node["parent"] for node in past["nodes"]}
        assert (parents["user:ana"], parents["user:bob"], "user:nils" in parents) == (stands, stands, own)
        assert told_alike(past) == told_alike(live[period])


def test_what_was_frozen_is_read_apart_from_who_answers_r27(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take(desk.office)
    next_day(desk)
    threads: list[str] = []

    def watched(*args: Any) -> Basis:
        threads.append(threading.current_thread().name.rpartition("_")[0])
        return frozen.past(*args)

    async def ask() -> None:
        database = open_database(desk.office.database.url, durable=False)
        try:
            forecasts = Forecasts(Online(database, desk.office.clock, {}), watched)
            told, warm = await forecasts.rollup("root", Wanted(period=Q1, as_of="2026-01-05"))
            assert (told.as_of_snapshot, warm) == (1, False)
        finally:
            await database.close_async()

    asyncio.run(ask())
    assert threads == ["sfa-reader" if desk.office.database.dialect == "sqlite" else "sfa-apart"]


def test_the_past_does_not_follow_what_changes_r27(desk: Desk) -> None:
    take(desk.office)
    next_day(desk)
    before = desk.get("fay", f"{PATH}?period={Q1}&as_of=2026-01-05").content
    desk.office.put(
        ("deals", "deal-a", {"amount_minor": 1}),
        ("rates", "usd", {**DOLLARS, "rate": "0.9"}),
        ("team_members", "m-ana", {"valid_to": "2025-03-01"}),
    )
    now = desk.get("fay", f"{PATH}?period={Q1}&as_of=2026-01-05").content
    assert now == before
    take(desk.office, 1)
    assert desk.get("fay", f"{PATH}?period={Q1}&as_of=2026-01-05").content == before


def test_a_past_without_snapshot_and_another_currency_are_refused(desk: Desk) -> None:
    assert desk.office.clock.now_ms() == NOW
    take(desk.office)
    next_day(desk)
    for query, code in (
        ("as_of=2026-01-04", "forecast_snapshot_missing"),
        ("as_of=2026-01-05&currency=USD", "forecast_currency_fixed"),
    ):
        assert desk.get("fay", f"{PATH}?period={Q1}&{query}").json()["code"] == code


def test_a_snapshot_that_comes_late_is_in_the_next_answer_r27(desk: Desk) -> None:
    """Taken before midnight and stored after it, it moves no clock."""
    take(desk.office)
    next_day(desk)
    desk.office.put(("deals", "deal-b", {"amount_minor": 1_000}))
    next_day(desk)
    asked_then = f"period={Q1}&as_of=2026-01-06"
    before = asked(desk, asked_then)
    assert (before["as_of_snapshot"], asked(desk, asked_then)) == (1, before)
    take(desk.office, 1)
    after = asked(desk, asked_then)
    assert (after["as_of_snapshot"], after["node"]) == (2, "company")
    assert after["nodes"][0]["buckets"] != before["nodes"][0]["buckets"]


def test_neither_a_deleted_period_nor_another_currency_of_the_company_changes_what_was_frozen_r27(desk: Desk) -> None:
    take(desk.office)
    next_day(desk)
    asked_then = f"period={Q1}&as_of=2026-01-05"
    before = asked(desk, asked_then)
    desk.office.put(("organisations", "org", {"currency": "USD"}))
    desk.office.delete("fiscal_periods", Q1)
    assert asked(desk, asked_then) == before
    assert asked(desk, f"{asked_then}&currency=EUR") == before
    for query, code in (
        (f"{asked_then}&currency=USD", "forecast_currency_fixed"),
        ("period=nowhere", "period_unknown"),
    ):
        answer = desk.get("fay", f"{PATH}?{query}&as_of=2026-01-05" if "as_of" not in query else f"{PATH}?{query}")
        assert answer.json()["code"] == code
    assert desk.get("fay", f"{PATH}?period={Q1}").json()["code"] == "period_unknown"


@pytest.mark.parametrize("period", ["%00", "a%20b", ""])
def test_what_is_no_key_of_a_period_is_refused_of_days_that_are_over(desk: Desk, period: str) -> None:
    take(desk.office)
    next_day(desk)
    assert desk.get("fay", f"{PATH}?period={period}&as_of=2026-01-05").json()["code"] == "period_unknown"
