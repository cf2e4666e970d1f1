"""Who signs, in which order and by whose links; and that the list of signers is settled by the first of them (R48)."""

from typing import Any

from sqlalchemy import Connection, select

from proposals.buyer import answering, links, questions
from sfa.db import proposal_timeline as timeline
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import mail_outbox
from sfa.db.writes import Door, Origin
from tests.office import Office
from tests.proposals.buyer.answers import (
    accept,
    acceptance,
    answers,
    decline,
    earned,
    events,
    link,
    recipient,
    refused,
    sent,
    signatures,
    standing,
    statuses,
)
from tests.proposals.selling import order


def test_signers_sign_in_their_order_and_the_last_one_accepts(office: Office) -> None:
    """The first one chooses for all; who reads never signs."""
    people = [recipient(k, n, position=p) for k, n, p in (("carla", "Carla Ruiz", 2), ("abel", "Abel", 1))]
    sent(office, *people, recipient("rita", "Rita", role="reader"))
    carla, abel, rita, hand = (link(office, who) for who in ("carla", "abel", "rita", None))
    assert (standing(office, carla).state, standing(office, carla).waits_for) == ("waits_for", "Abel")
    assert refused(accept, office, carla) == "not_your_turn"
    assert [refused(accept, office, by) for by in (rita, hand)] == ["not_your_turn"] * 2
    assert [refused(decline, office, by) for by in (rita, hand)] == ["not_your_turn"] * 2
    assert accept(office, abel, name="Abel").kind == "signed"
    assert (accept(office, abel, name="Abel").again, statuses(office)) == (True, ["sent"])
    found = standing(office, abel)
    assert (found.state, found.left, [given.name for given in found.signed]) == (
        "signed_by_you",
        ("Carla Ruiz",),
        ["Abel"],
    )
    assert refused(decline, office, abel) == "proposal_answered"
    assert accept(office, carla).kind == "accepted"
    assert (accept(office, abel, name="Abel").kind, earned(office)) == ("accepted", [(1, "ana", False, 300_00)])
    assert events(office) == ["sent", "signed", "signed", "accepted"]
    assert [row["name"] for row in signatures(office)] == ["Abel", "Carla Ruiz"]
    assert refused(accept, office, rita) == "proposal_answered"


def test_who_signs_is_settled_by_the_first_signature(office: Office) -> None:
    """R48: signed with others, it is not accepted without them, whatever happens to the list of signers."""
    people = (recipient("abel", "Abel", position=1), recipient("carla", "Carla Ruiz", position=2))
    sent(office, *people, recipient("rita", "Rita", role="reader"))
    ana = office.phone("ana")

    def edited(key: str, **values: Any) -> str | None:
        return ana.edit("proposal_recipients", key, **values).code

    assert edited("carla", name="Carla Ruiz Soto") is None
    assert edited("carla", name="Carla Ruiz") is None
    assert accept(office, link(office, "abel"), name="Abel").kind == "signed"
    for status in ("sent", "draft"):
        assert office.row("proposals", "p1")["status"] == status
        assert edited("carla", role="reader") == edited("carla", name="Mallory") == "proposal_locked"
        assert edited("abel", position=9) == edited("rita", role="signer") == "proposal_locked"
        base = office.rev("proposal_recipients", "carla")
        assert ana.do("delete", "proposal_recipients", "carla", base=base).code == "proposal_locked"
        zed = {"proposal_key": "p1", "name": "Zed", "email": "zed@buyer.example"}
        assert ana.do("create", "proposal_recipients", "zed", set=zed).code == "proposal_locked"
        assert edited("rita", name=f"Rita {status}") is None
        assert edited("carla", language="es" if status == "sent" else "en") is None
        if status == "sent":
            assert order(ana, "revise", "p1").outcome == "applied"
    assert accept(office, link(office, "carla")).kind == "accepted"
    assert [row["name"] for row in signatures(office)] == ["Abel", "Carla Ruiz"]


def erased(connection: Connection, key: str, now_ms: int) -> None:
    """As erasing a person takes the row away, whatever it forbids to others."""
    door = Door(connection, now_ms)
    door.delete(door.cell("proposal_recipients", key), Origin(author_key=None, at=now_ms, stored_at=now_ms), "erase")
    door.flush()


def test_nobody_accepts_alone_what_was_signed_with_somebody_who_was_erased(office: Office) -> None:
    sent(office, recipient("abel", "Abel", position=1), recipient("carla", "Carla Ruiz", position=2))
    assert accept(office, link(office, "abel"), name="Abel").kind == "signed"
    office.database.write(erased, "carla", office.clock.now_ms())
    assert refused(accept, office, link(office)) == "proposal_closed"
    assert refused(accept, office, link(office, "abel"), name="Abel") == "proposal_closed"
    assert (standing(office, link(office, "abel")).state, statuses(office)) == ("closed", ["sent"])
    assert order(office.phone("ana"), "revise", "p1").outcome == "applied"


def test_a_link_that_is_handed_over_signs_where_nobody_is_named(office: Office) -> None:
    sent(office, recipient("rita", "Rita", role="reader"))
    staff = link(office, None, name="staff", kind="staff")
    assert refused(accept, office, staff) == "not_your_turn"
    assert accept(office, link(office, None)).kind == "accepted"
    assert refused(accept, office, link(office, None, name="other")) == "proposal_answered"


def test_who_signs_next_and_the_rep_are_told_of_each_signature(office: Office) -> None:
    sent(office, recipient("abel", "Abel", position=1), recipient("carla", "Carla Ruiz", position=2))
    accept(office, link(office, "abel"), name="Abel")
    m = mail_outbox.c
    rows = office.all(select(m.kind, m.to_address, m.about).where(m.kind == "signed").order_by(m.to_address))
    assert [(row["to_address"], row["about"]["name"]) for row in rows] == [
        ("ana@example.com", "Abel"),
        ("carla@buyer.example", "Abel"),
    ]
    decline(office, link(office))
    waits = office.all(select(m.kind, m.to_address).where(m.state == "queued", m.kind.in_(("offer", "declined"))))
    assert [tuple(row.values()) for row in waits] == [("declined", "ana@example.com")]


def test_a_link_that_is_revoked_between_looking_and_answering_answers_nothing(office: Office) -> None:
    """R48: what was looked up before the locks were taken is asked again under them."""
    sent(office)
    carla = link(office)
    asked = acceptance(office, carla)
    office.database.write(links.revoke, "p1", "carla", office.clock.now_ms(), None)
    now_ms = office.clock.now_ms()
    assert refused(office.database.write, answering.accept, now_ms, asked) == "not_found"
    assert refused(decline, office, carla) == "not_found"
    question = (now_ms, carla, "Carla Ruiz", "May I?", None, Visitor())
    assert refused(office.database.write, questions.ask, *question) == "not_found"
    assert (answers(office), signatures(office), office.rows("proposal_questions")) == ([], [], [])
    assert statuses(office)[:1] == ["sent"]


def test_a_link_that_is_handed_over_signs_for_no_signer_who_was_taken_off(office: Office) -> None:
    sent(office)
    hand = link(office, None)
    assert office.phone("ana").edit("proposal_recipients", "carla", role="reader").outcome == "applied"
    assert (standing(office, hand).may_answer, refused(accept, office, hand)) == (False, "not_your_turn")
    assert statuses(office) == ["sent"]


def test_who_waited_for_others_answers_after_them(office: Office) -> None:
    """R48: the timeline never runs backwards, whatever the clock said before the locks were had."""
    sent(office)
    carla = link(office)
    asked = acceptance(office, carla)
    late, early = office.clock.now_ms(), office.clock.now_ms() - 60_000
    office.database.write(questions.ask, late, carla, "Carla Ruiz", "May I?", None, Visitor())
    found = office.database.write(answering.accept, early, asked)
    assert found.at == late
    times = [event.at for event in office.database.read(timeline.events_of, "p1")]
    assert times == sorted(times)
