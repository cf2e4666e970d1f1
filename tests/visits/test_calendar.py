"""The calendar feed: readable by whoever holds its address, until it is revoked; events that calendars understand."""

from datetime import datetime
from typing import Any

import icalendar
import pytest

from tests.builders import NOW
from tests.crm.desk import Desk
from tests.office import Office
from tests.visits.conftest import visit
from tests.visits.test_plans import WEEKLY, run

HOUR_MS = 3_600_000


def events(desk: Desk, path: str) -> dict[str, Any]:
    answer = desk.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    calendar = icalendar.Calendar.from_ical(answer.content)
    return {str(event["UID"]): event for event in calendar.walk("VEVENT")}


def address(desk: Desk, user: str = "ana") -> str:
    answer = desk.post(user, "/api/calendar")
    assert answer.status_code == 201
    return str(answer.json()["path"])


def test_planned_visits_are_events_at_the_wall_clock_of_their_zone(office: Office, desk: Desk) -> None:
    office.put(("visit_plans", "p", {**WEEKLY, "zone": "Atlantic/Canary", "purpose": "rounds"}))
    run(office)
    visit(office, "single", planned_at=NOW + 24 * HOUR_MS, planned_minutes=30)
    found = events(desk, address(desk))
    weekly, single = found["p.2026-02-24@visits"], found["single@visits"]
    assert weekly["DTSTART"].params["TZID"] == "Atlantic/Canary"
    assert weekly["DTSTART"].dt.replace(tzinfo=None) == datetime(2026, 2, 24, 9)  # noqa: DTZ001
    assert single["DTSTART"].params["TZID"] == "Europe/Madrid"
    assert (str(single["SUMMARY"]), str(single["LOCATION"])) == ("Acme", "Bilbao")
    assert single["DURATION"].dt.total_seconds() == 1800
    assert str(weekly["DESCRIPTION"]) == "rounds"
    assert len(found) == 9


def test_the_file_brings_its_time_zones(office: Office, desk: Desk) -> None:
    visit(office, "v", planned_at=NOW)
    calendar = icalendar.Calendar.from_ical(desk.client.get(address(desk)).content)
    assert [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Madrid"]


def test_a_cancelled_or_withdrawn_visit_says_so_under_its_old_name(office: Office, desk: Desk) -> None:
    visit(office, "v1", planned_at=NOW + HOUR_MS), visit(office, "v2", planned_at=NOW + 2 * HOUR_MS)
    path = address(desk)
    before = events(desk, path)
    office.phone("ana").do("visit.cancel", "visits", "v1", base=1)
    office.delete("visits", "v2")
    after = events(desk, path)
    assert {uid: str(event["STATUS"]) for uid, event in before.items()} == dict.fromkeys(before, "CONFIRMED")
    assert {uid: str(event["STATUS"]) for uid, event in after.items()} == dict.fromkeys(before, "CANCELLED")
    assert all(after[uid]["SEQUENCE"] > before[uid]["SEQUENCE"] for uid in before)


def test_whoever_goes_along_has_it_in_the_calendar_and_nobody_else(office: Office, desk: Desk) -> None:
    visit(office, "v1", planned_at=NOW, participants=["cleo"]), visit(office, "v2", planned_at=NOW, owner_key="bob")
    office.put(("account_members", "m", {"account_key": "acme", "user_key": "cleo"}))
    assert set(events(desk, address(desk))) == {"v1@visits"}
    assert set(events(desk, address(desk, "cleo"))) == {"v1@visits"}, "the customer's team is not going along"
    assert set(events(desk, address(desk, "bob"))) == {"v2@visits"}


def test_an_address_is_good_until_it_is_revoked_or_made_anew(office: Office, desk: Desk) -> None:
    first = address(desk)
    second = address(desk)
    assert desk.client.get(first).status_code == 404
    assert desk.client.get(second).status_code == 200
    assert desk.ask("ana", "DELETE", "/api/calendar").status_code == 204
    assert desk.ask("ana", "DELETE", "/api/calendar").status_code == 204
    assert desk.client.get(second).status_code == 404


def test_a_leavers_address_is_dead(office: Office, desk: Desk) -> None:
    path = address(desk)
    office.put(("users", "ana", {"active": False}))
    assert desk.client.get(path).json()["code"] == "not_found"


@pytest.mark.parametrize("name", ["x.ics", "%00.ics", "a" * 300 + ".ics", "..ics"])
def test_a_guessed_address_is_no_address(desk: Desk, name: str) -> None:
    assert desk.client.get(f"/calendar/{name}").status_code == 404
    path = address(desk)
    assert desk.client.get(path.removesuffix(".ics")).status_code == 404


def test_the_token_is_not_stored(office: Office, desk: Desk) -> None:
    token = address(desk).removeprefix("/calendar/").removesuffix(".ics")
    from sfa.db.tables import calendar_tokens

    (row,) = office.all(calendar_tokens.select())
    assert token.encode() not in row["digest"]
    assert len(token) >= 43


def test_what_does_not_change_gives_the_same_bytes(office: Office, desk: Desk) -> None:
    visit(office, "v", planned_at=NOW)
    path = address(desk)
    assert desk.client.get(path).content == desk.client.get(path).content
