"""`GET /api/deals/review`: slipped and stalled deals by sealed pages, equal to a recount in everybody's scope (R22)."""

from random import Random
from typing import Any

import pytest

from sfa.core.days import local_day
from sfa.deals import review
from sfa.deals.standing import standing
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk
from tests.deals.conftest import deal, stated
from tests.office import Office

MADRID = "Europe/Madrid"


def many(office: Office, rng: Random, count: int) -> None:
    office.put(("stages", "lead", {"stalled_days": 5}))
    rows: list[tuple[str, str, dict[str, Any]]] = []
    for n in range(count):
        owner, account = rng.choice((("ana", "acme"), ("bob", None), ("cleo", "zeta"), ("mia", "acme")))
        day = rng.choice((None, local_day(NOW + rng.randrange(-9, 9) * DAY_MS, MADRID)))
        values = {"name": f"D{n}", "owner_key": owner, "account_key": account, "close_on": day}
        stage, closed = rng.choice((("lead", None), ("lead", None), ("offer", None), ("won", NOW)))
        since = rng.choice((None, NOW - rng.randrange(12) * DAY_MS))
        rows.append(("deals", f"d{n:03}", {**values, "stage_key": stage, "closed_at": closed, "stage_since": since}))
    stated(office, *rows)


def everything(desk: Desk, user: str, flag: str, limit: int, **more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    while True:
        told = desk.get(user, f"/api/deals/review?flag={flag}&limit={limit}{after}{extra}").json()
        found += told["items"]
        if told["next"] is None:
            return found
        after = f"&after={told['next']}"


@pytest.mark.parametrize("flag", ["slipped", "stalled"])
def test_pages_hold_exactly_the_deals_that_a_recount_finds(office: Office, desk: Desk, flag: str) -> None:
    """R22, S13: each once, by the day on which they should close."""
    many(office, Random(7), 60)
    visit = {"account_key": "acme", "owner_key": "ana", "status": "completed", "checked_in_at": NOW - DAY_MS}
    stated(office, ("visits", "v1", visit))
    now = office.clock.now_ms()
    today = local_day(now, MADRID)
    stages = {row["key"]: row for row in office.rows("stages")}
    for user in ("ana", "mia", "cleo", "dirk"):
        seen = office.visible(user)
        wanted = []
        for (entity, key), row in seen.items():
            if entity == "deals":
                last = NOW - DAY_MS if row["account_key"] == "acme" and ("visits", "v1") in seen else None
                if flag in standing(row, stages[row["stage_key"]], today, now, last).flags:
                    wanted.append((row["close_on"] or "9999-12-31", key))
        told = everything(desk, user, flag, 3)
        assert [item["key"] for item in told] == [key for _, key in sorted(wanted)]
        assert all(flag in item["flags"] for item in told)
    assert len(everything(desk, "dirk", flag, 200)) > 2


def test_a_page_that_looked_at_enough_deals_says_that_there_is_more(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13: Ana's own lie behind many of Cleo's; the walk goes on from a place that she may not read."""
    monkeypatch.setattr(review, "SCANNED_MAX", 4)
    for n in range(9):
        deal(office, f"of-cleo-{n}", owner_key="cleo", close_on="2025-12-01")
    deal(office, "mine", close_on="2025-12-02")
    first = desk.get("ana", "/api/deals/review").json()
    assert (first["items"], first["next"] is None) == ([], False)
    assert "of-cleo-3" not in first["next"]
    assert [item["key"] for item in everything(desk, "ana", "slipped", 5)] == ["mine"]
    assert desk.get("bob", f"/api/deals/review?after={first['next']}").status_code == 400


def test_slipped_deals_stay_in_the_bucket_of_the_current_period(office: Office, desk: Desk) -> None:
    """R22: however long ago they should have closed."""
    for key, start, end in (("2026", "2026-01-01", "2027-01-01"), ("2026-Q1", "2026-01-01", "2026-04-01")):
        kind = "quarter" if "Q" in key else "year"
        office.put(("fiscal_periods", key, {"name": key, "kind": kind, "start_on": start, "end_on": end}))
    deal(office, "old", close_on="2024-03-01")
    deal(office, "today", close_on="2026-01-05")
    told = desk.get("mia", "/api/deals/review").json()
    assert (told["period_key"], [item["key"] for item in told["items"]]) == ("2026-Q1", ["old"])
    assert told["items"][0]["slipped_days"] == 675
    office.clock.advance(DAY_MS)
    desk.forget_tokens()
    assert [item["key"] for item in desk.get("mia", "/api/deals/review").json()["items"]] == ["old", "today"]
    assert [item["key"] for item in everything(desk, "mia", "slipped", 9, owner="bob")] == []


@pytest.mark.parametrize("query", ["flag=odd", "limit=0", "limit=201", "owner=no key", "after=x"])
def test_a_list_asked_for_otherwise_is_refused(desk: Desk, query: str) -> None:
    assert desk.get("ana", f"/api/deals/review?{query}").json()["code"] == "request_invalid"


def test_a_stage_that_was_deleted_stalls_nothing(office: Office, desk: Desk) -> None:
    """One rule for the list and for the deal itself."""
    office.put(("stages", "old", {"name": "Old", "position": 3, "stalled_days": 3}))
    stated(office, ("deals", deal(office, "d-1"), {"stage_key": "old", "stage_since": NOW - 9 * DAY_MS}))
    assert [item["key"] for item in everything(desk, "ana", "stalled", 5)] == ["d-1"]
    assert desk.get("ana", "/api/deals/d-1/state").json()["flags"] == ["stalled"]
    office.delete("stages", "old")
    assert everything(desk, "ana", "stalled", 5) == []
    assert desk.get("ana", "/api/deals/d-1/state").json()["flags"] == []
