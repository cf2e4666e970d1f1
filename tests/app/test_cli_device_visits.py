"""`sfa device …` of visits: planned, judged, submitted, corrected and listed by cadence, without signal."""

from collections.abc import Callable

from sfa.core.days import plus_days
from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.office import Office


@on_sqlite
def test_a_rep_plans_visits_and_corrects_one_without_signal(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    office.put(("accounts", "acme", {"tier": "A", "latitude": 43.263, "longitude": -2.935}))
    office.put(("cadence_rules", "r", {"tier": "A", "every": 14, "valid_from": "2025-01-01"}))
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    assert [row["status"] for row in ana.json("cadence")] == ["never_visited"]
    said = ana.run("plan", "Acme", "--rule", "FREQ=WEEKLY;BYDAY=TU", "--on", "2030-01-01", "--time", "08:30")
    assert said.endswith("0 visits in the next 56 days")
    assert "rrule_invalid" in ana.run("plan", "Acme", "--rule", "FREQ=HOURLY", code=1)
    ana.run("plan-visit", "Acme", "--purpose", "rounds")
    (visit,) = [row["key"] for row in ana.json("list", "visits")]
    ana.run("check-in", visit, "--latitude", "43.263", "--longitude", "-2.935", "--accuracy", "12")
    ana.run("check-out", visit, "--outcome", "sold")
    ana.run("submit", visit)
    ana.run("amend", visit, "typed wrongly", "outcome=postponed")
    ana.run("signal", "Acme", "competitor", "competitor=Rival", "amount_minor=1000", "currency=EUR")
    (stands,) = ana.json("cadence", "--status", "on_track")
    assert stands["due_on"] == plus_days(stands["last_on"], 14)
    assert ana.json("cadence", "--as-of", plus_days(stands["due_on"], 1))[0]["status"] == "overdue"
    ana.signal = True
    assert "refused" not in ana.run("sync")
    row = office.row("visits", visit)
    assert (row["verdict"], row["submitted"], row["outcome"]) == ("in_range", True, "sold")
    assert [(r["new"], r["reason"]) for r in office.rows("visit_amendments")] == [("postponed", "typed wrongly")]
    assert [r["competitor"] for r in office.rows("signals")] == ["Rival"]


@on_sqlite
def test_whoever_checks_in_twice_is_told_and_may(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    """R13: the phone says so; what the rep did is kept and a person is asked."""
    ana = terminals("ana")
    login(ana, "ana")
    office.put(*(("visits", key, {"account_key": "acme", "owner_key": "ana"}) for key in ("v1", "v2")))
    ana.run("sync")
    assert "visit_open" not in ana.run("check-in", "v1")
    assert "visit v1 is still open" in ana.run("check-in", "v2")
    assert "conflict on visits v2" in ana.run("sync")
    assert [(row["row_key"], row["reason"]) for row in office.rows("conflicts")] == [("v2", "visit_open")]
