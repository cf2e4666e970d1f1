"""Faults that readers found before anybody in the field did: each is a story of two phones, or of two processes."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from sfa.core.days import local_day
from sfa.core.errors import Refused
from sfa.core.recurrence import check_rule
from sfa.visits import calendar, plans
from sync.decisions import COMMANDS
from sync.protocol import PushAnswer
from sync.push import Push, push
from tests.builders import DAY_MS, put_rows
from tests.office import Office
from tests.visits.conftest import visit

MINUTE_MS = 60_000
HELD_S = 0.6


def test_a_check_out_that_meets_another_check_in_asks_and_blocks_no_queue(office: Office) -> None:
    """R13: the tablet's check-out does not stand; the push went down with it, and so did every later one."""
    visit(office, "v1")
    phone, tablet = office.phone("ana"), office.phone("ana", "d-tablet")
    now = office.clock.now_ms()
    assert phone.do("visit.check_in", "visits", "v1", base=1, at=now - 60 * MINUTE_MS).outcome == "applied"
    tablet.do("visit.check_in", "visits", "v1", base=1, at=now - 50 * MINUTE_MS)
    left = tablet.do("visit.check_out", "visits", "v1", base=1, at=now - 30 * MINUTE_MS)
    assert left.outcome == "conflict"
    assert len(left.conflicts) == 1


def test_a_rule_that_ends_at_the_end_of_time_is_refused_and_one_that_is_stored_stops_nobody(office: Office) -> None:
    with pytest.raises(Refused) as refused:
        check_rule("FREQ=DAILY;UNTIL=99991231T235959Z")
    assert refused.value.code == "rrule_invalid"
    day = local_day(office.clock.now_ms() + DAY_MS, "Europe/Madrid")
    common = {"account_key": "acme", "owner_key": "ana", "valid_from": day, "start_time": "09:00"}
    stored = {**common, "zone": "Europe/Madrid", "rrule": "FREQ=DAILY;UNTIL=99991231T235959Z"}
    office.put_server_row("visit_plans", "p0", stored)
    office.put(("visit_plans", "p1", {**common, "zone": "UTC"}))
    office.database.write(plans.expand, office.clock.now_ms())
    assert [row["plan_key"] for row in office.rows("visits") if row["plan_key"]] == ["p1"]


def test_a_planned_visit_with_a_photo_on_it_is_not_taken_back(office: Office) -> None:
    day = local_day(office.clock.now_ms() + 2 * DAY_MS, "UTC")
    plan = {"account_key": "acme", "owner_key": "ana", "valid_from": day, "start_time": "09:00", "zone": "UTC"}
    office.put(("visit_plans", "p1", plan))
    office.database.write(plans.expand, office.clock.now_ms())
    (made,) = (row["key"] for row in office.rows("visits") if row["plan_key"] == "p1")
    photo = {"account_key": "acme", "visit_key": made, "author_key": "ana", "name": "p.jpg"}
    office.put(("attachments", "a1", {**photo, "media_type": "image/jpeg", "size": 3, "sha256": "0" * 64}))
    office.put(("visit_plans", "p1", {"exceptions": [day]}))
    office.database.write(plans.expand, office.clock.now_ms())
    assert office.row("visits", made)["gone"] is False


def _raw(*mutations: dict[str, Any]) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(mutation)) for mutation in mutations]


def _beside(office: Office, first: Any, args: tuple[Any, ...], sent: Push) -> PushAnswer:
    """A push that begins while another transaction holds its locks; only PostgreSQL has two writers."""

    def held(connection: Connection) -> None:
        first(connection, *args)
        if connection.dialect.name == "postgresql":
            await_only(asyncio.sleep(HELD_S))

    async def both() -> PushAnswer:
        async def later() -> PushAnswer:
            await asyncio.sleep(HELD_S / 2)
            return await office.database.write_async(push, sent, office.clock.now_ms(), COMMANDS)

        _, answer = await asyncio.gather(office.database.write_async(held), later())
        await office.database.close_async()
        return answer

    return asyncio.run(both())


def test_a_consent_that_is_given_while_its_customer_moves_lies_where_the_contact_lies(office: Office) -> None:
    """S8."""
    office.put(("contacts", "c1", {"account_key": "acme", "name": "New"}))
    phone, now = office.phone("ana"), office.clock.now_ms()
    said = {"contact_key": "c1", "purpose": "marketing", "channel": "email", "granted": True}
    sent = Push("ana", phone.device, now, _raw(phone.mutation("create", "consents", "k1", set=said)))
    _beside(office, put_rows, ([("accounts", "acme", {"territory_key": "t-south"})], now), sent)
    consent = office.find("consents", "k1")
    if consent is not None:  # else it came too late: handed over
        assert consent["buckets"] == office.row("contacts", "c1")["buckets"]


def test_two_phones_that_open_two_visits_at_one_moment_are_asked_about_it(office: Office) -> None:
    """R13: also where the second one names the first visit in a note, and so has read it before it waited."""
    visit(office, "v1")
    visit(office, "v2")
    phone, tablet, now = office.phone("ana"), office.phone("ana", "d-tablet"), office.clock.now_ms()
    first = Push("ana", phone.device, now, _raw(phone.mutation("visit.check_in", "visits", "v1", base=1)))
    note = {"account_key": "acme", "visit_key": "v1", "body": "x"}
    second = [
        tablet.mutation("visit.check_in", "visits", "v2", base=1),
        tablet.mutation("create", "notes", "n1", set=note),
    ]
    _beside(office, push, (first, now, COMMANDS), Push("ana", tablet.device, now, _raw(*second)))
    assert len(office.rows("conflicts")) == 1


def test_a_calendar_tells_nothing_of_a_customer_that_has_left_the_scope(office: Office) -> None:
    """S13: the address goes on working, and a visit whose customer moved away goes with it."""
    now = office.clock.now_ms()
    visit(office, "v1", planned_at=now + DAY_MS)
    path = office.database.write(calendar.create, now, "ana").path.rpartition("/")[2]
    assert b"Acme" in office.database.read(calendar.read, path, now)
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    office.put(("accounts", "acme", {"name": "Renamed Secret", "street": "Hidden 5"}))
    told = office.database.read(calendar.read, path, now)
    assert b"Secret" not in told
    assert b"Hidden" not in told
