"""What buyers ask and are answered: once, within limits, by whoever may change the deal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from proposals.buyer import questions
from proposals.buyer.links import Link
from proposals.buyer.questions import OPEN_MAX, Asked, cleaned
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import mail_outbox, webhook_events
from sync.protocol import Receipt
from tests.crm.desk import opened
from tests.office import Office, Phone
from tests.proposals.buyer.looking import RITA, link, look, sent
from tests.proposals.selling import order

SECTION = {"key": "intro", "title": "Why", "text": "", "pictures": []}


def ask(office: Office, at: Link, text: str = "How long?", name: str = "Rita", place: str | None = None) -> Asked:
    visitor = Visitor("192.0.2.1", "Browser")
    return office.database.write(questions.ask, office.clock.now_ms(), at, name, text, place, visitor)


def answer(phone: Phone, key: str, text: str) -> Receipt:
    rev = phone.office.rev("proposal_questions", key)
    return phone.do("proposal_question.answer", "proposal_questions", key, base=rev, set={"text": text})


def mails(office: Office, kind: str) -> list[dict[str, Any]]:
    return office.all(select(mail_outbox).where(mail_outbox.c.kind == kind).order_by(mail_outbox.c.asked_at))


def shown(office: Office, version: int = 1) -> list[questions.Question]:
    return office.database.read(questions.of_version, "p1", version)


def test_a_question_reaches_the_rep_by_sync_by_mail_and_other_systems(office: Office) -> None:
    ana = sent(office, sections=[SECTION])
    at = link(office)
    asked = ask(office, at, "Does it need a crane?", place="intro")
    assert not asked.again
    ana.catch_up()
    row = ana.sees()["proposal_questions", asked.key]
    assert (row["text"], row["asked_by"], row["place"]) == ("Does it need a crane?", "Rita", "intro")
    (mail,) = mails(office, "question")
    assert (mail["to_address"], mail["about"]) == ("ana@example.com", {"question_key": asked.key})
    assert [e.kind for e in office.database.read(timeline.events_of, "p1")][-1] == "asked"
    assert len(office.all(select(webhook_events).where(webhook_events.c.kind == "proposal.question"))) == 1
    assert [one.text for one in shown(office)] == ["Does it need a crane?"]


def test_the_same_asked_twice_within_a_minute_is_asked_once(office: Office) -> None:
    sent(office)
    at = link(office)
    first = ask(office, at)
    office.clock.advance(59_000)
    assert ask(office, at) == Asked(first.key, True)
    assert not ask(office, at, "Something else?").again
    office.clock.advance(2_000)
    assert not ask(office, at).again
    assert (len(shown(office)), len(mails(office, "question"))) == (3, 3)


def test_only_so_many_questions_wait_and_only_so_many_are_asked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "OPEN_MAX", 2)
    monkeypatch.setattr(questions, "QUESTIONS_MAX", 4)
    ana = sent(office)
    at = link(office)
    keys = [ask(office, at, f"{n}?").key for n in range(2)]
    with pytest.raises(Refused) as refused:
        ask(office, at, "2?")
    assert (refused.value.code, refused.value.details["waiting"]) == ("question_limit", 2)
    assert ask(office, link(office, recipient=None), "Somebody else's?").key
    assert answer(ana, keys[0], "Yes").outcome == "applied"
    assert ask(office, at, "3?").key
    assert answer(ana, keys[1], "Yes").outcome == "applied"
    with pytest.raises(Refused, match="wait"):
        ask(office, at, "5?")
    assert OPEN_MAX == 10


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \0\n\x07 "}, "text"),
        ({"text": "x" * 4_001}, "text"),
        ({"name": "x" * 201}, "name"),
        ({"place": "elsewhere"}, "place"),
        ({"place": "\0"}, "place"),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(office: Office, said: dict[str, Any], field: str) -> None:
    sent(office)
    with pytest.raises(Refused) as refused:
        ask(office, link(office), **said)
    assert (refused.value.code, refused.value.details["field"]) == ("question_invalid", field)
    assert shown(office) == []


def test_a_script_in_a_question_is_text_and_a_nul_is_nothing(office: Office) -> None:
    sent(office)
    ask(office, link(office), "<script>alert(1)</script>\r\n\0\ud800\u202eend", name=" R\nita\0 ")
    (one,) = shown(office)
    assert (one.text, one.asked_by) == ("<script>alert(1)</script>\nend", "R ita")


def test_who_says_no_name_is_the_recipient_and_of_a_link_by_hand_must_say_one(office: Office) -> None:
    sent(office)
    ask(office, link(office), name="")
    assert shown(office)[0].asked_by == "Rita"
    with pytest.raises(Refused):
        ask(office, link(office, recipient=None), name="")


def test_a_staff_link_asks_nothing(office: Office) -> None:
    sent(office)
    with pytest.raises(Refused) as refused:
        ask(office, link(office, recipient=None, kind="staff"))
    assert refused.value.code == "not_permitted"


def test_a_version_that_is_over_can_still_be_asked_about(office: Office) -> None:
    """It is how a new offer is asked for."""
    ana = sent(office)
    at = link(office)
    order(ana, "withdraw")
    assert ask(office, at, "Please send a new one").key


def test_an_answer_is_given_once_and_mailed_to_who_asked(office: Office) -> None:
    ana = sent(office)
    key = ask(office, link(office)).key
    assert answer(ana, key, " Two\0 weeks ".replace("\0", "")).outcome == "applied"
    assert answer(ana, key, "Two weeks").outcome == "applied"
    assert answer(office.phone("mia"), key, "Three weeks").code == "question_answered"
    (one,) = shown(office)
    assert (one.answer, one.answered_by, one.answered_at) == ("Two weeks", "Ana", office.clock.now_ms())
    (mail,) = mails(office, "answer")
    assert (mail["to_address"], mail["language"], mail["recipient_key"]) == (RITA["email"], "es", "rita-p1")
    assert [e.kind for e in office.database.read(timeline.events_of, "p1")].count("answered") == 1


def test_who_asked_by_a_link_by_hand_gets_no_mail(office: Office) -> None:
    ana = sent(office)
    key = ask(office, link(office, recipient=None)).key
    assert answer(ana, key, "Two weeks").outcome == "applied"
    assert mails(office, "answer") == []


def test_only_who_may_change_the_deal_answers(office: Office) -> None:
    sent(office)
    key = ask(office, link(office)).key
    assert answer(office.phone("bob"), key, "No").code == "not_permitted"
    assert answer(office.phone("cleo"), key, "No").code == "row_unknown"
    assert answer(office.phone("mia"), key, "Yes").outcome == "applied"


def test_nobody_writes_a_question_for_a_buyer(office: Office) -> None:
    ana = sent(office)
    key = ask(office, link(office)).key
    said = {"proposal_key": "p1", "version": 1, "asked_by": "X", "asked_at": 1, "text": "x"}
    assert ana.do("create", "proposal_questions", "q-own", set=said).code == "not_permitted"
    assert ana.edit("proposal_questions", key, answer="Yes").code == "not_permitted"
    assert ana.do("delete", "proposal_questions", key, base=1).code == "not_permitted"


def test_an_answer_queued_before_the_deal_went_to_somebody_else_waits_for_that_one(office: Office) -> None:
    """S37."""
    ana = sent(office)
    key = ask(office, link(office)).key
    ana.catch_up()
    queued = ana.mutation(
        "proposal_question.answer", "proposal_questions", key, base=office.rev("proposal_questions", key),
        set={"text": "Two weeks"},
    )  # fmt: skip
    office.clock.advance(60_000)
    lost = {"owner_key": "cleo", "splits": []}
    office.put(("accounts", "acme", {"territory_key": "t-south"}), ("deals", "deal-a", lost))
    (receipt,) = ana.push(queued).receipts
    assert receipt.code == "handed_over", receipt
    (waits,) = [row for row in office.rows("suggestions") if row["status"] == "open"]
    cleo = office.phone("cleo")
    accepted = cleo.do("suggestion.accept", "suggestions", waits["key"], base=waits["rev"], set={})
    assert accepted.outcome == "applied", accepted
    assert shown(office)[0].answer == "Two weeks"
    assert len(mails(office, "answer")) == 1


def test_screens_list_opens_questions_and_what_waits_for_an_answer(office: Office) -> None:
    """R51: counted opens by recipient and version, what was left out by its reason."""
    sent(office, sections=[SECTION])
    at = link(office)
    look(office, at, 1, sections={"intro": 3, "@prices": 2})
    look(office, at, 2, staff=True)
    key = ask(office, at, "One?").key
    office.clock.advance(1_000)
    other = ask(office, at, "Two?").key
    with opened(office) as desk:
        (who,) = desk.get("ana", "/api/proposals/p1/opens").json()["items"]
        assert (who["name"], who["version"], who["opens"], who["seconds"]) == ("Rita", 1, 1, 5)
        parts = [(part["key"], part["title"], part["seconds"]) for part in who["parts"]]
        assert parts == [("intro", "Why", 3), ("@prices", None, 2)]
        assert (who["left_out"], who["devices"]) == ({"staff": 1}, ["phone"])
        page = desk.get("ana", "/api/proposal-questions?limit=1").json()
        assert [one["key"] for one in page["items"]] == [key]
        rest = desk.get("ana", f"/api/proposal-questions?after={page['next']}").json()
        assert ([one["key"] for one in rest["items"]], rest["next"]) == ([other], None)
        assert desk.get("bob", "/api/proposal-questions").json()["items"] == []
        assert len(desk.get("mia", "/api/proposal-questions").json()["items"]) == 2
        said = desk.post("ana", f"/api/proposal_questions/{key}/answer", json={"text": "Yes"})
        assert said.status_code == 200, said.text
        again = desk.post("mia", f"/api/proposal_questions/{key}/answer", json={"text": "No"})
        assert (again.status_code, again.json()["code"]) == (409, "question_answered")
        listed = desk.get("ana", "/api/proposals/p1/questions").json()["items"]
        assert [(one["text"], one["answer"]) for one in listed] == [("One?", "Yes"), ("Two?", None)]
        for path in ("opens", "questions"):
            assert desk.get("cleo", f"/api/proposals/p1/{path}").status_code == 404
            assert desk.get("ana", f"/api/proposals/p%00/{path}").status_code == 404
        for query in ("after=x", "limit=0", "limit=201", "after=1.%00"):
            assert desk.get("ana", f"/api/proposal-questions?{query}").status_code == 400


@given(st.text())
def test_what_is_kept_of_a_text_can_be_kept_and_is_kept_once(text: str) -> None:
    """Cleaning twice is cleaning once; nothing that a database or a page cannot take stays."""
    kept = cleaned(text)
    assert cleaned(kept) == kept
    kept.encode("utf-8")
    assert not set(kept) & {"\0", "\r", "\u202e"}
    assert "\n" not in cleaned(text, lines=False)


def test_the_transaction_is_one(office: Office) -> None:
    """A process that dies before the commit leaves no question, no mail, no event."""
    sent(office)
    at = link(office)

    def dies(connection: Connection) -> None:
        questions.ask(connection, office.clock.now_ms(), at, "Rita", "Now?", None, Visitor())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        office.database.write(dies)
    assert (shown(office), mails(office, "question")) == ([], [])
    assert [e.kind for e in office.database.read(timeline.events_of, "p1")].count("asked") == 0
