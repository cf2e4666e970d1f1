"""Two steps (S37): what is queued for a lost row reaches the server before its copy goes, and is never dropped."""

import pytest

from sfa.core.errors import Refused
from sync.device import ConnectionLost
from sync.protocol import MUTATIONS_MAX
from tests.office import Office
from tests.sync.device.pocket import LOST_ANSWER, LOST_REQUEST, Pocket, of_scope, pocket


@pytest.fixture
def ana(office: Office) -> Pocket:
    device = pocket(office, "ana")
    device.sync()
    return device


def take_acme(office: Office) -> None:
    office.put(("accounts", "acme", {"territory_key": "t-south"}))


def test_the_queue_goes_first_and_the_copy_with_the_same_sync(office: Office, ana: Pocket) -> None:
    ana.update("accounts", "acme", {"phone": "5"})
    visit = ana.create("visits", {"account_key": "acme"})
    take_acme(office)
    result = ana.sync()
    assert [(r.entity, r.outcome) for r in result.handed_over] == [
        ("accounts", "handed_over"),
        ("visits", "handed_over"),
    ]
    assert ana.rows() == of_scope(office, "ana")
    assert (ana.get("accounts", "acme"), ana.get("visits", visit)) == (None, None)
    assert [row["entity"] for row in ana.handovers().values()] == ["accounts", "visits"]
    assert list(ana.pending()) == []


@pytest.mark.parametrize("fault", [LOST_REQUEST, LOST_ANSWER])
def test_a_lost_request_or_answer_changes_nothing_of_it(office: Office, ana: Pocket, fault: str) -> None:
    ana.update("accounts", "acme", {"phone": "5"})
    take_acme(office)
    ana.line.faults = [fault]
    with pytest.raises(ConnectionLost):
        ana.sync()
    ana.sync()
    assert len(ana.handovers()) == len(office.rows("suggestions")) == 1
    assert ana.rows() == of_scope(office, "ana")


def test_the_copy_goes_and_the_queue_stays_when_only_the_pull_arrives(office: Office, ana: Pocket) -> None:
    """More than one request takes: the first page comes with the first part of the queue."""
    for number in range(MUTATIONS_MAX):
        ana.create("tasks", {"title": str(number)})
    ana.update("accounts", "acme", {"phone": "5"})
    take_acme(office)
    ana.line.faults = [None, LOST_REQUEST]
    with pytest.raises(ConnectionLost):
        ana.sync()
    assert ("accounts", "acme") not in ana.rows()
    assert [(item.entity, item.key) for item in ana.pending()] == [("accounts", "acme")]
    assert ana.get("accounts", "acme") is None
    with pytest.raises(Refused, match="row_unknown"):
        ana.update("accounts", "acme", {"phone": "6"})
    assert [r.key for r in ana.sync().handed_over] == ["acme"]


def test_work_on_a_row_that_is_still_there_is_shown_until_it_is_answered(office: Office, ana: Pocket) -> None:
    visit = ana.create("visits", {"account_key": "acme", "purpose": "hello"})
    take_acme(office)
    assert (ana.get("visits", visit) or {})["purpose"] == "hello"
    ana.sync()
    assert ana.get("visits", visit) is None


def test_whoever_gets_the_row_back_finds_what_was_accepted(office: Office, ana: Pocket) -> None:
    ana.update("accounts", "acme", {"phone": "5"})
    take_acme(office)
    key = ana.sync().handed_over[0].suggestion
    cleo = pocket(office, "cleo")
    cleo.sync()
    assert list(cleo.suggestions()) == [key]
    cleo.command("suggestion.accept", str(key))
    cleo.sync()
    office.put(("accounts", "acme", {"territory_key": "t-north"}))
    ana.sync()
    assert (ana.get("accounts", "acme") or {})["phone"] == "5"
    assert [row["status"] for row in ana.handovers().values()] == ["accepted"]
