"""R4: a visit that did not happen is of the time that was planned, and of some time wherever nobody planned one."""

from typing import Any

import pytest

from sync.device.attainment import own_figures
from tests.builders import NOW
from tests.office import Office
from tests.quotas.books import at, quarter, quota, until
from tests.quotas.ledger import check_explained, contributions, figures
from tests.sync.device.pocket import pocket

WORDS = {"visit.no_show": "no_show", "visit.cancel": "cancelled"}


def counted(office: Office) -> None:
    """One quota counts what did not happen, the other one lists it."""
    quarter(office)
    which: dict[str, Any] = {"user_key": "ana", "counts_no_show": True, "counts_cancelled": True}
    office.put(quota("all", "total_contacts", "q2", **which))
    office.delete("quotas", "q-visits")
    office.put(quota("none", "total_contacts", user_key="ana"))
    office.put(quota("some", "unique_contacts", **which))


@pytest.mark.parametrize("command", WORDS)
def test_a_command_says_when_a_visit_that_nobody_planned_did_not_happen(office: Office, command: str) -> None:
    """R1, R4: the corrected time of the event, not that of the sync."""
    counted(office)
    ana, then = office.phone("ana"), NOW - 3_600_000
    ana.do("create", "visits", "v", set={"account_key": "acme", "owner_key": "ana"})
    assert ana.do(command, "visits", "v", base=1, at=then).outcome == "applied"
    assert office.row("visits", "v")["planned_at"] == then
    ana.do("create", "visits", "w", set={"account_key": "acme", "owner_key": "ana", "planned_at": NOW})
    assert ana.do(command, "visits", "w", base=1).outcome == "applied"
    assert office.row("visits", "w")["planned_at"] == NOW
    word = WORDS[command]
    found = check_explained(office)
    assert (found["some"].value, found["none"].value, found["all"].value) == (1, 0, 0)
    assert (found["some"].left_out, found["none"].left_out) == ({"repeated": 1}, {word: 2})
    listed = contributions(office, "none", left_out=True)
    assert [(part.row_key, part.at, part.reason) for part in listed] == [("v", then, word), ("w", NOW, word)]


@pytest.mark.parametrize("command", WORDS)
def test_a_device_counts_it_at_once_and_as_the_server_does(office: Office, command: str) -> None:
    counted(office)
    device = pocket(office, "ana")
    device.sync()
    key = device.create("visits", {"account_key": "acme", "owner_key": "ana"})
    device.command(command, key, {})
    office.clock.advance(1000)

    def here() -> dict[str, Any]:
        return {key: own_figures(device)[key].figure for key in ("some", "none", "all")}

    waiting = here()
    assert (waiting["some"].value, waiting["none"].left_out) == (1, {WORDS[command]: 1})
    device.sync()
    server = figures(office, office.clock.now_ms())
    assert here() == waiting == {key: server[key] for key in waiting}


@pytest.mark.parametrize("status", sorted(WORDS.values()))
def test_a_row_that_is_so_already_counts_when_it_was_made(office: Office, status: str) -> None:
    """R4: of the time before the commands said one."""
    counted(office)
    made = at("2026-01-31 12:00")
    said = {"account_key": "acme", "owner_key": "ana", "status": status, "created_at": made}
    office.put_server_row("visits", "v", said)
    until(office, "2026-04-02 08:00")
    device = pocket(office, "ana")
    device.sync()
    found = check_explained(office)
    assert (found["some"].value, found["all"].value, found["none"].left_out) == (1, 0, {status: 1})
    assert [part.at for part in contributions(office, "some")] == [made]
    assert own_figures(device)["some"].figure == figures(office, office.clock.now_ms())["some"]


def test_who_planned_it_meanwhile_is_believed(office: Office) -> None:
    """S24, S27: what a device said without a time takes the one that stands."""
    counted(office)
    office.put(("visits", "v", {"account_key": "acme", "owner_key": "ana"}))
    assert office.phone("mia").edit("visits", "v", planned_at=NOW + 5_000).outcome == "applied"
    office.phone("ana").do("visit.cancel", "visits", "v", base=1)
    row = office.row("visits", "v")
    assert (row["status"], row["planned_at"]) == ("cancelled", NOW + 5_000)
    assert office.rows("conflicts") == []
