"""Chances of open deals: to who sees the deal, wherever a part of it lies, and why a node moved by them (R30)."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.outlook import store
from forecasting.outlook.open_deals import Here
from tests.crm.desk import Desk
from tests.forecasting.outlook.test_routes import TREE, chance, desk, found, period
from tests.forecasting.selling import order, selling, shares
from tests.forecasting.telling import code

__all__ = ["desk", "selling"]
BOTH = {"deal-b": {"bob": 6_000, "cleo": 4_000}}
DEALS, MOVED = "/api/forecast/outlook/deals", "/api/forecast/outlook/moved"


def keys(desk: Desk, user: str, **asked: str) -> list[str]:
    answer = desk.ask(user, "GET", DEALS, params=asked)
    assert answer.status_code == 200, answer.text
    return [item["outlook"]["key"] for item in answer.json()["items"]]


def moved(desk: Desk, user: str, **asked: str) -> dict[str, Any]:
    answer = desk.ask(user, "GET", MOVED, params=asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert sum(step["amount_minor"] for step in told["steps"]) == (
        told["after"]["mean_minor"] - told["before"]["mean_minor"]
    )
    return told


def steps(told: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {step["code"]: (step["amount_minor"], step["deals"]) for step in told["steps"]}


def handed_on(desk: Desk) -> None:
    """Bob's deal is Cleo's, and he keeps the larger part of it."""
    parts = shares(bob=6_000, cleo=4_000)
    done = desk.office.phone("root").edit("deals", "deal-b", owner_key="cleo", splits=parts)
    assert done.outcome == "applied"


def test_a_deal_is_told_to_who_sees_it_whoever_owned_it_on_the_day_of_the_run(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 150, 0), shared=BOTH, deal_b=150)
    handed_on(desk)
    for user in ("cleo", "bob", "root"):
        told = desk.get(user, f"{DEALS}/deal-b").json()
        assert [(item["outlook"]["key"], item["owner_key"]) for item in told["items"]] == [("deal-b", "cleo")], user
        assert told["node"] == "user:bob"
    assert code(desk.get("mia", f"{DEALS}/deal-b")) == (404, "not_found")  # she sees what Bob works on, and not that
    assert code(desk.get("root", f"{DEALS}/deal-a")) == (404, "not_found")


def test_a_deal_is_listed_wherever_a_part_of_it_lies_and_only_to_who_sees_the_deal(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 150, 0), shared=BOTH, deal_b=150, deal_c=90)
    assert keys(desk, "cleo") == ["deal-b"]
    assert keys(desk, "root", node="team:south") == ["deal-b"]
    assert keys(desk, "root") == keys(desk, "mia") == ["deal-b", "deal-c"]
    handed_on(desk)
    assert keys(desk, "mia") == ["deal-c"]


def test_what_moved_is_the_part_that_lies_in_the_node(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 400, 0), shared=BOTH, deal_b=1_000)
    found(desk.office, "2026-01-12", period(0, 520, 0), shared=BOTH, deal_b=1_300)
    cleos = moved(desk, "cleo")
    assert steps(cleos) == {"changed": (120, 1)}
    assert [(d["key"], d["before_minor"], d["after_minor"]) for d in cleos["deals"]] == [("deal-b", 400, 520)]
    assert steps(moved(desk, "root", node="team:all-sales")) == {"changed": (300, 1), "other": (-180, 0)}


def test_a_deal_that_the_caller_does_not_see_is_in_the_steps_and_is_not_named(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 120, 0), shared=BOTH, deal_b=150, deal_c=30)
    handed_on(desk)
    order(desk.office, "deal.win", "deal-b")
    found(desk.office, "2026-01-12", period(90, 30, 0), deal_c=30)
    told = moved(desk, "mia", node="team:north")
    assert steps(told) == {"closed": (90, 0), "won": (-90, 1)}
    assert (told["deals"], told["hidden"]) == ([], 1)
    told = moved(desk, "root", node="team:north")
    assert ([deal["name"] for deal in told["deals"]], told["hidden"]) == (["Valves"], 0)


def test_what_a_node_was_before_is_told_to_who_saw_all_of_it_then(desk: Desk) -> None:
    """Somebody who stood directly below the company has joined a team since."""
    apart = {**TREE, "user:cleo": ["company"]}
    found(desk.office, "2026-01-05", period(100, 0, 0), tree=apart)
    found(desk.office, "2026-01-12", period(300, 0, 0))
    assert desk.ask("dirk", "GET", "/api/forecast/outlook", params={"node": "company"}).status_code == 200
    assert steps(moved(desk, "root", node="company")) == {"closed": (200, 0)}
    assert steps(moved(desk, "dirk", node="company")) == {"closed": (200, 0)}  # all of hers is his to see today
    found(desk.office, "2026-01-13", period(0, 0, 0), tree={**TREE, "user:paul": ["company"]})
    found(desk.office, "2026-01-20", period(0, 0, 0))
    assert moved(desk, "root", node="company")["deals"] == []
    assert code(desk.get("dirk", f"{MOVED}?node=company")) == (404, "outlook_missing")


def test_deals_of_a_run_that_keeps_them_no_more_are_no_empty_list(desk: Desk) -> None:
    for day in ("2026-01-05", "2026-01-06", "2026-01-07"):
        found(desk.office, day, period(0, 150, 0), deal_b=150)
    late = desk.office.clock.now_ms() + (store.KEPT_DAYS + 1) * store.DAY_MS
    desk.office.database.write(store.forget, late)
    assert code(desk.get("root", f"{DEALS}?as_of=2026-01-06")) == (404, "outlook_missing")
    assert keys(desk, "root", as_of="2026-01-05") == keys(desk, "root") == ["deal-b"]
    told = moved(desk, "root", as_of="2026-01-07", since="2026-01-06", node="team:north")
    assert (told["steps"], told["hidden"]) == ([], 0)


def test_who_came_after_the_run_is_told_that_it_does_not_know_him(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 0, 0), tree={n: above for n, above in TREE.items() if n != "user:ana"})
    for path in ("/api/forecast/outlook", "/api/forecast/honesty", DEALS, MOVED, "/api/forecast/outlook?node=user:ana"):
        assert code(desk.get("ana", path)) == (404, "outlook_missing"), path
    assert code(desk.get("bob", "/api/forecast/outlook?node=user:ana")) == (404, "not_found")


def test_a_day_that_is_none_is_refused(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 0, 0))
    for path in ("/api/forecast/outlook?as_of=2026-02-30", f"{MOVED}?since=soon", f"{DEALS}?as_of=1"):
        assert code(desk.get("root", path)) == (422, "field_invalid"), path


@given(
    amount=st.integers(-(10**15), 10**15), cuts=st.lists(st.integers(0, 10_000), min_size=1, max_size=5), n=st.data()
)
def test_parts_of_an_amount_are_off_by_no_more_than_a_half_and_are_the_whole_together(
    amount: int, cuts: list[int], n: st.DataObject
) -> None:
    edges = [0, *sorted(cuts), 10_000]
    parts = [Here(chance("d", 1), high - low, 10_000).of(amount) for low, high in pairwise(edges)]
    assert abs(sum(parts) - amount) * 2 <= len(parts)
    part = n.draw(st.integers(0, 10_000))
    assert abs(2 * 10_000 * Here(chance("d", 1), part, 10_000).of(amount) - 2 * amount * part) <= 10_000


@pytest.mark.parametrize("limit", [0, 501])
def test_a_page_is_of_one_to_five_hundred_deals(desk: Desk, limit: int) -> None:
    found(desk.office, "2026-01-05", period(0, 0, 0))
    assert code(desk.get("root", f"{DEALS}?limit={limit}")) == (400, "request_invalid")
