"""What changed this week, per deal, with who and when (R54), told to whom it is to be told (R30)."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from sfa.crm import edits
from sfa.db.writes import Door, Origin
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk, opened
from tests.forecasting.selling import Q1, Q2, shares
from tests.office import Office

PATH = "/api/forecast/changes"


@pytest.fixture
def desk(selling: Office) -> Iterator[Desk]:
    """Two days later Ana raises her deal from her phone, Bob hands one over, and a name changes, which is no news."""
    clock = selling.clock
    clock.advance(2 * DAY_MS)
    selling.phone("ana").edit("deals", "deal-a", amount_minor=510_000, close_on="2026-04-10")
    clock.advance(3_600_000)
    selling.phone("mia").edit("deals", "deal-c", owner_key="ana")
    selling.phone("ana").edit("deals", "deal-a", category="commit")
    selling.put(("deals", "deal-b", {"name": "Big valves"}))
    with opened(selling) as found:
        yield found


def asked(desk: Desk, user: str = "fay", query: str = "since=2026-01-07") -> dict[str, Any]:
    answer = desk.get(user, f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def keys(found: dict[str, Any]) -> list[str]:
    return [item["deal_key"] for item in found["items"]]


def test_each_change_says_what_when_and_by_whom_r54(desk: Desk) -> None:
    found = asked(desk)
    assert keys(found) == ["deal-a", "deal-c"]
    judged, raised = found["items"][0]["changes"]
    assert judged["fields"] == {"category": [None, "commit"]}
    assert raised["fields"] == {"amount_minor": [500_000, 510_000], "close_on": ["2026-02-10", "2026-04-10"]}
    assert (raised["author_key"], raised["author_name"], raised["device_key"]) == ("ana", "Ana", "d-ana")
    assert (raised["at"], judged["stored_at"]) == (NOW + 2 * DAY_MS, NOW + 2 * DAY_MS + 3_600_000)
    (moved,) = found["items"][1]["changes"]
    assert (moved["author_key"], moved["fields"]) == ("mia", {"owner_key": ["bob", "ana"]})


def test_what_a_phone_brings_late_is_news_of_the_day_it_came_and_says_when_it_was(desk: Desk) -> None:
    office, phone = desk.office, desk.office.phone("bob")
    late = phone.mutation("update", "deals", "deal-b", base=office.rev("deals", "deal-b"), set={"category": "likely"})
    office.clock.advance(3 * DAY_MS)
    desk.forget_tokens()
    assert phone.push(late).receipts[0].outcome == "applied"
    found = asked(desk, query="since=2026-01-09")
    assert keys(found) == ["deal-b"]
    (change,) = found["items"][0]["changes"]
    assert change["at"] == change["stored_at"] - 3 * DAY_MS


def test_a_list_is_of_a_node_and_of_a_period(desk: Desk) -> None:
    assert keys(asked(desk, query="since=2026-01-07&node=user:bob")) == ["deal-c"]  # it was his
    assert keys(asked(desk, query="since=2026-01-07&node=user:ana")) == ["deal-a", "deal-c"]
    assert keys(asked(desk, query="since=2026-01-07&node=team:south")) == []
    assert keys(asked(desk, query=f"since=2026-01-07&period={Q2}")) == ["deal-a"]
    assert keys(asked(desk, query=f"since=2026-01-07&period={Q1}")) == ["deal-a", "deal-c"]  # it left the first
    assert keys(asked(desk, query="since=2026-01-08")) == []
    assert asked(desk, query="")["since"] == "2025-12-31"


def test_pages_hold_all_deals_once(desk: Desk) -> None:
    first = asked(desk, query="since=2026-01-07&limit=1")
    second = asked(desk, query=f"since=2026-01-07&limit=1&after={first['next']}")
    assert keys(first) + keys(second) == ["deal-a", "deal-c"]
    assert second["next"] is None


def test_a_caller_is_told_of_what_he_sees_and_how_much_else_there_is_r30(desk: Desk) -> None:
    assert [(asked(desk, user)["hidden"], keys(asked(desk, user))) for user in ("mia", "cleo")] == [
        (0, ["deal-a", "deal-c"]),
        (2, []),
    ]
    desk.office.put(("deals", "deal-b", {"splits": shares(bob=5_000, cleo=5_000)}))
    cleos = asked(desk, "cleo")
    assert (keys(cleos), cleos["hidden"], cleos["partial"]) == (["deal-b"], 2, True)
    for node in ("team:north", "user:ana", "user:nobody"):
        assert desk.get("cleo", f"{PATH}?node={node}").json()["code"] == "not_found", node


def test_a_deal_that_is_deleted_or_won_is_told_with_its_end(desk: Desk) -> None:
    desk.office.delete("deals", "deal-c")
    desk.office.phone("ana").do("deal.win", "deals", "deal-a", base=desk.office.rev("deals", "deal-a"), set={})
    found = {item["deal_key"]: item for item in asked(desk)["items"]}
    assert found["deal-c"]["gone"]
    assert found["deal-c"]["changes"][0]["kind"] == "delete"
    assert found["deal-a"]["changes"][0]["kind"] == "deal.win"
    assert found["deal-a"]["changes"][0]["fields"]["stage_key"] == ["lead", "won"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("since=last-week", "field_invalid"),
        ("period=nope", "period_unknown"),
        ("node=territory:t-north", "request_invalid"),
        ("limit=0", "request_invalid"),
        ("after=-2", "request_invalid"),
    ],
)
def test_what_cannot_be_listed_is_refused(desk: Desk, query: str, code: str) -> None:
    assert desk.get("fay", f"{PATH}?{query}").json()["code"] == code


def test_changes_reach_back_for_four_hundred_days(desk: Desk) -> None:
    assert asked(desk, query="since=2024-12-03")["since"] == "2024-12-03"
    answer = desk.get("fay", f"{PATH}?since=2024-12-02")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_what_changes_of_a_deal_that_no_phone_carries_is_news_too_r54(desk: Desk) -> None:
    """An old deal is imported, and put right a day later."""
    office = desk.office
    values = {"name": "Old", "owner_key": "ana", "account_key": "acme", "stage_key": "won", "amount_minor": 1_000}
    values |= {"currency": "EUR", "close_on": "2022-02-10", "closed_at": NOW - 1_400 * DAY_MS}
    origin = Origin(author_key=None, at=office.clock.now_ms(), stored_at=office.clock.now_ms())

    def bring(connection: Connection) -> None:
        door = Door(connection, office.clock.now_ms())
        edits.imported(door, "deals", "old", values, {}, origin)
        door.flush()

    office.database.write(bring)
    assert office.row("deals", "old")["aged"]
    office.clock.advance(DAY_MS)
    desk.forget_tokens()
    office.put(("deals", "old", {"amount_minor": 7}))
    (item,) = asked(desk, query="since=2026-01-08")["items"]
    assert (item["deal_key"], item["changes"][0]["fields"]) == ("old", {"amount_minor": [1_000, 7]})
    assert keys(asked(desk))[0] == "old"
