"""S32: the reference device as an app of an older version, and its upgrade with a queue."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.device import ServerRefused, Store
from sync.device.store import SCHEMA_VERSION
from sync.protocol import CONTRACT_MAX
from sync.versions import VERSIONS
from tests.office import Office
from tests.older_contract import told
from tests.sync.device.pocket import LOST_ANSWER, LOST_REQUEST, Pocket, numbers, of_scope, pocket

REFUSED = "d-ana.1"


def speaking(device: Pocket, contract: int) -> Pocket:
    """The same file opened by an app of another version."""
    device.store.speaks = contract
    return device


@pytest.fixture
def old(office: Office) -> Pocket:
    """Ana's app of version 1, with a refusal and an edit that lies in the queue."""
    device = speaking(pocket(office, "ana"), 1)
    device.sync()
    with device.unit():  # a unit, so that the first one is refused with its details
        device.create("contacts", {"account_key": "zeta", "name": "Not hers"})
        device.create("contacts", {"account_key": "acme", "name": "Hers"})
    device.sync()
    device.update("contacts", "carl", {"phone": "77"})
    return device


def test_an_old_app_holds_what_its_version_knows(office: Office, old: Pocket) -> None:
    old.sync()
    assert "details" not in old.rows()["refusals", REFUSED]
    assert old.rows() == {(e, k): told(1, e, row) for (e, k), row in of_scope(office, "ana").items()}
    result = old.sync(check=True)
    assert (result.differing, result.refilled, result.caught_up) == ((), (), True)


@pytest.mark.parametrize("fault", [None, LOST_REQUEST, LOST_ANSWER])
def test_an_upgraded_app_goes_on_with_queue_and_rows(office: Office, old: Pocket, fault: str | None) -> None:
    """S18: whatever became of the last request of the old app, the edit lands once."""
    if fault is not None:
        old.line.faults = [fault]
        with pytest.raises(Exception, match="was lost"):
            old.sync()
    before = old.rows()
    new = speaking(old, CONTRACT_MAX)
    assert new.rows() == before  # nothing is gone before the first sync
    new.create("contacts", {"account_key": "acme", "name": "By the new app"})
    result = new.sync()
    assert (result.resets, result.outcomes, result.register_anew) == (("contract_changed",), {"applied": 2}, False)
    assert office.row("contacts", "carl")["phone"] == "77"
    assert len(office.history("contacts", "carl")) == 2
    assert new.rows() == of_scope(office, "ana")
    assert new.rows()["refusals", REFUSED]["details"]
    assert [notice.text for notice in new.notices() if notice.kind == "reset"] == ["contract_changed"]


def test_what_the_old_app_queued_is_sent_as_it_was_queued(old: Pocket) -> None:
    new = speaking(old, CONTRACT_MAX)
    new.update("contacts", "carl", {"title": "Buyer"})
    sent = new.pending()
    assert [(item.fields, item.mutation().contract) for item in sent] == [
        ({"phone": "77"}, 1),
        ({"title": "Buyer"}, CONTRACT_MAX),
    ]


def test_an_app_that_is_too_old_delivers_its_queue_and_then_asks_for_an_upgrade(office: Office, old: Pocket) -> None:
    office.round.versions = VERSIONS.serving_from(CONTRACT_MAX)
    before = old.rows()
    for _ in range(3):
        with pytest.raises(ServerRefused) as refused:
            old.sync()
        assert (refused.value.code, refused.value.status) == ("contract_unsupported", 426)
        assert refused.value.details["minimum"] == CONTRACT_MAX
    assert office.row("contacts", "carl")["phone"] == "77"
    assert old.pending() == []
    assert old.rows() == before
    carl = before["contacts", "carl"]
    shown = old.get("contacts", "carl") or {}
    assert {field: shown[field] for field in carl} == {**carl, "phone": "77"}  # seen until the upgrade
    assert [notice.kind for notice in old.notices()].count("contract_unsupported") == 1
    new = speaking(old, CONTRACT_MAX)
    assert new.sync().resets == ("contract_changed",)
    assert new.rows() == of_scope(office, "ana")


@pytest.mark.parametrize(("contract", "code"), [(0, "contract_unsupported"), (CONTRACT_MAX + 1, "device_ahead")])
def test_where_nothing_is_taken_the_queue_stays(office: Office, old: Pocket, contract: int, code: str) -> None:
    stranger = speaking(old, contract)
    queue = stranger.pending()
    with pytest.raises(ServerRefused, match=code):
        stranger.sync()
    assert stranger.pending() == queue
    assert office.row("contacts", "carl")["phone"] == "1"
    assert speaking(stranger, 1).sync().outcomes == {"applied": 1}


def test_a_file_of_an_older_app_is_opened_with_its_queue(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "ana.db"
    ana = pocket(office, "ana", path)
    ana.sync()
    speaking(ana, 1).update("contacts", "carl", {"phone": "5"})
    ana.store.close()
    with closing(sqlite3.connect(path)) as file:  # as that app wrote it
        file.execute("ALTER TABLE outbox DROP COLUMN contract")
        file.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
        file.commit()
    again = ana.reopened(path)
    assert [item.mutation().contract for item in again.pending()] == [1]
    assert again.sync().outcomes == {"applied": 1}
    assert numbers(again.line.requests)[-1] == [1]
    Store(path).close()  # and once more


def test_a_parameter_says_which_version_the_device_speaks(office: Office) -> None:
    ana = pocket(office, "ana")
    assert ana.store.speaks == CONTRACT_MAX
    old = Pocket(Store(), ana.line, office.clock, ana.ids, contract=1)
    assert old.store.speaks == 1
