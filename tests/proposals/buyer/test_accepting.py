"""What accepting does, whoever is asked about it afterwards (R46, R47, R48, R55)."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from proposals.buyer import answering
from proposals.evidence.accepted import accepted_of, digest_of
from sfa.app import reconcile
from sfa.core.pricing.choosing import Choices
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import mail_outbox
from tests.office import Office
from tests.proposals.buyer.answers import (
    accept,
    acceptance,
    answers,
    decline,
    drawing,
    earned,
    events,
    link,
    recipient,
    refused,
    sent,
    signatures,
    standing,
    statuses,
    told,
)
from tests.proposals.selling import LINE, offered, order


def deal(office: Office) -> dict[str, Any]:
    return office.row("deals", "deal-a")


def lines(office: Office) -> list[tuple[str, str, int, int]]:
    rows = (row for row in office.rows("deal_lines") if row["deal_key"] == "deal-a")
    return [(row["product_key"], row["quantity"], row["unit_price_minor"], row["discount_bp"]) for row in rows]


def test_an_accepted_proposal_wins_its_deal_at_what_was_accepted(office: Office) -> None:
    """R48, R55: version, answer, proposal, deal, credit, timeline and news say the same."""
    sent(office, discount_bp=500)
    found = accept(office, link(office))
    assert (found.kind, found.again, found.total_minor) == ("accepted", False, 285_00)
    assert statuses(office) == ["accepted"]
    row, (answer,) = office.row("proposals", "p1"), answers(office)
    assert (row["status"], row["outcome"]["kind"], row["outcome"]["by"]) == ("accepted", "accepted", "Carla Ruiz")
    assert (answer["kind"], answer["net_minor"], answer["total_minor"]) == ("accepted", 285_00, 285_00)
    assert (answer["seal_state"], answer["by"], answer["recipient_key"]) == ("queued", "Carla Ruiz", "carla")
    kept = accepted_of(answer["document"])
    assert digest_of(kept) == answer["digest"]
    assert [signed.name for signed in kept.signatures] == ["Carla Ruiz"]
    assert (deal(office)["amount_minor"], deal(office)["stage_key"]) == (285_00, "won")
    assert deal(office)["closed_at"] == deal(office)["signed_at"] == office.clock.now_ms()
    assert lines(office) == [("pump", "3", 100_00, 500)]
    assert earned(office) == [(1, "ana", False, 285_00)]
    assert events(office) == ["sent", "signed", "accepted"]
    assert told(office, "proposal.accepted", "deal.won") == ["deal.won", "proposal.accepted"]
    assert office.row("proposal_recipients", "carla")["state"] == "signed"
    mails = office.all(select(mail_outbox.c.kind, mail_outbox.c.to_address, mail_outbox.c.state))
    waits = {(mail["kind"], mail["to_address"]) for mail in mails if mail["state"] == "queued"}
    assert waits == {("answered", "ana@example.com"), ("answered", "carla@buyer.example")}


def test_accepted_twice_it_is_accepted_once(office: Office) -> None:
    """R48: the same person is told so, and nothing happens again."""
    sent(office)
    first = accept(office, link(office))
    before = (answers(office), events(office), told(office), earned(office), office.rev("deals", "deal-a"))
    office.clock.advance(60_000)
    again = accept(office, link(office))
    assert (again.kind, again.again, again.at) == ("accepted", True, first.at)
    assert (answers(office), events(office), told(office), earned(office), office.rev("deals", "deal-a")) == before
    assert refused(decline, office, link(office)) == "proposal_answered"


OPTIONS = {"optional": True, "chosen": False, "quantity_min": "1", "quantity_max": "5", "quantity": "1"}


def test_the_options_that_are_taken_are_what_the_deal_is_won_with(office: Office) -> None:
    """R50, R55: the browser says which, the server what that comes to."""
    ana = offered(office)
    more = {**LINE, **OPTIONS, "proposal_key": "p1", "name": "Spare", "unit_price_minor": 40_00, "position": 2}
    ana.do("create", "proposal_lines", "p1-2", set=more)
    words = {"proposal_key": "p1", "name": "Care", "unit_price_minor": 7_00, "position": 3, "product_key": None}
    ana.do("create", "proposal_lines", "p1-3", set=words)
    office.put(recipient("carla", "Carla Ruiz"))
    assert order(ana, "send").outcome == "applied"
    assert office.row("proposals", "p1")["total_minor"] == 307_00
    by = link(office)
    out = Choices({"p1-2": True}, {"p1-2": "6"})
    assert refused(accept, office, by, out) == "choice_invalid"
    assert refused(accept, office, by, Choices({"p1-1": False})) == "choice_invalid"
    found = accept(office, by, Choices({"p1-2": True}, {"p1-2": "4"}))
    assert found.total_minor == 467_00
    assert deal(office)["amount_minor"] == 467_00
    assert sorted(lines(office)) == [("pump", "3", 100_00, 0), ("pump", "4", 40_00, 0)]
    kept = accepted_of(answers(office)[0]["document"])
    assert kept.document.priced.total_minor == 467_00
    assert kept.document_digest == office.row("proposals", "p1")["digest"] != kept.signatures[0].chosen_digest


def test_what_was_not_looked_at_is_not_accepted(office: Office) -> None:
    """R46, R50: another total, document or text is refused, and nothing is kept of it."""
    sent(office)
    by = link(office)
    assert refused(accept, office, by, total_minor=299_99) == "proposal_changed"
    assert refused(accept, office, by, digest="0" * 64) == "proposal_changed"
    assert refused(accept, office, by, consent_digest="0" * 64) == "consent_changed"
    assert refused(accept, office, by, name=" ") == "signature_invalid"
    assert refused(accept, office, by, method="drawn") == "signature_invalid"
    assert refused(accept, office, by, method="drawn", drawing=b"\x89PNG") == "signature_invalid"
    assert (signatures(office), answers(office), statuses(office)) == ([], [], ["sent"])
    assert accept(office, by, method="drawn", drawing=drawing()).kind == "accepted"
    assert signatures(office)[0]["picture"].startswith(b"\x89PNG")


def test_an_older_version_is_accepted_no_more(office: Office) -> None:
    """R46."""
    sent(office)
    ana = office.phone("ana")
    old = link(office)
    order(ana, "revise")
    ana.edit("proposal_lines", "p1-1", quantity="2")
    assert standing(office, old).state == "open"  # it stands until the next one is sent
    order(ana, "send")
    new = link(office, version=2)
    found = standing(office, old)
    assert (found.state, found.newest, found.newest_link) == ("superseded", 2, new)
    assert refused(accept, office, old) == "proposal_superseded"
    assert refused(decline, office, old) == "proposal_superseded"
    assert accept(office, new).total_minor == 200_00
    assert statuses(office) == ["superseded", "accepted"]
    assert refused(accept, office, old) == "proposal_superseded"


def test_what_stands_is_accepted_while_it_is_revised(office: Office) -> None:
    """R46: at what was sent, whatever was begun beside it; and then it is sent no more."""
    sent(office)
    ana = office.phone("ana")
    order(ana, "revise")
    ana.edit("proposal_lines", "p1-1", quantity="2", product_key=None)
    assert accept(office, link(office)).total_minor == 300_00
    assert office.row("proposals", "p1")["status"] == "accepted"
    assert lines(office) == [("pump", "3", 100_00, 0)]
    for act in ("revise", "withdraw", "send"):
        assert order(ana, act).code in ("illegal_transition", "proposal_changed"), act


def test_what_was_withdrawn_is_not_accepted(office: Office) -> None:
    sent(office)
    order(office.phone("ana"), "withdraw")
    assert standing(office, link(office)).state == "withdrawn"
    assert refused(accept, office, link(office)) == "proposal_withdrawn"
    assert refused(decline, office, link(office)) == "proposal_withdrawn"


# 2026-03-29: in Madrid clocks go from 2:00 to 3:00, the day has 23 hours. In UTC: 28 March 23:00 to 29 March 22:00.
# 2026-10-25: from 3:00 to 2:00, 25 hours: 24 October 22:00 to 25 October 23:00.
EDGES = [("2026-03-29", 1_774_821_600_000), ("2026-10-25", 1_792_969_200_000), ("2026-01-20", 1_768_950_000_000)]


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(("last", "over_ms"), EDGES)
def test_the_last_day_ends_in_the_zone_that_is_printed(
    office: Office, last: str, over_ms: int, *, is_late: bool
) -> None:
    """R47: judged as it is accepted, whether or not the sweep ran; also where the company has moved since."""
    sent(office, valid_until=last)
    office.put(("organisations", "org", {"zone": "Pacific/Auckland"}))
    office.clock.advance(over_ms - 1 - office.clock.now_ms())
    assert standing(office, link(office)).state == "open"
    if is_late:
        office.clock.advance(1)
        assert standing(office, link(office)).state == "expired"
        assert refused(accept, office, link(office)) == "proposal_expired"
        assert refused(decline, office, link(office)) == "proposal_expired"
        assert statuses(office) == ["sent"]
    else:
        assert accept(office, link(office)).kind == "accepted"


def test_who_declines_ends_it_for_all_and_the_deal_goes_on(office: Office) -> None:
    """R48: one state, one answer, one event; and it can be revised."""
    sent(office, recipient("abel", "Abel", position=1), recipient("carla", "Carla Ruiz", position=2))
    found = decline(office, link(office), "Too\x00 dear\ud800")
    assert (found.kind, found.again) == ("declined", False)
    assert (decline(office, link(office)).again, refused(accept, office, link(office, "abel"))) == (
        True,
        "proposal_answered",
    )
    assert (statuses(office), deal(office)["closed_at"]) == (["declined"], None)
    (answer,) = answers(office)
    assert (answer["kind"], answer["reason"], answer["document"], answer["seal_state"]) == (
        "declined",
        "Too dear",
        None,
        None,
    )
    assert office.row("proposals", "p1")["outcome"]["reason"] == "Too dear"
    assert (events(office), told(office, "proposal.declined")) == (["sent", "declined"], ["proposal.declined"])
    ana = office.phone("ana")
    assert order(ana, "withdraw").code == "illegal_transition"
    assert [order(ana, act).outcome for act in ("revise", "send")] == ["applied", "applied"]
    assert (office.row("proposals", "p1")["outcome"], statuses(office)) == (None, ["declined", "sent"])


def test_a_deal_that_was_won_by_hand_at_the_same_stays_as_it_was_won(office: Office) -> None:
    """R55."""
    sent(office)
    office.put(
        (
            "deal_lines",
            "l1",
            {"deal_key": "deal-a", "product_key": "pump", "quantity": "3.0", "unit_price_minor": 100_00},
        )
    )
    ana = office.phone("ana")
    ana.edit("deals", "deal-a", amount_minor=300_00)
    assert ana.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a")).outcome == "applied"
    won_at = deal(office)["closed_at"]
    office.clock.advance(60_000)
    accept(office, link(office))
    assert (deal(office)["closed_at"], deal(office)["closings"]) == (won_at, [])
    assert earned(office) == [(1, "ana", False, 300_00)]
    assert told(office, "deal.won") == ["deal.won"]  # as it was won by hand


def test_a_deal_that_was_won_by_hand_otherwise_is_won_again_at_what_was_accepted(office: Office) -> None:
    """R21, R55: both ends are dated, and what was credited is reversed."""
    sent(office)
    ana = office.phone("ana")
    assert ana.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a")).outcome == "applied"
    office.clock.advance(60_000)
    accept(office, link(office))
    assert [end["amount_minor"] for end in deal(office)["closings"]] == [5_000_00]
    assert earned(office) == [
        (1, "ana", False, 5_000_00),
        (1, "ana", True, 5_000_00),
        (2, "ana", False, 300_00),
    ]
    report = office.database.read(reconcile.report, office.clock.now_ms())
    assert [(item.rule, item.detail) for item in report.items] == []


def test_a_deal_that_was_lost_takes_no_acceptance(office: Office) -> None:
    sent(office)
    ana = office.phone("ana")
    assert ana.do("deal.lose", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={"reason": "x"}).code is None
    assert standing(office, link(office)).state == "closed"
    assert refused(accept, office, link(office)) == "proposal_closed"
    assert refused(decline, office, link(office)) == "proposal_closed"


def test_criteria_are_not_asked_of_a_buyer_and_are_told(office: Office) -> None:
    asked = [{"kind": "field", "field": "next_step"}]
    office.put(("stages", "offer", {"exit_criteria": asked}))
    sent(office)
    accept(office, link(office))
    assert deal(office)["stage_key"] == "won"
    last = office.database.read(timeline.events_of, "p1")[-1]
    assert len(msgspec.json.decode(last.detail)["unmet"]) == 1


def test_other_offers_about_the_deal_are_superseded(office: Office) -> None:
    sent(office)
    sent(office, recipient("dora", "Dora", proposal="p2"), key="p2")
    accept(office, link(office))
    assert (statuses(office, "p2"), office.row("proposals", "p2")["status"]) == (["superseded"], "superseded")
    assert events(office, "p2") == ["sent", "superseded"]
    assert refused(accept, office, link(office, "dora", key="p2")) == "proposal_superseded"


def test_an_offer_that_another_one_superseded_is_revised_where_the_deal_goes_on(office: Office) -> None:
    """R46: it is sent as its next version, once the deal is open again."""
    sent(office)
    sent(office, recipient("dora", "Dora", proposal="p2"), key="p2")
    accept(office, link(office))
    ana = office.phone("ana")
    assert order(ana, "revise", "p2").outcome == "applied"
    assert order(ana, "send", "p2").code == "illegal_transition"
    opened = ana.do("deal.reopen", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={"stage_key": "lead"})
    assert (opened.outcome, order(ana, "send", "p2").outcome) == ("applied", "applied")
    assert statuses(office, "p2") == ["superseded", "sent"]
    found = accept(office, link(office, "dora", key="p2", version=2), name="Dora")
    assert (found.kind, [end for end, *_ in earned(office)]) == ("accepted", [1, 1, 2])
    report = office.database.read(reconcile.report, office.clock.now_ms())
    assert report.items == []


def test_a_recipient_whose_address_became_another_between_looking_and_answering_answers_nothing(
    office: Office,
) -> None:
    """Whoever had the link is not meant any more: neither name nor address of the new one signs by it."""
    sent(office)
    carla = link(office)
    asked = acceptance(office, carla)
    edited = office.phone("ana").edit("proposal_recipients", "carla", email="otto@buyer.example", name="Otto Otter")
    assert edited.outcome == "applied"
    assert refused(office.database.write, answering.accept, office.clock.now_ms(), asked) == "not_found"
    assert refused(decline, office, carla) == "not_found"
    assert (answers(office), signatures(office), statuses(office)) == ([], [], ["sent"])
