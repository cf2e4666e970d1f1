"""Signals add up for managers, and the list of cadence: in scope, in the organisation's days, equal to a recount."""

import base64
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, event

from sfa.core.days import day_start_ms, local_day, plus_days
from sfa.visits import cadence, summary
from tests.builders import NOW
from tests.crm.desk import Desk
from tests.office import Office
from tests.visits.conftest import visit

ZONE = "Europe/Madrid"
DAY_MS = 24 * 3600 * 1000


def heard(office: Office, rng: Random, count: int) -> list[dict[str, Any]]:
    """Signals of both territories, over ten days, some with money."""
    rows: list[dict[str, Any]] = []
    for n in range(count):
        north = rng.random() < 0.7
        money = (rng.randrange(-100, 10**6), rng.choice(("EUR", "JPY"))) if rng.random() < 0.5 else (None, None)
        row = {
            "account_key": rng.choice(("acme", "beta")) if north else "zeta",
            "author_key": rng.choice(("ana", "bob")) if north else "cleo",
            "kind": rng.choice(("need", "competitor", "price", "complaint", "order_wish")),
            "said_at": NOW - rng.randrange(10 * DAY_MS),
            "product_key": rng.choice(("pump", None)),
            "competitor": rng.choice(("Rival", "Other", None)),
            "amount_minor": money[0],
            "currency": money[1],
        }
        rows.append({"key": f"s{n}", **row})
    office.put(("accounts", "beta", {"name": "Beta", "territory_key": "t-north"}))
    office.put(*(("signals", row["key"], {f: v for f, v in row.items() if f != "key"}) for row in rows))
    return rows


TERRITORY = {"acme": "t-north", "beta": "t-north", "zeta": "t-south"}
VALUE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "kind": lambda row: row["kind"],
    "product": lambda row: row["product_key"],
    "territory": lambda row: TERRITORY[row["account_key"]],
    "account": lambda row: row["account_key"],
    "competitor": lambda row: row["competitor"],
    "author": lambda row: row["author_key"],
}


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_equal_a_recount_in_everybodys_scope(office: Office, desk: Desk, seed: int) -> None:
    """What a manager is told is what he could count himself among the rows that he sees."""
    rows = heard(office, Random(seed), 60)
    from_on, until_on = "2025-12-29", "2026-01-04"
    for user in ("mia", "cleo", "dirk"):
        seen = {key for entity, key in office.visible(user) if entity == "signals"}
        mine = [r for r in rows if r["key"] in seen and from_on <= local_day(r["said_at"], ZONE) < until_on]
        for by, value in VALUE.items():
            said = desk.get(user, f"/api/signals/summary?from={from_on}&to={until_on}&by={by}").json()
            assert {g["value"]: g["count"] for g in said["groups"]} == Counter(value(r) for r in mine)
            for group in said["groups"]:
                sums: dict[str, int] = {}
                for row in mine:
                    if value(row) == group["value"] and row["currency"] is not None:
                        sums[row["currency"]] = sums.get(row["currency"], 0) + row["amount_minor"]
                assert group["amounts"] == sums
            assert said["total"]["count"] == len(mine)
            assert said["zone"] == ZONE


def test_a_signal_counts_on_the_organisations_day(office: Office, desk: Desk) -> None:
    """R32: half an hour before midnight UTC it is tomorrow in Madrid."""
    late = day_start_ms("2026-01-04", "UTC") - 1_800_000
    office.put(("signals", "s", {"account_key": "acme", "author_key": "ana", "kind": "need", "said_at": late}))
    counts = {
        day: desk.get("mia", f"/api/signals/summary?from={day}&to={plus_days(day, 1)}").json()["total"]["count"]
        for day in ("2026-01-03", "2026-01-04")
    }
    assert counts == {"2026-01-03": 0, "2026-01-04": 1}


def test_few_groups_are_shown_and_all_are_counted(office: Office, desk: Desk) -> None:
    heard(office, Random(3), 40)
    said = desk.get("dirk", "/api/signals/summary?by=kind&limit=2").json()
    assert (len(said["groups"]), said["left_out"]) == (2, 3)
    assert said["total"]["count"] == 40


def test_a_deleted_signal_counts_no_more(office: Office, desk: Desk) -> None:
    heard(office, Random(3), 3)
    office.delete("signals", "s0")
    assert desk.get("dirk", "/api/signals/summary").json()["total"]["count"] == 2


@pytest.mark.parametrize(
    "question", ["by=mood", "limit=1001", "limit=0", "from=2026-01-02&to=2026-01-02", "from=2020-01-01&to=2026-01-01"]
)
def test_a_question_that_makes_no_sense_is_refused(desk: Desk, question: str) -> None:
    answer = desk.get("mia", f"/api/signals/summary?{question}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_money_and_authors_of_signals_are_checked(office: Office) -> None:
    said = {"account_key": "acme", "kind": "price", "said_at": NOW}
    ana = office.phone("ana")
    assert ana.do("create", "signals", "a", set={**said, "amount_minor": 5}).code == "invariant_failed"
    assert ana.do("create", "signals", "b", set={**said, "author_key": "bob"}).code == "field_not_permitted"
    assert ana.do("create", "signals", "c", set=said).outcome == "applied"
    assert office.row("signals", "c")["author_key"] == "ana"
    assert office.phone("bob").edit("signals", "c", text="no").code == "not_permitted"
    assert office.phone("mia").edit("signals", "c", text="yes").outcome == "applied"


def test_a_merged_customer_takes_its_signals_plans_and_visits_along(office: Office) -> None:
    """S22."""
    office.put(("accounts", "acme2", {"name": "Acme 2", "territory_key": "t-north"}))
    said = {"account_key": "acme2", "kind": "price", "said_at": NOW, "author_key": "ana"}
    plan = {"account_key": "acme2", "owner_key": "ana", "start_time": "09:00", "zone": ZONE, "valid_from": "2026-02-01"}
    office.put(("signals", "s", said), ("visit_plans", "p", plan))
    assert office.phone("ana").do("account.merge", "accounts", "acme2", set={"into": "acme"}).outcome == "applied"
    assert office.row("signals", "s")["account_key"] == office.row("visit_plans", "p")["account_key"] == "acme"


# -- cadence ----------------------------------------------------------------------------------------------------------


def customers(office: Office, rng: Random, count: int) -> dict[str, int | None]:
    """Customers of tiers A and B, in the north, last visited some days ago or never; -> key -> instant."""
    rules = {"A": ("day", 10, 2), "B": ("working_day", 8, 0)}
    for tier, (unit, every, lead) in rules.items():
        rule = {"tier": tier, "every": every, "unit": unit, "lead_days": lead, "valid_from": "2025-01-01"}
        office.put(("cadence_rules", f"r-{tier}", rule))
    last: dict[str, int | None] = {}
    for n in range(count):
        key = f"c{n:02}"
        last[key] = NOW - rng.randrange(20 * DAY_MS) if rng.random() < 0.8 else None
        row = {"name": key, "territory_key": "t-north", "tier": rng.choice("ABC")}
        office.put(("accounts", key, row))
        if last[key] is not None:
            done(office, f"v{n}", key, last[key])
            done(office, f"w{n}", key, (last[key] or 0) - DAY_MS)
    return last


def done(office: Office, key: str, account: str, at: int | None) -> None:
    visit(office, key, account_key=account)
    values = {"status": "completed", "checked_in_at": at, "checked_out_at": at}
    office.put_server_row("visits", key, values)


def pages(desk: Desk, question: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        said = desk.get("mia", f"/api/cadence?limit=3&{question}{after}").json()
        found += said["items"]
        if said["next"] is None:
            return found
        after = f"&after={said['next']}"


def test_the_list_of_cadence_is_what_the_rule_says_of_every_customer(office: Office, desk: Desk) -> None:
    """R15, R32: by the database and by the pure rule, for every status and on several days."""
    last = customers(office, Random(5), 16)
    accounts = {row["key"]: row for row in office.rows("accounts")}
    rules = {row["key"]: row for row in office.rows("cadence_rules")}
    for as_of in ("2026-01-05", "2026-01-08"):
        wanted: dict[str, cadence.Due] = {}
        for key, at in last.items():
            rule = cadence.rule_of(rules, accounts[key]["tier"], as_of)
            if rule is not None:
                wanted[key] = cadence.due(at, rule, as_of, ZONE)
        told = {item["account_key"]: item for item in pages(desk, f"as_of={as_of}")}
        assert {key: (i["status"], i["due_on"]) for key, i in told.items()} == {
            key: (due.status, due.due_on) for key, due in wanted.items()
        }
        for status in cadence.STATUSES:
            some = [item["account_key"] for item in pages(desk, f"as_of={as_of}&status={status}")]
            assert some == sorted(key for key, due in wanted.items() if due.status == status)


@pytest.mark.parametrize("scanned", [1, 3])
def test_a_page_of_cadence_looks_at_a_window_and_loses_nobody(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch, scanned: int
) -> None:
    """S10: its cost does not grow with what others have; pages may be short, or empty."""
    customers(office, Random(7), 12)
    office.put(*(("accounts", f"a{n}", {"name": "South", "territory_key": "t-south", "tier": "A"}) for n in range(9)))
    everybody = pages(desk, "as_of=2026-01-05"), pages(desk, "as_of=2026-01-05&status=overdue")
    monkeypatch.setattr(summary, "SCANNED_MAX", scanned)
    empty = desk.get("mia", "/api/cadence?as_of=2026-01-05").json()
    assert (empty["items"], empty["next"] is not None) == ([], True)
    assert pages(desk, "as_of=2026-01-05") == everybody[0]
    assert pages(desk, "as_of=2026-01-05&status=overdue") == everybody[1]


def test_where_a_page_of_cadence_ends_says_nothing_of_others(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13: a window may end at somebody else's customer, so its place is sealed, for this list and this caller."""
    office.put(("cadence_rules", "r", {"tier": "A", "every": 14, "valid_from": "2025-01-01"}))
    office.put(("accounts", "acme", {"tier": "A"}), ("accounts", "zeta", {"tier": "A"}))
    monkeypatch.setattr(summary, "SCANNED_MAX", 1)
    place = desk.get("cleo", "/api/cadence").json()["next"]
    assert b"acme" not in base64.urlsafe_b64decode(place + "===")
    for user, asked in (("ana", ""), ("cleo", "status=due&"), ("cleo", "as_of=2026-01-05&")):
        assert desk.get(user, f"/api/cadence?{asked}after={place}").json()["code"] == "request_invalid"
    assert desk.get("cleo", "/api/cadence?after=acme").json()["code"] == "request_invalid"
    assert [i["account_key"] for i in desk.get("cleo", f"/api/cadence?after={place}").json()["items"]] == ["zeta"]


def test_a_window_of_cadence_goes_along_the_key(office: Office) -> None:
    """Nothing is sorted, and nothing is gone through beside the window."""
    if office.database.dialect != "sqlite":
        return
    office.put(("cadence_rules", "r", {"tier": "A", "every": 14, "valid_from": "2025-01-01"}))

    def steps(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []
        event.listen(connection, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
        summary.standings(connection, "mia", "2026-01-05", "overdue", "a", 50)
        raw: Any = connection.connection.driver_connection
        plans = [raw.execute(f"EXPLAIN QUERY PLAN {sql}", values) for sql, values in asked if "FROM accounts" in sql]
        return [str(row[3]) for plan in plans for row in plan]

    found = office.database.read(steps)
    assert any("SEARCH accounts" in step and "key>?" in step for step in found), found
    assert not [step for step in found if step.startswith("SCAN") and step.split()[1] in ("accounts", "visits")], found


def test_the_list_changes_on_the_exact_day(office: Office, desk: Desk) -> None:
    """R15: visited on 5 January, every 14 days."""
    office.put(("accounts", "acme", {"tier": "A"}))
    office.put(("cadence_rules", "r", {"tier": "A", "every": 14, "valid_from": "2025-01-01"}))
    done(office, "v", "acme", NOW)
    told = {
        day: desk.get("ana", f"/api/cadence?as_of={day}").json()["items"][0]["status"]
        for day in ("2026-01-18", "2026-01-19", "2026-01-20")
    }
    assert list(told.values()) == ["on_track", "due", "overdue"]


def test_what_is_outside_the_scope_or_former_is_not_listed(office: Office, desk: Desk) -> None:
    office.put(("cadence_rules", "r", {"tier": "A", "every": 14, "valid_from": "2025-01-01"}))
    office.put(("accounts", "acme", {"tier": "A"}), ("accounts", "zeta", {"tier": "A", "status": "former"}))
    assert [i["account_key"] for i in desk.get("dirk", "/api/cadence").json()["items"]] == ["acme"]
    assert desk.get("cleo", "/api/cadence").json()["items"] == []
    assert desk.get("mia", "/api/cadence?status=late").json()["code"] == "request_invalid"
    assert desk.get("mia", "/api/cadence?as_of=2026-13-01").json()["code"] == "field_invalid"
    assert desk.get("mia", "/api/cadence?as_of=9999-12-31&status=due").json()["code"] == "period_unknown"
    assert desk.get("mia", "/api/cadence?as_of=0001-01-01&status=due").json()["items"] == []


def test_a_corrected_check_in_moves_the_due_day(office: Office, desk: Desk) -> None:
    """R14, R15: the correction counts, though the visit's row stays."""
    office.put(("accounts", "acme", {"tier": "A"}))
    office.put(("cadence_rules", "r", {"tier": "A", "every": 14, "valid_from": "2025-01-01"}))
    done(office, "v", "acme", NOW)
    office.put_server_row("visits", "v", {"submitted": True})
    earlier = {"checked_in_at": NOW - 3 * DAY_MS}
    body = {"values": earlier, "reason": "typed in the office"}
    assert desk.post("ana", "/api/visits/v/amend", json=body).status_code == 200
    (item,) = desk.get("ana", "/api/cadence").json()["items"]
    assert (item["last_on"], item["due_on"]) == ("2026-01-02", "2026-01-16")
