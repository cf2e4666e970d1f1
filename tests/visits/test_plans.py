"""Plans become visits: by the job, by a device, by both; and follow their plan while nobody touches them."""

from typing import Any

import pytest

from sfa.app.jobs import JOBS
from sfa.core.days import plus_days
from sfa.visits import plans
from sfa.visits.recurrence import HORIZON_DAYS, occurrence_key
from sync.device import visits as on_device
from tests.office import Office
from tests.sync.net import Net, net  # noqa: F401

DAY_MS = 24 * 3600 * 1000
WEEKLY: dict[str, Any] = {
    "account_key": "acme",
    "owner_key": "ana",
    "rrule": "FREQ=WEEKLY;BYDAY=TU",
    "start_time": "09:00",
    "zone": "Europe/Madrid",
    "valid_from": "2026-01-06",
}


def run(office: Office) -> tuple[int, int]:
    return office.database.write(plans.expand, office.clock.now_ms())


def planned(office: Office) -> list[str]:
    return [str(row["planned_on"]) for row in office.rows("visits")]


@pytest.fixture
def weekly(office: Office) -> Office:
    """ana visits Acme on Tuesdays; the job has made the visits."""
    office.put(("visit_plans", "p", WEEKLY))
    run(office)
    return office


def test_a_plan_becomes_visits_of_the_weeks_ahead(weekly: Office) -> None:
    rows = weekly.rows("visits")
    assert [row["key"] for row in rows] == [occurrence_key("p", plus_days("2026-01-06", 7 * n)) for n in range(8)]
    first = rows[0]
    assert (first["owner_key"], first["status"], first["planned_minutes"]) == ("ana", "planned", 60)
    assert first["planned_at"] == 1_767_600_000_000 + DAY_MS  # nine in Madrid is eight in UTC
    assert run(weekly) == (0, 0), "nothing is due and nothing has changed"


def test_the_horizon_rolls_on(weekly: Office) -> None:
    weekly.clock.advance(14 * DAY_MS)
    assert run(weekly) == (1, 2)
    assert planned(weekly)[-1] == "2026-03-10"
    assert len(planned(weekly)) == 10, "what is past stays"


def test_a_change_moves_only_what_nobody_touched(weekly: Office) -> None:
    ana = weekly.phone("ana")
    keys = [row["key"] for row in weekly.rows("visits")]
    ana.edit("visits", keys[1], purpose="bring the pump")
    ana.do("visit.check_in", "visits", keys[2], base=1)
    ana.do("create", "notes", "n", set={"account_key": "acme", "visit_key": keys[3], "body": "ask"})
    before = {row["key"]: row["planned_at"] for row in weekly.rows("visits")}
    weekly.put(("visit_plans", "p", {"start_time": "10:30"}))
    assert run(weekly) == (1, 5)
    moved = {row["key"]: row["planned_at"] - before[row["key"]] for row in weekly.rows("visits")}
    assert [moved[key] // 60_000 for key in keys] == [90, 0, 0, 0, 90, 90, 90, 90]


def test_an_ended_plan_takes_back_only_what_nobody_touched(weekly: Office) -> None:
    ana = weekly.phone("ana")
    keys = [row["key"] for row in weekly.rows("visits")]
    ana.edit("visits", keys[4], purpose="they asked for it")
    weekly.put(("visit_plans", "p", {"valid_to": "2026-01-20"}))
    run(weekly)
    assert [row["key"] for row in weekly.rows("visits")] == [keys[0], keys[1], keys[4]]
    weekly.put(("visit_plans", "p", {"valid_to": None}))
    run(weekly)
    assert [row["key"] for row in weekly.rows("visits")] == keys, "what the plan withdrew comes back with it"


def test_a_deleted_plan_takes_back_its_visits(weekly: Office) -> None:
    weekly.delete("visit_plans", "p")
    run(weekly)
    assert planned(weekly) == []


def test_an_exception_is_a_day_without_a_visit(weekly: Office) -> None:
    weekly.put(("visit_plans", "p", {"exceptions": ["2026-01-13"]}))
    run(weekly)
    assert "2026-01-13" not in planned(weekly)
    assert len(planned(weekly)) == 7


def test_what_a_person_deleted_stays_deleted(weekly: Office) -> None:
    key = occurrence_key("p", "2026-01-13")
    weekly.phone("ana").do("delete", "visits", key, base=weekly.rev("visits", key))
    weekly.put(("visit_plans", "p", {"start_time": "11:00"}))
    run(weekly)
    assert "2026-01-13" not in planned(weekly)


def test_a_plan_whose_owner_left_or_whose_customer_is_gone_makes_nothing(weekly: Office) -> None:
    weekly.put(("users", "ana", {"active": False}))
    weekly.put(("visit_plans", "p", {"minutes": 30}))
    run(weekly)
    assert planned(weekly) == []
    assert weekly.row("accounts", "acme")["gone"] is False


def test_one_plan_that_cannot_be_followed_keeps_nobody_elses_from_it(weekly: Office) -> None:
    weekly.put(("visit_plans", "q", {**WEEKLY, "contact_key": "carl", "participants": ["bob"]}))
    weekly.delete("contacts", "carl")
    weekly.put(("visit_plans", "r", {**WEEKLY, "rrule": "FREQ=WEEKLY;BYDAY=WE"}))
    run(weekly)
    assert {row["plan_key"] for row in weekly.rows("visits")} == {"p", "q", "r"}
    assert {row["contact_key"] for row in weekly.rows("visits")} == {None}


def test_runs_are_bounded_and_come_to_everybody(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "PLANS_MAX", 2)
    office.put(*(("visit_plans", f"p{n}", {**WEEKLY, "valid_to": "2026-01-07"}) for n in range(5)))
    looked = [run(office)[0] for _ in range(4)]
    assert max(looked) <= 4
    assert len(office.rows("visits")) == 5


def test_a_plan_is_found_behind_any_number_of_other_changes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "WINDOW", 3)
    monkeypatch.setattr(plans, "WINDOWS_MAX", 2)
    for n in range(20):
        office.put(("accounts", "acme", {"city": f"City {n}"}))
    office.put(("visit_plans", "p", WEEKLY))
    runs = 0
    while not office.rows("visits"):
        run(office)
        runs += 1
        assert runs < 100
    assert runs > 3


def test_a_job_that_dies_in_the_middle_has_done_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.put(("visit_plans", "p", WEEKLY))

    def dies(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(plans, "_note", dies)
        with pytest.raises(RuntimeError):
            run(office)
    assert planned(office) == []
    run(office)
    assert len(planned(office)) == 8


# -- devices ----------------------------------------------------------------------------------------------------------


def test_a_device_makes_the_same_visits_offline_and_nothing_comes_twice(net: Net) -> None:  # noqa: F811
    """S18: the same keys, so the create agrees, whoever came first."""
    office = net.office
    phone = net.phone("ana")
    plan = {key: value for key, value in WEEKLY.items() if key != "owner_key"}
    phone.create("visit_plans", plan, "p")
    made = on_device.plan_ahead(phone)
    assert len(made) == 8
    assert on_device.plan_ahead(phone) == []
    office.put(("visit_plans", "p", WEEKLY))  # somebody else had the same plan from elsewhere
    run(office)
    before = {row["key"]: row for row in office.rows("visits")}
    assert sorted(before) == sorted(made)
    result = phone.sync()
    assert not result.refused
    assert not result.conflicts
    assert {row["key"]: row for row in office.rows("visits")} == before
    run(office)
    assert len(office.rows("visits")) == 8


def test_the_create_of_a_late_device_undoes_nobodys_change(weekly: Office) -> None:
    """S24: it says again what an old version of the plan said; what was moved or taken back since stays so."""
    first = {row["key"]: {f: row[f] for f in said_of(row)} for row in weekly.rows("visits")}
    keys = sorted(first)
    weekly.phone("mia").edit("visits", keys[0], planned_at=1_767_700_000_000, planned_minutes=15)
    weekly.phone("mia").do("delete", "visits", keys[1], base=weekly.rev("visits", keys[1]))
    weekly.put(("visit_plans", "p", {"start_time": "10:30", "valid_to": "2026-01-20"}))
    run(weekly)
    before = [weekly.find("visits", key) for key in keys]
    ana = weekly.phone("ana")
    for key in keys:
        receipt = ana.do("create", "visits", key, set=first[key])
        assert (receipt.outcome, receipt.conflicts) == ("merged", [])
    assert [weekly.find("visits", key) for key in keys] == before


def test_what_a_device_did_with_a_withdrawn_visit_brings_it_back(weekly: Office) -> None:
    """S26: the rep was there, whatever became of the plan."""
    key = occurrence_key("p", "2026-01-13")
    weekly.delete("visit_plans", "p")
    run(weekly)
    ana = weekly.phone("ana")
    receipt = ana.do("visit.check_in", "visits", key, base=1)
    assert receipt.restored
    assert weekly.row("visits", key)["status"] == "checked_in"
    run(weekly)
    assert [row["key"] for row in weekly.rows("visits")] == [key]


def test_what_the_create_of_a_device_says_beside_the_plan_is_an_edit(weekly: Office) -> None:
    """S1: nothing that was typed is lost."""
    row = weekly.rows("visits")[0]
    said = {**{f: row[f] for f in said_of(row)}, "purpose": "bring the pump"}
    weekly.phone("ana").do("create", "visits", row["key"], set=said)
    assert weekly.row("visits", row["key"])["purpose"] == "bring the pump"


def said_of(row: dict[str, Any]) -> tuple[str, ...]:
    said = ("account_key", "owner_key", "contact_key", "visit_type", "purpose", "planned_at", "planned_minutes")
    return (*said, "plan_key", "planned_on", "participants")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"rrule": "FREQ=HOURLY"}, "rrule_invalid"),
        ({"zone": "Mars/Olympus"}, "calendar_invalid"),
        ({"exceptions": ["2026-02-30"]}, "field_invalid"),
        ({"start_time": "25:00"}, "field_invalid"),
        ({"valid_from": "1999-12-31"}, "invariant_failed"),
        ({"participants": ["nobody"]}, "reference_unknown"),
    ],
)
def test_a_plan_that_nobody_could_follow_is_refused(office: Office, values: dict[str, Any], code: str) -> None:
    receipt = office.phone("ana").do("create", "visit_plans", "p", set={**WEEKLY, **values})
    assert (receipt.outcome, receipt.code) == ("refused", code)


def test_the_device_reckons_its_own_cadence(net: Net) -> None:  # noqa: F811
    """R15, R32: from synced rows, by the server's own rule."""
    office = net.office
    office.put(("accounts", "acme", {"tier": "A"}))
    office.put(("cadence_rules", "r", {"tier": "A", "every": 14, "valid_from": "2025-01-01"}))
    phone = net.phone("ana")
    assert on_device.standings(phone)["acme"].status == "never_visited"
    visit = phone.create("visits", {"account_key": "acme"})
    phone.command("visit.check_in", visit)
    phone.command("visit.check_out", visit)
    found = {day: on_device.standings(phone, day)["acme"] for day in ("2026-01-18", "2026-01-19", "2026-01-20")}
    assert [due.status for due in found.values()] == ["on_track", "due", "overdue"]
    phone.command("visit.submit", visit)
    phone.command("visit.amend", visit, {"values": {"outcome": "sold"}, "reason": "forgot"})
    amended = on_device.as_amended(phone, visit)
    assert amended is not None
    assert amended["outcome"] == "sold"
    phone.sync()
    assert on_device.as_amended(phone, visit) == amended | {
        field: office.row("visits", visit)[field] for field in ("created_at", "created_by")
    }


def test_the_horizon_is_longer_than_a_phone_is_without_signal() -> None:
    assert HORIZON_DAYS >= 28


def test_the_job_says_what_it_did(office: Office) -> None:
    office.put(("visit_plans", "p", WEEKLY))
    job = JOBS["plan_visits"]
    assert office.database.write(job.work, office.clock.now_ms()) == "8 visits of 1 plans"
