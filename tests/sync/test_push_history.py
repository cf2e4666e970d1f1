"""Every change is kept with who, from which device and when by which clock (R54, S28)."""

import pytest

from tests.builders import DAY_MS, NOW
from tests.office import Office

HOUR_MS = 3_600_000


def test_history_names_author_device_number_times_and_both_values(office: Office) -> None:
    """R54."""
    ana = office.phone("ana")
    at = NOW - HOUR_MS
    ana.do("update", "contacts", "carl", base=1, at=at, set={"phone": "2", "title": "Boss", "name": "Carl"})
    entry = office.history("contacts", "carl")[-1]
    assert entry == {
        "entity": "contacts",
        "key": "carl",
        "rev": 2,
        "kind": "update",
        "changes": {"phone": ["1", "2"], "title": [None, "Boss"]},
        "author_key": "ana",
        "device_key": "d-ana",
        "n": 1,
        "device_at": at,
        "at": at,
        "stored_at": NOW,
        "via": None,
        "reviewed_by": None,
        "seq": office.seq(),
    }


def test_history_tells_the_whole_life_of_a_row(office: Office) -> None:
    """R54: replaying the changes gives every version."""
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("create", "deals", "d1", set={"name": "D", "stage_key": "lead", "amount_minor": 5, "currency": "EUR"})
    mia.edit("deals", "d1", amount_minor=7, splits=[{"user_key": "ana", "share_bp": 10_000}])
    ana.do("deal.win", "deals", "d1", base=2)
    ana.do("delete", "deals", "d1", base=3)
    ana.edit("deals", "d1", next_step="thank")
    entries = office.history("deals", "d1")
    assert [e["rev"] for e in entries] == [1, 2, 3, 4, 5]
    assert [e["kind"] for e in entries] == ["create", "update", "deal.win", "delete", "update"]
    assert [e["author_key"] for e in entries] == ["ana", "mia", "ana", "ana", "ana"]
    replayed: dict[str, object] = {}
    for entry in entries:
        for field, (old, new) in entry["changes"].items():
            assert replayed.get(field, old) == old
            replayed[field] = new
    row = office.row("deals", "d1")
    assert {field: row[field] for field in replayed} == replayed
    assert row["closed_at"] == NOW


def test_losing_values_are_in_history_or_in_a_conflict(office: Office) -> None:
    """S1, R54."""
    office.phone("bob").do("update", "contacts", "carl", base=1, at=NOW, set={"phone": "2"})
    office.phone("ana").do("update", "contacts", "carl", base=1, at=NOW - 1, set={"phone": "3"})
    assert [e["changes"].get("phone") for e in office.history("contacts", "carl")][1:] == [["1", "2"]]
    (conflict,) = office.rows("conflicts")
    (entry,) = office.history("conflicts", conflict["key"])
    assert (entry["author_key"], entry["device_key"], entry["n"]) == ("ana", "d-ana", 1)


@pytest.mark.parametrize("wrong_by", [-400 * DAY_MS, -HOUR_MS, 0, HOUR_MS, 400 * DAY_MS])
def test_times_are_corrected_by_what_the_push_shows(office: Office, wrong_by: int) -> None:
    """S28: the device's clock is off, its sense of how long ago is not."""
    ana = office.phone("ana")
    at = NOW - 2 * HOUR_MS + wrong_by
    ana.push(ana.mutation("update", "contacts", "carl", base=1, at=at, set={"phone": "2"}), now=NOW + wrong_by)
    entry = office.history("contacts", "carl")[-1]
    assert (entry["device_at"], entry["at"], entry["stored_at"]) == (at, NOW - 2 * HOUR_MS, NOW)
    device = office.device("d-ana")
    assert (device["skew_ms"], device["skewed"]) == (wrong_by, wrong_by != 0)


def test_a_mutation_from_the_devices_own_future_is_dated_now(office: Office) -> None:
    """S28."""
    ana = office.phone("ana")
    ana.do("update", "contacts", "carl", base=1, at=NOW + 365 * DAY_MS, set={"phone": "2"})
    assert office.history("contacts", "carl")[-1]["at"] == NOW


def test_five_minutes_of_skew_are_no_news(office: Office) -> None:
    """S28: only a large skew is flagged, and the flag goes when the clock is right again."""
    ana = office.phone("ana")
    for skew, flagged in ((300_000, False), (300_001, True), (-300_001, True), (0, False)):
        ana.push(ana.mutation("update", "contacts", "carl", base=1, set={"phone": str(skew)}), now=NOW + skew)
        assert office.device("d-ana")["skewed"] is flagged


def test_a_clock_a_year_ahead_wins_no_conflict(office: Office) -> None:
    """S24, S28: ana's phone lives in the future; bob wrote later."""
    ana, bob = office.phone("ana"), office.phone("bob")
    ahead = 365 * DAY_MS
    bob.do("update", "contacts", "carl", base=1, at=NOW - HOUR_MS, set={"phone": "bob"})
    ana.push(
        ana.mutation("update", "contacts", "carl", base=1, at=NOW + ahead - 2 * HOUR_MS, set={"phone": "ana"}),
        now=NOW + ahead,
    )
    assert office.row("contacts", "carl")["phone"] == "bob"
