"""What a run found, told at screens: to whom, in which words, and why it moved (R30)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from forecasting.outlook import store
from forecasting.outlook.store import Said
from forecasting.outlook.values import Answer, DealOutlook, NodeOutlook, Outlook, Range, Score, Seen
from tests.crm.desk import Desk, opened
from tests.forecasting.selling import Q1, order
from tests.forecasting.telling import code
from tests.office import Office

TREE = {
    "company": [],
    "team:all-sales": ["company"],
    "team:north": ["company", "team:all-sales"],
    "team:south": ["company", "team:all-sales"],
    "user:ana": ["company", "team:all-sales", "team:north"],
    "user:bob": ["company", "team:all-sales", "team:north"],
    "user:cleo": ["company", "team:all-sales", "team:south"],
}


def period(won: int, still: int, new: int) -> Outlook:
    mean = won + still + new
    told = Range(mean - 50, mean, mean + 50, mean, 1_000, 4_200)
    view = Seen("pipeline", mean, 10_000)
    return Outlook(
        period_key=Q1, won_minor=won, open_minor=still, new_minor=new, adjusted_minor=0, range=told, views=[view]
    )


def chance(key: str, expected: int) -> DealOutlook:
    return DealOutlook(key=key, win_bp=5_000, within_bp=[4_000], expected_minor=[expected], reasons=[], similar=None)


def found(
    office: Office,
    day: str,
    outlook: Outlook,
    tree: dict[str, list[str]] = TREE,
    shared: dict[str, dict[str, int]] | None = None,
    **deals: int,
) -> int:
    """A run of a day in which every node has the same outlook, and Bob these deals."""

    def run(connection: Any) -> int:
        number = store.ask(connection, office.clock.now_ms(), day)[0].number
        store.claim(connection, office.clock.now_ms(), "me")
        store.began(connection, number, "me", Said(day, 7, "EUR"), store.packed_question(b"{}", shared))
        nodes = [NodeOutlook(node, [outlook], above) for node, above in tree.items()]
        score = Score(
            node="user:bob",
            view="call",
            days=30,
            periods=9,
            wape_bp=9,
            bias_bp=1,
            pinball_minor=None,
            held_bp=None,
            few=False,
        )
        listed = [chance(key.replace("_", "-"), expected) for key, expected in deals.items()]
        answer = Answer(learnt=None, nodes=nodes, deals={"bob": listed}, scores=[score])
        made = store.packed_answer(msgspec.json.encode(answer))
        assert store.finish(connection, office.clock.now_ms(), number, "me", made)
        return number

    return office.database.write(run)


@pytest.fixture
def desk(selling: Office) -> Iterator[Desk]:
    with opened(selling) as screens:
        yield screens


def nodes(desk: Desk, user: str, **asked: str) -> list[str]:
    answer = desk.ask(user, "GET", "/api/forecast/outlook", params=asked)
    assert answer.status_code == 200, answer.text
    return [item["node"] for item in answer.json()["items"]]


def test_without_a_run_it_is_said_and_which_one_is_being_made(desk: Desk) -> None:
    assert code(desk.get("root", "/api/forecast/outlook")) == (404, "outlook_missing")
    asked = desk.post("mia", "/api/forecast/outlook/runs")
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    assert desk.get("root", "/api/forecast/outlook").json()["under_way"] == asked.json()["number"]


def test_a_node_is_told_to_who_sees_all_of_it_and_to_nobody_else_r30(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(100, 200, 300), deal_b=150)
    assert nodes(desk, "root") == ["company", "team:all-sales"]
    assert nodes(desk, "root", node="team:all-sales") == ["team:all-sales", "team:north", "team:south"]
    assert nodes(desk, "bob") == ["user:bob"]
    assert nodes(desk, "mia") == ["team:north", "user:ana", "user:bob"]
    for who, node in (("bob", "user:ana"), ("bob", "team:north"), ("bob", "company"), ("mia", "team:south")):
        answer = desk.ask(who, "GET", "/api/forecast/outlook", params={"node": node})
        assert code(answer) == (404, "not_found"), (who, node)
    assert code(desk.get("root", "/api/forecast/outlook?node=user:nobody")) == (404, "not_found")
    assert code(desk.get("root", "/api/forecast/outlook?node=product:x")) == (400, "request_invalid")


def test_the_last_run_of_a_day_or_before_is_told_with_its_ranges(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(100, 200, 300))
    found(desk.office, "2026-01-07", period(110, 200, 300))
    told = desk.get("root", "/api/forecast/outlook").json()
    assert told["run"]["as_of"] == "2026-01-07"
    assert told["items"][0]["periods"][0]["range"]["mean_minor"] == 610
    assert desk.get("root", "/api/forecast/outlook?as_of=2026-01-06").json()["run"]["as_of"] == "2026-01-05"
    assert code(desk.get("root", "/api/forecast/outlook?as_of=2026-01-04")) == (404, "outlook_missing")
    assert code(desk.get("root", "/api/forecast/outlook?period=FY1999.Q1")) == (422, "period_unknown")


def test_deals_are_listed_by_what_is_expected_of_them_page_after_page(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 500, 0), deal_b=100, deal_c=300, gone=900)
    first = desk.get("bob", "/api/forecast/outlook/deals?limit=2").json()
    assert [(item["outlook"]["key"], item["name"]) for item in first["items"]] == [("deal-c", "Hoses")]
    second = desk.ask("bob", "GET", "/api/forecast/outlook/deals", params={"limit": 2, "after": first["next"]}).json()
    assert [item["outlook"]["key"] for item in second["items"]] == ["deal-b"]
    assert second["next"] is None
    assert desk.get("bob", "/api/forecast/outlook/deals/deal-b").json()["items"][0]["outlook"]["win_bp"] == 5_000
    for who, key in (("bob", "gone"), ("bob", "deal-a"), ("root", "deal-a")):
        assert code(desk.get(who, f"/api/forecast/outlook/deals/{key}")) == (404, "not_found"), key


def test_the_steps_from_one_run_to_another_sum_to_the_difference_of_their_means(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(100, 450, 300), deal_b=150, deal_c=250, gone=50)
    order(desk.office, "deal.win", "deal-b")
    found(desk.office, "2026-01-12", period(300, 280, 270), deal_c=260, fresh=20)
    moved = desk.get("root", "/api/forecast/outlook/moved?node=team:north").json()
    steps = {step["code"]: (step["amount_minor"], step["deals"]) for step in moved["steps"]}
    assert steps == {
        "closed": (200, 0),
        "won": (-150, 1),
        "left": (-50, 1),
        "new": (20, 1),
        "changed": (10, 1),
        "newcomers": (-30, 0),
    }
    assert moved["after"]["mean_minor"] - moved["before"]["mean_minor"] == sum(amount for amount, _ in steps.values())
    assert [(deal["key"], deal["name"]) for deal in moved["deals"]] == [("deal-b", "Valves"), ("deal-c", "Hoses")]
    assert moved["hidden"] == 2  # no such deals are there to be seen
    assert code(desk.get("root", "/api/forecast/outlook/moved?since=2026-01-04")) == (404, "outlook_missing")
    assert code(desk.get("bob", "/api/forecast/outlook/moved?node=user:ana")) == (404, "not_found")


def test_how_right_each_view_was_is_told_of_a_node(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 0, 0))
    assert [score["view"] for score in desk.get("bob", "/api/forecast/honesty").json()["items"]] == ["call"]
    assert code(desk.get("bob", "/api/forecast/honesty?node=user:ana")) == (404, "not_found")


def test_runs_are_asked_for_by_those_who_review_and_cancelled_by_who_asked(desk: Desk) -> None:
    assert code(desk.post("bob", "/api/forecast/outlook/runs")) == (403, "not_permitted")
    number = desk.post("mia", "/api/forecast/outlook/runs").json()["number"]
    again = desk.post("root", "/api/forecast/outlook/runs")
    assert (again.status_code, again.json()["number"]) == (202, number)
    assert code(desk.ask("bob", "DELETE", f"/api/forecast/outlook/runs/{number}")) == (403, "not_permitted")
    assert desk.ask("mia", "DELETE", f"/api/forecast/outlook/runs/{number}").json()["state"] == "cancelled"
    assert [run["number"] for run in desk.get("bob", "/api/forecast/outlook/runs").json()["items"]] == [number]
    assert desk.get("bob", f"/api/forecast/outlook/runs/{number}").json()["state"] == "cancelled"
    assert code(desk.get("bob", "/api/forecast/outlook/runs/99")) == (404, "not_found")
    found(desk.office, "2026-01-06", period(0, 0, 0))
    assert code(desk.ask("root", "DELETE", f"/api/forecast/outlook/runs/{number + 1}")) == (409, "run_ended")


def test_a_run_that_could_not_compute_anything_says_why_to_everybody(desk: Desk) -> None:
    def run(connection: Any) -> None:
        now_ms = desk.office.clock.now_ms()
        store.ask(connection, now_ms, "2026-01-05")
        store.claim(connection, now_ms, "me")
        store.began(connection, 1, "me", Said("2026-01-05", 7, "EUR"), store.packed_question(b"{}"))
        answer = Answer(learnt=None, nodes=[], deals={}, scores=[], code="no_history")
        assert store.finish(connection, now_ms, 1, "me", store.packed_answer(msgspec.json.encode(answer)))

    desk.office.database.write(run)
    for who in ("root", "mia", "bob"):
        told = desk.get(who, "/api/forecast/outlook").json()
        assert (told["run"]["code"], told["items"], told["hidden"]) == ("no_history", [], 0), who
        assert desk.get(who, "/api/forecast/outlook/deals").json()["items"] == []
        assert desk.get(who, "/api/forecast/honesty").json()["items"] == []
        assert code(desk.get(who, "/api/forecast/outlook/moved"))[1] == "outlook_missing"
        assert code(desk.get(who, "/api/forecast/outlook?node=user:ana")) == (404, "not_found")
