"""What a device tells of those who get a proposal: written beside a draft, answered, followed (R48, R51, R53)."""

from typing import Any

import pytest

from sfa.core.errors import Refused
from sync.device import buyers, drafting, proposals
from tests.deals.conftest import line
from tests.office import Office
from tests.sync.device.pocket import Pocket, of_scope, pocket

QUESTION: dict[str, Any] = {
    "version": 1,
    "recipient_key": None,
    "place": None,
    "asked_by": "Carl",
    "asked_at": 1_767_600_000_000,
    "text": "Does it fit?",
}
MAILED: dict[str, Any] = {"state": "opened", "mailed_at": 1, "opened_at": 2, "last_opened_at": 3, "opens": 4}


@pytest.fixture
def ana(office: Office) -> Pocket:
    line(office, "l1", "deal-a", quantity="3", unit_price_minor=4_500)
    office.put(("contacts", "carl", {"email": "carl@buyer.example"}))
    phone = pocket(office, "ana")
    phone.sync()
    return phone


def test_recipients_are_written_beside_a_draft_without_signal_and_sign_in_their_order(
    office: Office, ana: Pocket
) -> None:
    key = drafting.draft(ana, "deal-a")
    first = buyers.add_recipient(ana, key, contact="carl")
    second = buyers.add_recipient(ana, key, {"name": "Dora", "email": "dora@buyer.example", "language": "es"})
    reader = buyers.add_recipient(ana, key, {"name": "Eli", "email": "eli@buyer.example", "role": "reader"})
    told = buyers.recipients(ana, key)
    assert [(one.key, one.name, one.position, one.waiting) for one in told] == [
        (first, "Carl", 0, ["create"]),
        (second, "Dora", 1, ["create"]),
        (reader, "Eli", 2, ["create"]),
    ]
    assert (told[0].email, told[0].state, told[1].language, told[2].role) == (
        "carl@buyer.example",
        "new",
        "es",
        "reader",
    )
    assert proposals.shown(ana, key).status == "draft"
    ana.sync()
    assert [one.waiting for one in buyers.recipients(ana, key)] == [[], [], []]
    assert office.row("proposal_recipients", first)["contact_key"] == "carl"
    buyers.remove_recipient(ana, reader)
    assert [one.name for one in buyers.recipients(ana, key)] == ["Carl", "Dora"]
    ana.sync()
    assert ana.rows() == of_scope(office, "ana")


@pytest.mark.parametrize(
    ("contact", "values", "code"),
    [
        ("carl", {"email": None}, "field_required"),
        (None, {"name": "Dora"}, "field_required"),
        ("nobody", {}, "row_unknown"),
    ],
)
def test_a_recipient_without_name_or_address_is_refused_at_once(
    ana: Pocket, contact: str | None, values: dict[str, Any], code: str
) -> None:
    key = drafting.draft(ana, "deal-a")
    with pytest.raises(Refused) as refused:
        buyers.add_recipient(ana, key, values, contact)
    assert refused.value.code == code
    with pytest.raises(Refused) as refused:
        buyers.remove_recipient(ana, "nobody")
    assert refused.value.code == "row_unknown"


def test_a_refused_recipient_is_told_with_its_proposal_and_sent_again(office: Office, ana: Pocket) -> None:
    """S19."""
    key = drafting.draft(ana, "deal-a")
    ana.sync()
    buyers.add_recipient(ana, key, contact="carl")
    office.delete("contacts", "carl")
    ana.sync()
    (problem,) = buyers.followed(ana, key).problems
    assert (problem.entity, problem.kind, problem.code) == ("proposal_recipients", "create", "reference_unknown")


def test_what_buyers_did_is_told_by_sync_and_questions_are_answered_without_signal(office: Office, ana: Pocket) -> None:
    """R51."""
    key = drafting.draft(ana, "deal-a", {"sections": [{"key": "intro", "title": "What you get"}]})
    carl = buyers.add_recipient(ana, key, contact="carl")
    ana.sync()
    (pump,) = ana.list("proposal_lines", {"proposal_key": key})
    office.put_server_row("proposal_recipients", carl, MAILED)
    office.put_server_row("proposals", key, {"version": 1, "opened_at": 2, "last_opened_at": 3, "opens": 4})
    for name, place, later in (("q1", "intro", 0), ("q2", pump, 1), ("q3", None, 2)):
        asked = {**QUESTION, "proposal_key": key, "place": place, "asked_at": QUESTION["asked_at"] + later}
        office.put_server_row("proposal_questions", name, asked)
    ana.sync()
    told = buyers.followed(ana, key)
    assert (told.opens, told.opened_at, told.last_opened_at, told.recipients[0].state) == (4, 2, 3, "opened")
    assert [(one.key, one.about, one.answer) for one in told.questions] == [
        ("q1", "What you get", None),
        ("q2", ana.list("proposal_lines")[pump]["name"], None),
        ("q3", None, None),
    ]
    buyers.answer(ana, "q1", "It does.")
    one = buyers.questions(ana, key)[0]
    assert (one.answer, one.is_waiting, one.answered_at) == ("It does.", True, None)
    assert [item.kind for item in ana.pending()] == ["proposal_question.answer"]
    with pytest.raises(Refused) as refused:
        buyers.answer(ana, "nobody", "x")
    assert refused.value.code == "row_unknown"


def test_the_outcome_and_its_files_are_there_when_the_server_has_them(office: Office, ana: Pocket) -> None:
    """R48."""
    key = drafting.draft(ana, "deal-a")
    ana.sync()
    outcome = {"kind": "accepted", "version": 1, "at": 5, "by": "Carl", "reason": None, "total_minor": 163_35}
    deal = {
        "account_key": "acme",
        "deal_key": "deal-a",
        "media_type": "application/pdf",
        "size": 3,
        "sha256": "0" * 64,
        "author_key": "ana",
    }
    for name, stored in (("final", True), ("cert", False)):
        office.put_server_row("attachments", name, {**deal, "name": f"{name}.pdf", "stored": stored})
    said = {"status": "accepted", "outcome": outcome, "final_key": "final", "certificate_key": "cert"}
    office.put_server_row("proposals", key, said)
    ana.sync()
    told = buyers.followed(ana, key)
    assert (told.outcome, told.final, told.certificate) == (outcome, "final", None)
    assert proposals.listed(ana)[key].total_minor == 163_35


def test_links_are_mailed_again_and_revoked_by_order_for_one_or_for_all(office: Office, ana: Pocket) -> None:
    key = drafting.draft(ana, "deal-a")
    with pytest.raises(Refused) as refused:
        buyers.resend(ana, key)
    assert refused.value.code == "field_required"
    carl = buyers.add_recipient(ana, key, contact="carl")
    dora = buyers.add_recipient(ana, key, {"name": "Dora", "email": "dora@buyer.example"})
    ana.sync()
    buyers.resend(ana, key)
    buyers.resend(ana, key, dora)
    buyers.revoke(ana, key)
    buyers.revoke(ana, key, carl)
    assert [(item.kind, item.fields["recipient_key"]) for item in ana.pending()] == [
        ("proposal.resend", carl),
        ("proposal.resend", dora),
        ("proposal.resend", dora),
        ("proposal.revoke_link", None),
        ("proposal.revoke_link", carl),
    ]
