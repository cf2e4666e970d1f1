"""A person erased who was sent a proposal: no link opens, no mail goes out, no name is left beside it (R46)."""

from sqlalchemy import Connection, select

from proposals.buyer import links
from sfa.crm.erasure import erase_person
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import mail_outbox
from sfa.db.writes import Door, Origin
from tests.office import Office
from tests.proposals.buyer.answers import answers, decline
from tests.proposals.buyer.looking import KEY, RITA, link, look
from tests.proposals.buyer.test_questions import answer, ask
from tests.proposals.selling import offered, order, versions


def erase(office: Office) -> None:
    def work(connection: Connection) -> None:
        now = office.clock.now_ms()
        erase_person(Door(connection, now), "carl", Origin(author_key="root", at=now, stored_at=now), "asked")

    office.database.write(work)


def test_who_declined_is_named_by_the_timeline_alone(office: Office) -> None:
    """Name and reason go from what devices get, from the answer, from mails and from history; events are a chain."""
    ana = offered(office)
    office.put(("proposal_recipients", "rita-p1", {**RITA, "contact_key": "carl"}))
    order(ana, "send")
    decline(office, link(office), "Too dear for Secretname", "Rita Secretname")
    for _ in range(2):
        erase(office)
    outcome = office.row("proposals", "p1")["outcome"]
    assert (outcome["kind"], outcome["by"], outcome["reason"]) == ("declined", "Erased", None)
    assert [(row["by"], row["reason"]) for row in answers(office)] == [("Erased", None)]
    left = [
        office.row("proposals", "p1"),
        office.history("proposals", "p1"),
        office.all(select(mail_outbox)),
        versions(office)[0]["cause"],
    ]
    assert "Secretname" not in str(left)
    assert timeline.broken_at("p1", office.database.read(timeline.events_of, "p1")) is None


def test_what_is_left_of_a_recipient_says_nobody(office: Office) -> None:
    """Promise 1: what was sent, and the timeline that proves it, stay."""
    ana = offered(office)
    office.put(("proposal_recipients", "rita-p1", {**RITA, "contact_key": "carl"}))
    order(ana, "send")
    at = link(office)
    look(office, at)
    first, second = ask(office, at, "One?").key, ask(office, at, "Two?").key
    answer(ana, first, "Yes")
    before = versions(office)[0]["document"]
    for _ in range(2):
        erase(office)
    row = office.row("proposal_recipients", "rita-p1")
    assert (row["gone"], row["name"], row["email"]) == (True, "Erased", "")
    for key in (first, second):
        assert (office.row("proposal_questions", key)["asked_by"], office.row("proposal_questions", key)["gone"]) == (
            "Erased",
            False,
        )
    told = str([*office.history("proposal_recipients", "rita-p1"), *office.history("proposal_questions", first)])
    assert "rita@acme.example" not in told
    assert "'Rita'" not in told
    theirs = [m for m in office.all(select(mail_outbox)) if m["recipient_key"] == "rita-p1"]
    assert {(mail["state"], mail["to_address"]) for mail in theirs} == {("dropped", "")}
    token = links.token_of(KEY, at.link_key)
    assert office.database.read(links.found, token, office.clock.now_ms()) is None
    assert versions(office)[0]["document"] == before
    assert timeline.broken_at("p1", office.database.read(timeline.events_of, "p1")) is None
    assert answer(ana, second, "Yes too").outcome == "applied"
    assert all(mail["to_address"] == "" for mail in office.all(select(mail_outbox)) if mail["kind"] == "answer")
