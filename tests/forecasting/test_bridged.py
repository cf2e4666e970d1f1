"""What a movement tells of deals that were lost, left, have no day or no rate, and of those who were deleted (R28)."""

import asyncio
import threading
from typing import Any

import pytest

from forecasting import bridging, moving
from forecasting.moving import Asked, Known, Movement, Movements
from forecasting.spots import EVERYTHING
from sfa.core.errors import Refused
from sfa.crm.online import Online
from sfa.db.database import open_database
from tests.builders import DAY_MS
from tests.forecasting.selling import DOLLARS, OFFER, Q1, Q2, basis, order, take
from tests.forecasting.test_moving import asked, bars, bridge, deals
from tests.office import Office


def test_a_win_that_was_taken_back_and_lost_later_is_lost_in_one_week_only_r28(selling: Office) -> None:
    order(selling, "deal.win", "deal-a")
    take(selling)
    order(selling, "deal.reopen", "deal-a", day=2, stage_key="offer")
    order(selling, "deal.lose", "deal-a", day=3, reason="gone")
    for day in (7, 14, 21):
        take(selling, day)
    # the reversal is in the same quarter
    assert bars(bridge(selling, 0, 7)) == {"lost": {"closed": -500_000}}
    for week in (7, 14):
        found = bridge(selling, week, week + 7)
        assert (bars(found), found.unchanged) == ({}, 2)


def test_a_win_of_last_quarter_that_was_lost_in_this_one_is_not_lost_each_week_r28(selling: Office) -> None:
    order(selling, "deal.win", "deal-a")
    order(selling, "deal.reopen", "deal-a", day=90, stage_key="offer")
    order(selling, "deal.lose", "deal-a", day=91, reason="gone")
    take(selling, 92)
    take(selling, 99)
    for period in (Q1, Q2):
        question = Asked(period=period, since="2026-04-07", to="2026-04-14")
        found = selling.database.read(moving.movement, "root", question)
        assert (bars(found), found.unchanged > 0) == ({}, True)


def test_a_deal_in_a_currency_that_nobody_sold_in_comes_at_the_rate_of_the_first_day_r28(selling: Office) -> None:
    """Dollars were known at the first end, pounds were not."""
    selling.put(("deals", "deal-c", {"currency": "EUR"}), ("currencies", "GBP", {"code": "GBP", "name": "Pound"}))
    take(selling)
    selling.put(
        ("deals", "deal-a", {"amount_minor": 1_000_000, "currency": "USD"}),
        ("rates", "gbp", {**DOLLARS, "base_currency": "GBP", "rate": "1.2", "valid_from": "2026-01-06"}),
        ("deals", "deal-p", {"name": "Pounds", **OFFER, "amount_minor": 100, "currency": "GBP"}),
    )
    take(selling, 7)
    found = bridge(selling, 0, 7)
    assert bars(found) == {"new": {}}
    assert found.rates.amounts == {"pipeline": 120}
    assert [(hole.code, hole.key, hole.currency) for hole in found.missing] == [("rate_missing", "deal-p", "GBP")]
    assert (found.partial, found.why) == (True, ["rate_missing"])
    assert [rate.currency for rate in basis(selling, 1).rates] == []


def test_a_deal_that_left_is_told_as_it_was_here_r30(selling: Office) -> None:
    take(selling)
    selling.put(("deals", "deal-a", {"owner_key": "cleo", "account_key": "zeta", "name": "Secret"}))
    take(selling, 7)
    (mine,) = selling.database.read(moving.moved_deals, "ana", asked(0, 7, "user:ana"), None, None, 100).items
    assert (mine.name, mine.account_key, mine.owner_key, mine.into) == ("Pumps", "acme", "ana", "transferred_out")
    (hers,) = deals(selling, 0, 7, "user:cleo").items
    assert (hers.name, hers.account_key, hers.owner_key, hers.into) == ("Secret", "zeta", "cleo", "transferred_in")


def test_a_deal_without_a_day_is_told_of_the_running_period_r28(selling: Office) -> None:
    undated = {"owner_key": "ana", "stage_key": "offer", "amount_minor": 1, "currency": "EUR"}
    selling.put(("deals", "deal-u", {"name": "Some day", **undated}))
    take(selling)
    take(selling, 7)
    for node, user in (("company", "root"), ("user:ana", "ana")):
        found = bridge(selling, 0, 7, node, user=user)
        assert [(hole.code, hole.key) for hole in found.missing] == [("close_on_missing", "deal-u")]
        assert found.partial
    assert bridge(selling, 0, 7, "user:bob").missing == []
    assert bridge(selling, 0, 7, period=Q2).missing == []


def test_who_says_no_node_looks_where_a_roll_up_would_r30(selling: Office) -> None:
    take(selling)
    nodes = {"root": "company", "ana": "user:ana", "mia": "team:north", "dirk": "team:all-sales"}
    found = {user: selling.database.read(moving.movement, user, Asked(Q1, None, "2026-01-05")).node for user in nodes}
    assert found == nodes


def test_who_was_in_a_team_that_is_deleted_stays_where_he_was_r27(selling: Office) -> None:
    order(selling, "deal.win", "deal-b")
    take(selling)
    before = bridge(selling, 0, 0, "team:all-sales").closing
    selling.put(
        ("team_members", "m-cleo", {"valid_to": "2026-01-10"}),
        ("team_members", "m-cleo2", {"team_key": "north", "user_key": "cleo", "valid_from": "2026-01-10"}),
    )
    selling.clock.advance(6 * DAY_MS)
    selling.delete("teams", "south")
    selling.delete("users", "cleo")
    take(selling, 7)
    found = bridge(selling, 0, 7, "team:all-sales", user="dirk")
    assert (bars(found), found.closing) == ({}, before)
    paths = {fact.user_key: fact.place.path for fact in basis(selling, 2).facts}
    assert paths["cleo"] == ("team:all-sales", "team:south")
    nodes = basis(selling, 2).nodes
    assert "team:south" not in nodes
    assert "user:cleo" not in nodes


def test_what_does_not_follow_from_snapshots_alone_is_asked_anew_and_the_bridge_is_not_r28(selling: Office) -> None:
    """Pages of a bridge reckon nothing again; who may see it, and another day without changes, do."""
    take(selling)
    selling.put(("deals", "deal-a", {"amount_minor": 1}))
    for day in (7, 14):
        take(selling, day)
    selling.put(("rates", "usd2", {**DOLLARS, "rate": "0.6", "valid_from": "2026-01-20"}))
    take(selling, 21)
    known = Known()

    def told(user: str, was: int, now: int, *, anew: bool = False) -> Movement:
        question = asked(was, now, "company")
        return selling.database.read(moving.movement, user, question, None if anew else known)

    for user in ("root", "mia"):
        for was, now in ((0, 7), (0, 14), (14, 21), (7, 14)):
            first = told(user, was, now)
            assert told(user, was, now) == first == told(user, was, now, anew=True)
    assert len(known.bridges) == 8
    assert bars(told("root", 14, 21)) == {}
    assert told("root", 14, 21).rates.amounts == {"pipeline": 3_000}
    bridges = [found for _, found in known.bridges.items()]
    page = selling.database.read(moving.moved_deals, "root", asked(0, 7), None, None, 1, known)
    assert [item.deal_key for item in page.items] == ["deal-a"]
    assert {id(found) for _, found in known.bridges.items()} == {id(found) for found in bridges}
    selling.put(("team_members", "m-mia", {"valid_to": "2026-01-05"}))
    alone = told("mia", 0, 7)  # she manages nobody now, and has no deals
    assert (alone.closing.deals, alone.why) == (0, ["not_seen"])
    assert alone == told("mia", 0, 7, anew=True)
    with pytest.raises(Refused):
        selling.database.read(moving.movement, "mia", asked(0, 7, "team:north"), known)


def test_a_hole_is_told_of_the_products_that_the_deal_has_r28(selling: Office) -> None:
    selling.put(("deals", "deal-b", {"close_on": None}), ("deals", "deal-c", {"close_on": None}))
    take(selling)
    take(selling, 7)
    for node, key in (("product:pump", "deal-b"), ("product:", "deal-c")):
        found = selling.database.read(bridging.bridged, ends(selling), node, EVERYTHING)
        assert {hole.key for hole in found.holes if hole.code == "close_on_missing"} == {key}


def ends(office: Office) -> bridging.Compared:
    return office.database.read(moving.compared, asked(0, 7))


def test_a_movement_is_reckoned_once_and_apart_from_who_answers_r28(
    selling: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(selling)
    take(selling, 7)
    threads, reckoned = [], bridging.bridged

    def watched(*args: Any) -> bridging.Bridged:
        threads.append(threading.current_thread().name.rpartition("_")[0])
        return reckoned(*args)

    async def ask() -> int:
        database = open_database(selling.database.url, durable=False)
        movements = Movements(Online(database, selling.clock, {}))
        try:
            first, again = [await movements.told("root", asked(0, 7)) for _ in range(2)]
            assert first == again
            return len((await movements.deals("root", asked(0, 7), None, None, 10)).items)
        finally:
            await database.close_async()

    monkeypatch.setattr(moving, "bridged", watched)
    assert asyncio.run(ask()) == 0
    assert threads == ["sfa-reader" if selling.database.dialect == "sqlite" else "sfa-apart"]
