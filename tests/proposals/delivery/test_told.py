"""What buyers do, and who is mailed of it: the next signer, everybody who signed, the rep, who asked."""

from email.message import EmailMessage

from proposals.buyer import links, questions
from proposals.buyer.links import Link
from proposals.delivery import reminders
from sfa.db.proposal_timeline import Visitor
from tests.office import Office
from tests.proposals.buyer.answers import accept, decline, recipient, sent
from tests.proposals.delivery.post import SITE, mailed, outbox_rows

REP, CARLA, DAN = "ana@example.com", "carla@buyer.example", "dan@buyer.example"


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def of(office: Office, key: str) -> Link:
    """The link that was mailed to a recipient."""
    given = office.database.read(links.of_version, "p1", 1)
    return next(link for link in given if link.recipient_key == key)


def two_signers(office: Office) -> None:
    sent(office, recipient("carla", "Carla Ruiz", position=1), recipient("dan", "Dan Sol", position=2))
    mailed(office)


def test_who_signs_next_is_told_with_the_link_that_he_has(office: Office) -> None:
    two_signers(office)
    assert accept(office, of(office, "carla")).kind == "signed"
    server = mailed(office)
    assert sorted(to for to, _ in server.taken) == [REP, DAN]
    (to_dan,) = server.to(DAN)
    assert to_dan["Subject"].startswith("Your signature: ")
    assert "Carla Ruiz has signed. Now it is your turn." in text_of(to_dan)
    assert f"{SITE}/p/" in text_of(to_dan)
    (to_rep,) = server.to(REP)
    assert "Carla Ruiz has signed." in text_of(to_rep)
    assert "/p/" not in text_of(to_rep)


def test_everybody_is_told_what_was_accepted(office: Office) -> None:
    """R50: with the total that was accepted."""
    two_signers(office)
    accept(office, of(office, "carla"))
    mailed(office)
    assert accept(office, of(office, "dan"), name="Dan Sol").kind == "accepted"
    server = mailed(office)
    assert sorted(to for to, _ in server.taken) == [REP, CARLA, DAN]
    for _, message in server.taken:
        assert message["Subject"].startswith("Accepted: ")
        assert message["Auto-Submitted"] == "auto-generated"
        assert "€300.00" in text_of(message)
    (to_carla,) = server.to(CARLA)
    assert "Open the signed document" in text_of(to_carla)
    assert "Dan Sol has accepted the offer." in text_of(server.to(REP)[0])
    assert mailed(office).taken == []


def test_the_rep_reads_why_it_was_declined_and_nobody_else_is_mailed(office: Office) -> None:
    two_signers(office)
    decline(office, of(office, "carla"), "Too dear <b>for us</b>")
    ((to, message),) = mailed(office).taken
    assert to == REP
    assert "> Too dear <b>for us</b>" in text_of(message)
    html = message.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;for us&lt;/b&gt;" in html.get_content()


def test_a_question_goes_to_the_rep_and_its_answer_to_who_asked(office: Office) -> None:
    two_signers(office)
    asked = office.database.write(
        questions.ask,
        office.clock.now_ms(),
        of(office, "dan"),
        "Dan",
        "Does it fit?\nInto the cellar?",
        None,
        Visitor(),
    )
    ((to, message),) = mailed(office).taken
    assert to == REP
    assert "Dan asks:\n> Does it fit?\n> Into the cellar?" in text_of(message)
    receipt = office.phone("ana").do(
        "proposal_question.answer", "proposal_questions", asked.key, base=1, set={"text": "It does."}
    )
    assert receipt.outcome == "applied", receipt
    ((to, message),) = mailed(office).taken
    assert to == DAN
    assert message["Auto-Submitted"] is None
    assert "The answer:\n> It does." in text_of(message)


def test_an_answer_drops_the_reminder_that_waits(office: Office) -> None:
    two_signers(office)
    office.clock.advance(3 * 86_400_000 + 3_600_000)
    assert office.database.write(reminders.run, office.clock.now_ms()) == 1
    decline(office, of(office, "carla"))
    assert {(row["kind"], row["code"]) for row in outbox_rows(office) if row["state"] != "sent"} == {
        ("reminder", "proposal_over"),
        ("declined", None),
    }
    assert [to for to, _ in mailed(office).taken] == [REP]
