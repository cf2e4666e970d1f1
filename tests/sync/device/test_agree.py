"""S16: a device that was damaged finds out, and fetches again only the bucket that differs."""

from pathlib import Path

import pytest

from sync.device import ConnectionLost, Device, Store
from tests.office import Office
from tests.sync.device.pocket import LOST_ANSWER, Pocket, of_scope, pocket

NORTH = "territory:t-north"
DAMAGES = {
    "a membership is gone": "DELETE FROM memberships WHERE entity = 'contacts' AND key = 'carl'",
    "a row is gone": "DELETE FROM rows WHERE entity = 'contacts' AND key = 'carl'",
    "a row is older": "UPDATE rows SET rev = 0, doc = '{}' WHERE entity = 'contacts' AND key = 'carl'",
    "a row is newer": "UPDATE rows SET rev = 99, doc = '{}' WHERE entity = 'contacts' AND key = 'carl'",
    "a row is too much": f"INSERT INTO memberships VALUES ('contacts', 'ghost', '{NORTH}', 1)",
}


def refills(device: Pocket) -> list[list[str]]:
    return [request.refill for request in device.line.requests if request.refill]


def notices(device: Device, kind: str) -> list[str]:
    return [notice.text for notice in device.notices() if notice.kind == kind]


@pytest.mark.parametrize("page_rows", [1, 5000])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_device_fetches_only_the_damaged_bucket_again(office: Office, damage: str, page_rows: int) -> None:
    ana = pocket(office, "ana")
    ana.sync()
    ana.store.execute(DAMAGES[damage])
    result = ana.sync(check=True, page_rows=page_rows)
    assert (result.refilled, result.differing, result.caught_up, result.resets) == ((NORTH,), (), True, ())
    assert ana.rows() == of_scope(office, "ana")
    assert (refills(ana), notices(ana, "refill")) == ([[NORTH]], [NORTH])
    assert ana.sync(check=True).refilled == ()


def test_a_sound_device_fetches_nothing_again(office: Office) -> None:
    ana = pocket(office, "ana")
    assert ana.sync(check=True).refilled == ()
    ana.update("contacts", "carl", {"title": "Buyer"})
    result = ana.sync(check=True)
    assert (result.pushed, result.refilled, result.differing) == (1, (), ())
    assert not ana.sync().refilled
    assert [request.digest for request in ana.line.requests[-1:]] == [False]


def test_the_app_is_never_empty_while_a_bucket_is_fetched_again(office: Office) -> None:
    """S15, S16: a row that was sound is seen through all of it."""
    ana = pocket(office, "ana")
    ana.sync()
    ana.store.execute(DAMAGES["a row is newer"])
    seen: list[bool] = []
    ana.sync(lambda _: seen.append(ana.get("accounts", "acme") is not None), page_rows=1, check=True)
    assert len(seen) > 3
    assert all(seen)


def test_what_happens_meanwhile_is_not_lost(office: Office) -> None:
    """S14: a deletion and a new row in the bucket while it is being filled."""
    ana = pocket(office, "ana")
    for key in ("c-1", "c-2", "c-3"):
        office.put(("contacts", key, {"account_key": "acme", "name": key}))
    ana.sync()
    ana.store.execute(DAMAGES["a row is gone"])
    steps = iter(range(100))

    def meanwhile(_: object) -> None:
        if next(steps) == 2:
            office.delete("contacts", "c-1")
            office.put(("contacts", "c-0", {"account_key": "acme", "name": "New"}))

    result = ana.sync(meanwhile, page_rows=1, check=True)
    assert (result.refilled, result.differing) == ((NORTH,), ())
    assert ana.rows() == of_scope(office, "ana")


def test_a_lost_answer_and_a_restart_in_the_middle_change_nothing(office: Office, tmp_path: Path) -> None:
    """S2."""
    ana = pocket(office, "ana", tmp_path / "ana.db")
    ana.sync()
    ana.store.execute(DAMAGES["a row is newer"])
    ana.store.execute(DAMAGES["a row is too much"])
    ana.line.faults = [None, LOST_ANSWER]
    with pytest.raises(ConnectionLost):
        ana.sync(page_rows=1, check=True)
    ana = ana.reopened(tmp_path / "ana.db")
    ana.line.faults = [None, None, LOST_ANSWER]
    with pytest.raises(ConnectionLost):
        ana.sync(page_rows=1, check=True)
    ana = ana.reopened(tmp_path / "ana.db")
    result = ana.sync(page_rows=1, check=True)
    assert (result.differing, result.caught_up) == ((), True)
    assert ana.rows() == of_scope(office, "ana")


def test_a_reset_in_the_middle_of_a_refill_fetches_everything(office: Office) -> None:
    """S15."""
    ana = pocket(office, "ana")
    ana.sync()
    ana.store.execute(DAMAGES["a row is newer"])
    ana.line.faults = [None, None, LOST_ANSWER]
    with pytest.raises(ConnectionLost):
        ana.sync(page_rows=1, check=True)
    ana.store.set_state(cursor=None)
    result = ana.sync(page_rows=3, check=True)
    assert (result.resets, result.refilled, result.differing) == (("no_cursor",), (), ())
    assert ana.rows() == of_scope(office, "ana")
    assert ana.store.execute("SELECT count(*) FROM refills").fetchone() == (0,)


def test_a_bucket_that_is_not_held_and_rows_without_bucket_go(office: Office) -> None:
    """S4."""
    ana = pocket(office, "ana")
    ana.sync()
    ana.store.execute("INSERT INTO rows VALUES ('contacts', 'zoe', 1, 1, '{}'), ('contacts', 'stray', 1, 1, '{}')")
    ana.store.execute("INSERT INTO memberships VALUES ('contacts', 'zoe', 'territory:t-south', 1)")
    result = ana.sync(check=True)
    assert (result.refilled, result.differing) == (("territory:t-south",), ())
    assert notices(ana, "strays") == ["1 rows that no bucket holds were removed"]
    assert ana.rows() == of_scope(office, "ana")


def test_a_server_whose_sums_are_wrong_costs_one_refill_and_is_told(office: Office) -> None:
    """A sync never goes on for ever."""
    ana = pocket(office, "ana")
    ana.sync()
    spoil = f"UPDATE bucket_heads SET digest_low = 7 WHERE bucket = '{NORTH}'"
    office.database.write(lambda connection: connection.exec_driver_sql(spoil))
    result = ana.sync(check=True)
    assert (result.refilled, result.differing, result.caught_up) == ((NORTH,), (NORTH,), True)
    assert refills(ana) == [[NORTH]]


def test_a_store_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    store = Store(tmp_path / "old.db")
    store.execute("DROP TABLE refills")
    store.execute("PRAGMA user_version = 1")
    store.close()
    assert Store(tmp_path / "old.db").execute("SELECT count(*) FROM refills").fetchone() == (0,)
