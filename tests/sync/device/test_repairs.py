"""A refused change is repaired on the device, without signal, and lands with the next sync (S19)."""

from pathlib import Path

import pytest

from sfa.core.errors import Refused
from tests.office import Office
from tests.sync.device.pocket import LOST_ANSWER, Pocket, of_scope, pocket


def with_refusal(office: Office, path: str | Path = ":memory:") -> Pocket:
    """A visit planned with a contact that ana lost sight of, and a note on that visit: both refused."""
    ana = pocket(office, "ana", path)
    ana.sync()
    ana.create("visits", {"account_key": "acme", "contact_key": "carl", "purpose": "Offer"}, key="v-1")
    ana.create("notes", {"account_key": "acme", "visit_key": "v-1", "body": "bring the list"}, key="n-1")
    office.delete("contacts", "carl")
    result = ana.sync()
    assert [r.code for r in result.refused] == ["reference_unknown", "depends_on_refused"]
    assert ana.get("visits", "v-1") is None
    return ana


def test_a_repair_is_seen_at_once_and_lands_with_what_waited(office: Office) -> None:
    ana = with_refusal(office)
    ana.repair("d-ana.1", {}, without=["contact_key"])
    shown = ana.get("visits", "v-1")
    assert shown is not None
    assert (shown["purpose"], shown["contact_key"]) == ("Offer", None)
    assert list(ana.refusals()) == ["d-ana.2"]
    refusal = ana.get("refusals", "d-ana.1")
    assert refusal is not None
    assert refusal["status"] == "repaired"
    with pytest.raises(Refused) as twice:
        ana.repair("d-ana.1", {})
    assert twice.value.code == "already_repaired"
    ana.sync()
    assert ana.refusals() == {}
    note = ana.get("notes", "n-1")
    assert note is not None
    assert note["body"] == "bring the list"
    assert ana.rows() == of_scope(office, "ana")


def test_a_repair_whose_answer_is_lost_is_sent_again_and_taken_once(office: Office, tmp_path: Path) -> None:
    """S2: and it outlives the app."""
    ana = with_refusal(office, tmp_path / "ana.db")
    ana.repair("d-ana.1", {}, without=["contact_key"])
    ana = ana.reopened(tmp_path / "ana.db")
    ana.line.faults = [LOST_ANSWER]
    with pytest.raises(Exception, match="lost"):
        ana.sync()
    ana.sync()
    assert (office.rev("visits", "v-1"), ana.refusals()) == (1, {})


def test_a_repair_that_breaks_the_row_is_refused_on_the_device(office: Office) -> None:
    ana = with_refusal(office)
    with pytest.raises(Refused) as refused:
        ana.repair("d-ana.1", {"latitude": 1.0})
    assert refused.value.code == "invariant_failed"
    with pytest.raises(Refused) as refused:
        ana.repair("d-ana.1", {}, without=["account_key"])
    assert refused.value.code == "field_required"
    assert ana.pending() == []


def test_a_store_of_an_older_app_takes_repairs(office: Office, tmp_path: Path) -> None:
    ana = with_refusal(office, tmp_path / "ana.db")
    ana.store.execute("ALTER TABLE outbox DROP COLUMN repairs")
    ana.store.execute("PRAGMA user_version = 3")
    ana = ana.reopened(tmp_path / "ana.db")
    ana.repair("d-ana.1", {}, without=["contact_key"])
    ana.sync()
    assert office.row("visits", "v-1")["purpose"] == "Offer"
