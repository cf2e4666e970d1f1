"""Whoever wins a deal, other systems are told once for each closing."""

from typing import Any

import msgspec
from sqlalchemy import select

from sfa.crm import edits
from sfa.db.tables import webhook_events
from sfa.db.writes import Door, Origin
from tests.crm.desk import opened
from tests.office import Office


def told(office: Office) -> list[dict[str, Any]]:
    rows = office.all(select(webhook_events).order_by(webhook_events.c.at))
    return [msgspec.json.decode(row["body"]) for row in rows if row["kind"] == "deal.won"]


def test_a_deal_won_offline_is_told_when_the_phone_syncs_and_twice_is_once(office: Office) -> None:
    ana = office.phone("ana")
    won = ana.mutation("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={})
    office.clock.advance(3_600_000)
    body = ana.body([won])
    for _ in range(2):
        ana.answer(body)
    row = office.row("deals", "deal-a")
    (event,) = told(office)
    assert event["type"] == "deal.won"
    assert event["data"] == {
        "deal_key": "deal-a",
        "account_key": "acme",
        "owner_key": "ana",
        "stage_key": "won",
        "amount_minor": 500_000,
        "currency": "EUR",
        "closed_at": row["closed_at"],
    }


def test_a_deal_won_at_a_screen_is_told_and_each_closing_is_one(office: Office) -> None:
    with opened(office) as desk:
        assert desk.post("ana", "/api/deals/deal-a/win", json={}).status_code == 200
        assert desk.post("ana", "/api/deals/deal-a/win", json={}).status_code == 200
        office.clock.advance(1_000)
        assert len(told(office)) == 1
        assert desk.post("mia", "/api/deals/deal-a/reopen", json={"stage_key": "lead"}).status_code == 200
        office.clock.advance(1_000)
        assert desk.post("ana", "/api/deals/deal-a/win", json={}).status_code == 200
    assert len({event["data"]["closed_at"] for event in told(office)}) == 2


def test_what_is_corrected_of_a_deal_that_was_won_is_not_a_win(office: Office) -> None:
    office.phone("ana").do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={})
    office.put(("deals", "deal-a", {"amount_minor": 400_000}))
    assert [event["data"]["amount_minor"] for event in told(office)] == [500_000]


def test_a_lost_deal_is_not_told(office: Office) -> None:
    base = office.rev("deals", "deal-a")
    lost = office.phone("ana").do("deal.lose", "deals", "deal-a", base=base, set={"reason": "price"})
    assert lost.outcome == "applied"
    assert told(office) == []


def test_what_a_file_brings_as_won_is_how_things_stood_before(office: Office) -> None:
    def work(connection: Any) -> int:
        now = office.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key=None, at=now, stored_at=now)
        said = {"stage_key": "won", "closed_at": now - 1_000}
        assert edits.imported(door, "deals", "deal-a", said, {}, origin) == "updated"
        return door.flush()

    office.database.write(work)
    assert office.row("deals", "deal-a")["closed_at"] is not None
    assert told(office) == []
