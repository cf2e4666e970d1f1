"""Locked calls beside what was closed: the same money as quotas, in the tree of each credit's day (R29, R18, R30)."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select

from forecasting import locking, scoring
from forecasting.accuracy import Accuracy
from forecasting.scoring import ITEMS_MAX
from sfa.db.tables import ROWS, credited
from tests.crm.desk import Desk, opened
from tests.forecasting.review import begun, call, until
from tests.office import Office
from tests.quotas.ledger import figures, quota, rate, shares, won, write

PATH = "/api/forecast/accuracy"
TEAMS = ("north", "south", "all-sales")


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    """Screens of the company as it is, without periods."""
    with opened(office) as made:
        yield made


def told(desk: Desk, as_: str = "dirk", query: str = "") -> dict[str, Any]:
    answer = desk.get(as_, f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def quarter(office: Office) -> None:
    """Calls of two Mondays; then deals are won, split, reversed and in dollars, and Ana moves to the south."""
    begun(office)
    write(office, rate("USD", "EUR", "0.9", "2025-01-01"), rate("USD", "EUR", "0.5", "2026-03-01"))
    numbers = {"ana": 900_00, "bob": 600_00, "cleo": 100_00}
    for monday, more in (("2026-01-05", 0), ("2026-01-12", 10_00)):
        until(office, f"{monday} 08:30")
        for user, commit in numbers.items():
            assert call(office.phone(user), f"{user}-{monday}", commit + more).outcome == "applied"
        assert call(office.phone("mia"), f"north-{monday}", 1_000_00 + more, team_key="north").outcome == "applied"
        assert call(office.phone("dirk"), f"all-{monday}", 2_000_00 + more, team_key="all-sales").outcome == "applied"
        until(office, f"{monday} 09:00")
        office.database.write(locking.run, office.clock.now_ms())
    assert call(office.phone("ana"), "late", 1, due_on="2026-01-12").outcome == "applied"
    write(office, won("a", "2026-01-20", 700_00), won("b", "2026-01-21", 500_00, owner_key="bob"))
    write(office, won("s", "2026-02-02", 100_01, splits=shares(ana=5_000, bob=5_000), overlays=shares(cleo=2_000)))
    write(office, won("usd", "2026-02-03", 100_00, currency="USD"))
    write(office, won("none", "2026-02-03", None), won("m", "2026-02-04", 40_00, owner_key="mia"))
    write(office, won("back", "2026-02-05", 60_00, owner_key="bob", currency="USD"))
    office.put(("team_members", "m-ana", {"valid_to": "2026-03-01"}))
    office.put(("team_members", "m-ana2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-03-01"}))
    write(office, won("moved", "2026-03-02", 200_00), won("usd2", "2026-03-03", 10_00, currency="USD"))
    write(office, won("next", "2026-04-01", 999_00))  # of the next quarter
    until(office, "2026-03-10 12:00")
    for key in ("b", "back"):  # the dollars at the rate at which they were credited
        again = office.phone("bob").do("deal.reopen", "deals", key, base=1, set={"stage_key": "lead"})
        assert again.outcome == "applied"
    until(office, "2026-04-02 12:00")


ANAS = 700_00 + 50_01 + 90_00 + 200_00 + 5_00
BOBS = 500_00 + 50_00 - 500_00
NORTH = 700_00 + 100_01 + 90_00 + 40_00  # Ana's until March; Bob's win and its reversal; Mia's own


def test_calls_are_held_against_what_was_closed_where_everybody_stood_on_the_day(office: Office, desk: Desk) -> None:
    quarter(office)
    found = told(desk)
    closed = {item["node"]: item["closed_minor"] for item in found["items"]}
    assert closed == {
        "user:ana": ANAS,
        "user:bob": BOBS,
        "user:cleo": 0,
        "team:north": NORTH,
        "team:all-sales": NORTH + 205_00,
    }
    assert {item["called_minor"] for item in found["items"] if item["node"] == "user:ana"} == {900_00, 910_00}
    assert found["count"] == 10  # what came late is in no score
    assert {(item["level"], item["weeks"]) for item in found["items"] if item["due_on"] == "2026-01-05"} == {
        ("person", 12),
        ("team 1", 12),
        ("team 2", 12),
    }
    scores = {score["of"]: score for score in found["scores"]}
    ana = scores["user:ana"]
    off = abs(900_00 - ANAS) + abs(910_00 - ANAS)
    assert (ana["calls"], ana["off_minor"], ana["over_minor"], ana["few"]) == (2, off, -off, True)
    assert ana["wape_bp"] == round(off * 10_000 / (2 * ANAS))
    assert (scores["user:cleo"]["wape_bp"], scores["user:cleo"]["wape_code"]) == (None, "not_computable")


def test_what_was_closed_is_the_money_of_revenue_quotas_r55(office: Office, desk: Desk) -> None:
    """Of everybody and of every team: nobody manages two of them, so both count the same."""
    quarter(office)
    write(office, *(quota(f"q-{user}", period_key="q1", user_key=user) for user in ("ana", "bob", "cleo")))
    write(office, *(quota(f"q-{team}", period_key="q1", team_key=team) for team in TEAMS))
    values = {key: figure.value for key, figure in figures(office).items()}
    closed = {item["node"].partition(":")[2]: item["closed_minor"] for item in told(desk)["items"]}
    assert closed == {key: values[f"q-{key}"] for key in closed}
    c = credited.c
    rows = office.all(select(c.user_key, c.amount_minor, c.reversal).where(~c.overlay, c.currency == "EUR"))
    plain = sum((-1 if row["reversal"] else 1) * row["amount_minor"] for row in rows) - 999_00
    assert closed["all-sales"] == plain + 90_00 + 5_00


GROUPS = {
    "person": {"user:ana": 2, "user:bob": 2, "user:cleo": 2},
    "manager": {"user:mia": 2, "user:dirk": 2},
    "team": {"team:north": 2, "team:all-sales": 2},
    "level": {"person": 6, "team 1": 2, "team 2": 2},
    "horizon": {"11": 5, "12": 5},
}


def test_scores_are_by_person_manager_team_level_and_horizon(office: Office, desk: Desk) -> None:
    quarter(office)
    for by, groups in GROUPS.items():
        found = told(desk, query=f"?by={by}")
        assert {score["of"]: score["calls"] for score in found["scores"]} == groups
        assert found["all"]["calls"] == sum(groups.values())
        near = told(desk, query=f"?by={by}&weeks=11")
        assert {item["due_on"] for item in near["items"]} == {"2026-01-12"}


def test_everybody_is_told_of_the_calls_that_he_sees(office: Office, desk: Desk) -> None:
    quarter(office)
    nodes = {user: {item["node"] for item in told(desk, user)["items"]} for user in ("ana", "bob", "mia", "fay")}
    mine = {"user:ana"}
    assert nodes["ana"] == mine
    assert nodes["mia"] == {"team:north", "user:bob"}  # Ana is the south's by now
    assert nodes["fay"] == {"user:ana", "user:bob", "user:cleo", "team:north", "team:all-sales"}
    assert {item["closed_minor"] for item in told(desk, "ana")["items"]} == {ANAS}
    assert told(desk, "mia", "?node=team:north")["count"] == 2
    for user, node in (("ana", "user:bob"), ("ana", "team:north"), ("mia", "team:south"), ("mia", "user:nobody")):
        answer = desk.get(user, f"{PATH}?node={node}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_another_currency_and_another_view_are_said_or_left_out(office: Office, desk: Desk) -> None:
    quarter(office)
    dollars = {item["node"]: item for item in told(desk, query="?currency=USD")["items"] if item["weeks"] == 12}
    assert dollars["user:bob"]["called_minor"] == 666_67  # 600.00 EUR by the inverse of the rate of that Monday
    assert told(desk, query="?view=likely")["all"]["left_out"] == 6
    assert {item["code"] for item in told(desk, query="?view=likely")["items"]} == {"not_called"}
    yen = told(desk, query="?currency=JPY")
    assert yen["all"] | {"of": ""} == yen["all"] | {"of": "", "calls": 0, "left_out": 6, "wape_bp": None}
    assert {item["code"] for item in yen["items"]} == {"rate_missing"}


def test_of_many_calls_all_are_scored_the_first_are_told_and_little_of_each_is_read(office: Office, desk: Desk) -> None:
    """1,500 locked calls over three locks, every third in dollars."""
    quarter(office)
    scored, many, calls = told(desk, query="?by=level")["all"], ITEMS_MAX + 500, ROWS["forecast_calls"]
    days = ("2026-01-05", "2026-01-12", "2026-01-19")

    def fill(connection: Connection) -> None:
        row = dict(connection.execute(select(calls).where(calls.c.key == "bob-2026-01-05")).mappings().one())
        more = {"status": "locked", "user_key": "cleo", "author_key": "cleo", "commit_minor": 10_00}
        for n in range(many):
            about = {"key": f"x{n:04}", "due_on": days[n % 3], "currency": "USD" if n % 3 == 0 else "EUR"}
            connection.execute(insert(calls), {**row, **more, **about})

    office.database.write(fill)
    asked: list[str] = []

    def listen(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    def scoring_of(connection: Connection) -> Accuracy:
        event.listen(connection, "before_cursor_execute", listen)
        try:
            return scoring.told(connection, office.clock.now_ms(), "dirk", scoring.Wanted(by="level"))
        finally:
            event.remove(connection, "before_cursor_execute", listen)

    found = office.database.read(scoring_of)
    assert (found.count, len(found.items)) == (10 + many, ITEMS_MAX)
    assert [item.due_on for item in found.items] == sorted(item.due_on for item in found.items)
    extra = many // 3 * 9_00 + (many - many // 3) * 10_00  # dollars at the rate of the Monday; Cleo closed nothing
    assert found.all.calls == scored["calls"] + many
    assert found.all.called_minor == scored["called_minor"] + extra
    assert (found.all.closed_minor, found.all.off_minor) == (scored["closed_minor"], scored["off_minor"] + extra)
    assert {(item.called_minor, item.closed_minor) for item in found.items if item.key.startswith("x")} == {
        (9_00, 0),
        (10_00, 0),
    }
    (reading,) = (text for text in asked if "forecast_calls" in text and "commit_minor" in text)
    columns = reading.partition("FROM")[0]
    assert not any(name in columns for name in ("note", "based_on", "buckets", "stamps", "likely_minor"))


WRONG = {
    "?by=luck": "request_invalid",
    "?view=pipeline": "request_invalid",
    "?weeks=-1": "request_invalid",
    "?node=company": "request_invalid",
    "?period=q9": "period_unknown",
    "?period=q2": "period_not_over",
    "?currency=XQX": "currency_unknown",
}


def test_what_cannot_be_asked_has_a_code(office: Office, desk: Desk) -> None:
    begun(office)
    for query, code in WRONG.items():
        assert desk.get("dirk", f"{PATH}{query}").json()["code"] == code, query


def test_before_the_period_is_over_nothing_is_scored_and_the_same_question_has_the_same_bytes(
    office: Office, desk: Desk
) -> None:
    begun(office)
    assert call(office.phone("ana"), "c").outcome == "applied"
    until(office, "2026-01-05 09:00")
    office.database.write(locking.run, office.clock.now_ms())
    assert (told(desk)["periods"], told(desk)["all"]["calls"]) == ([], 0)
    until(office, "2026-03-31 22:00")  # midnight in Madrid
    desk.forget_tokens()
    first, second = desk.get("dirk", PATH), desk.get("dirk", PATH)
    assert first.content == second.content
    assert [period["key"] for period in first.json()["periods"]] == ["q1"]
    assert len(office.all(ROWS["forecast_calls"].select())) == 1
