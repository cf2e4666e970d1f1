"""Links that are mailed again, handed over, revoked; recipients that become others or go; persons that are erased."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select

from proposals.buyer import links
from proposals.buyer.links import Link
from proposals.delivery import handing, opting, outbox, preparing, reminders
from proposals.delivery.handing import Wanted
from proposals.delivery.preparing import Site
from sfa.core.errors import Refused
from sfa.crm import addressees
from sfa.crm.erasure import erase_person
from sfa.db import proposal_timeline as timeline
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import history, proposal_signatures
from sfa.db.writes import Door, Origin
from sfa.web.secret import Secret
from tests.office import Office, Phone
from tests.proposals.delivery.post import CARL, SECRET, SITE, events, given_links, mailed, outbox_rows, people, sent
from tests.proposals.selling import offered, order

MINUTE_MS = 60_000
KEY = Secret(SECRET).derive(links.PURPOSE)


def command(phone: Phone, name: str, **arguments: Any) -> Any:
    return phone.do(f"proposal.{name}", "proposals", "p1", base=phone.office.rev("proposals", "p1"), set=arguments)


def recipient(office: Office) -> str:
    return str(people(office)[CARL]["key"])


def living(office: Office) -> list[dict[str, Any]]:
    return [link for link in given_links(office) if link["revoked_at"] is None]


def opened(office: Office, message: Any) -> Link | None:
    """What the link in a mail opens."""
    token = message["List-Unsubscribe"].removeprefix(f"<{SITE}/p/").removesuffix("/stop>")
    return office.database.read(links.found, token, office.clock.now_ms())


def hand(office: Office, user: str, link_key: str = "lk", **wanted: Any) -> handing.Handed:
    site = Site(SITE, KEY)
    return office.database.write(handing.hand_over, office.clock.now_ms(), user, "p1", Wanted(**wanted), site, link_key)


# -- again ------------------------------------------------------------------------------------------------------------


def test_a_mail_is_sent_again_with_the_same_link_and_twice_at_once_is_once(office: Office) -> None:
    ana = sent(office)
    first = mailed(office)
    assert command(ana, "resend", recipient_key=recipient(office)).outcome == "applied"
    assert mailed(office).taken == []  # it went a moment ago
    office.clock.advance(6 * MINUTE_MS)
    for _ in range(2):
        assert command(ana, "resend", recipient_key=recipient(office)).outcome == "applied"
    second = mailed(office)
    assert len(second.taken) == 1
    stops = {message["List-Unsubscribe"] for _, message in (*first.taken, *second.taken)}
    assert len(stops) == len(living(office)) == 1
    assert first.taken[0][1]["Message-ID"] != second.taken[0][1]["Message-ID"]


def test_what_the_buyer_has_no_more_is_not_sent_again(office: Office) -> None:
    ana = sent(office)
    key = recipient(office)
    order(ana, "withdraw")
    receipt = command(ana, "resend", recipient_key=key)
    assert (receipt.outcome, receipt.code) == ("refused", "illegal_transition")


@pytest.mark.parametrize("name", ["resend", "revoke_link"])
def test_only_who_may_change_the_proposal_orders_it_and_for_its_own_recipients(office: Office, name: str) -> None:
    ana = sent(office)
    key = recipient(office)
    assert command(office.phone("cleo"), name, recipient_key=key).outcome == "refused"
    assert command(office.phone("fay"), name, recipient_key=key).code == "not_permitted"
    assert command(ana, name, recipient_key="nobody").code == "row_unknown"
    assert command(ana, name, recipient_key=5).code == "command_invalid"
    assert command(ana, name).code == "command_invalid"


# -- revoked ----------------------------------------------------------------------------------------------------------


def test_a_revoked_link_opens_nothing_and_comes_back_only_when_the_mail_is_sent_again(office: Office) -> None:
    ana = sent(office)
    ((_, first),) = mailed(office).taken
    link = opened(office, first)
    assert link is not None
    assert link.recipient_key == recipient(office)
    for _ in range(2):
        assert command(ana, "revoke_link", recipient_key=recipient(office)).outcome == "applied"
    assert opened(office, first) is None
    assert events(office) == ["sent", "mailed", "revoked"]
    office.clock.advance(6 * MINUTE_MS)
    command(ana, "resend", recipient_key=recipient(office))
    ((_, again),) = mailed(office).taken
    assert opened(office, again) is not None
    assert opened(office, first) is None


def test_all_links_of_a_proposal_are_revoked_at_once(office: Office) -> None:
    ana = sent(office)
    mailed(office)
    hand(office, "ana")
    assert len(living(office)) == 2
    assert command(ana, "revoke_link", recipient_key=None).outcome == "applied"
    assert living(office) == []


def test_a_mail_that_waits_is_dropped_with_its_link(office: Office) -> None:
    ana = sent(office)
    command(ana, "revoke_link", recipient_key=recipient(office))
    assert mailed(office).taken == []
    assert [(mail["state"], mail["code"]) for mail in outbox_rows(office)] == [("dropped", "link_revoked")]


@pytest.mark.parametrize("of_all", [False, True])
@pytest.mark.parametrize("waits_ms", [0, 1])
def test_a_link_that_is_revoked_while_its_mail_is_tried_does_not_come_back_by_itself(
    office: Office, of_all: bool, waits_ms: int
) -> None:
    """The mail server says 451, the mail is queued again: the next try makes no new link, only `resend` does."""
    ana = sent(office)
    key, now_ms, site = recipient(office), office.clock.now_ms, Site(SITE, KEY)
    mail = office.database.write(outbox.claim, now_ms(), "me", "<a@b>")
    assert mail is not None
    assert isinstance(office.database.write(preparing.prepare, now_ms(), mail, site, "lk-1"), preparing.Ready)
    office.clock.advance(waits_ms)
    assert command(ana, "revoke_link", recipient_key=None if of_all else key).outcome == "applied"
    office.database.write(outbox.again, now_ms(), mail, "451", "later")
    office.clock.advance(MINUTE_MS)
    assert mailed(office).taken == []
    assert [(mail["state"], mail["code"]) for mail in outbox_rows(office)] == [("dropped", "link_revoked")]
    assert (living(office), office.row("proposal_recipients", key)["problem"]) == ([], "link_revoked")
    assert command(ana, "resend", recipient_key=key).outcome == "applied"
    ((_, message),) = mailed(office).taken
    assert opened(office, message) is not None


def test_all_links_revoked_are_also_those_that_a_mail_in_hand_would_have_made(office: Office) -> None:
    ana = sent(office)
    hand(office, "ana")
    office.clock.advance(1)
    mail = office.database.write(outbox.claim, office.clock.now_ms(), "me", "<a@b>")
    assert mail is not None
    command(ana, "revoke_link", recipient_key=None)
    ready = office.database.write(preparing.prepare, office.clock.now_ms(), mail, Site(SITE, KEY), "lk-1")
    assert (ready, living(office)) == ("link_revoked", [])


def test_who_stops_reminders_by_a_link_that_was_revoked_meanwhile_stops_nothing(office: Office) -> None:
    ana = sent(office)
    ((_, message),) = mailed(office).taken
    link = opened(office, message)
    assert link is not None
    command(ana, "revoke_link", recipient_key=recipient(office))
    with pytest.raises(Refused) as refused:
        office.database.write(opting.stop, office.clock.now_ms(), link, Visitor())
    assert refused.value.code == "not_found"
    assert office.row("proposal_recipients", recipient(office))["opted_out_at"] is None


# -- recipients that change -------------------------------------------------------------------------------------------


def test_an_address_that_becomes_another_loses_its_link_and_what_waits_for_it(office: Office) -> None:
    ana = sent(office)
    ((_, first),) = mailed(office).taken
    office.clock.advance(6 * MINUTE_MS)
    key = recipient(office)
    command(ana, "resend", recipient_key=key)
    assert ana.edit("proposal_recipients", key, email="karla@buyer.example").outcome == "applied"
    row = office.row("proposal_recipients", key)
    assert (row["state"], row["mailed_at"]) == ("new", None)
    assert opened(office, first) is None
    assert mailed(office).taken == []
    command(ana, "resend", recipient_key=key)
    ((to, message),) = mailed(office).taken
    assert to == "karla@buyer.example"
    assert opened(office, message) is not None


def test_a_recipient_that_is_deleted_loses_the_link_and_a_name_that_changes_keeps_it(office: Office) -> None:
    ana = sent(office)
    ((_, first),) = mailed(office).taken
    key = recipient(office)
    ana.edit("proposal_recipients", key, name="Carlos")
    assert opened(office, first) is not None
    assert (
        ana.do("delete", "proposal_recipients", key, base=office.rev("proposal_recipients", key)).outcome == "applied"
    )
    assert opened(office, first) is None


def test_a_proposal_is_for_a_few_people(office: Office) -> None:
    """Also where they come back after they were deleted."""
    rows = ((f"r-{n}", {"name": "P", "email": f"p{n}@buyer.example"}) for n in range(addressees.RECIPIENTS_MAX))
    ana = sent(office, *rows)
    more = {"proposal_key": "p1", "name": "Q", "email": "q@buyer.example"}
    assert ana.do("create", "proposal_recipients", "r-q", set=more).code == "proposal_too_long"
    ana.do("delete", "proposal_recipients", "r-0", base=office.rev("proposal_recipients", "r-0"))
    assert ana.do("create", "proposal_recipients", "r-q", set=more).outcome == "applied"
    assert ana.edit("proposal_recipients", "r-0", name="Back").code == "proposal_too_long"
    assert ana.edit("proposal_recipients", "r-q", name="R").outcome == "applied"


# -- erased -----------------------------------------------------------------------------------------------------------


def erase(office: Office) -> None:
    def work(connection: Connection) -> None:
        now = office.clock.now_ms()
        erase_person(Door(connection, now), "carl", Origin(author_key="root", at=now, stored_at=now), "asked")

    office.database.write(work)


def test_an_erased_person_is_no_recipient_any_more(office: Office) -> None:
    sent(office)
    ((_, first),) = mailed(office).taken
    key = recipient(office)
    question = {
        "proposal_key": "p1",
        "version": 1,
        "recipient_key": key,
        "asked_by": "Carl",
        "asked_at": 1,
        "text": "?",
    }
    office.put_server_row("proposal_questions", "q1", question)
    erase(office)
    row = office.row("proposal_recipients", key)
    assert (row["gone"], row["name"], row["email"]) == (True, "Erased", "")
    assert office.row("proposal_questions", "q1")["asked_by"] == "Erased"
    assert opened(office, first) is None
    assert [mail["to_address"] for mail in outbox_rows(office)] == [""]
    told = repr(office.all(select(history.c.changes).where(history.c.entity == "proposal_recipients")))
    assert CARL not in told
    assert "'Carl'" not in told


def test_what_waits_for_an_erased_person_is_not_mailed(office: Office) -> None:
    sent(office)
    erase(office)
    assert mailed(office).taken == []
    assert [(mail["state"], mail["code"]) for mail in outbox_rows(office)] == [("dropped", "erased")]


def test_who_signed_stays_in_the_records_when_erased(office: Office) -> None:
    sent(office)
    mailed(office)
    key = recipient(office)
    texts = dict.fromkeys(("consent", "consent_digest", "document_digest", "chosen_digest"), "x")
    signed = {"proposal_key": "p1", "version": 1, "recipient_key": key, "ordinal": 1, "link_key": "l", "name": "Carl"}
    signed |= {"handed_over": False}
    signed |= {"method": "typed", "choices": b"{}", "total_minor": 1, "at": 1, **texts}
    office.database.write(lambda connection: connection.execute(proposal_signatures.insert(), signed))
    erase(office)
    row = office.row("proposal_recipients", key)
    assert (row["gone"], row["name"], row["email"]) == (False, "Carl", CARL)


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_a_link_is_handed_over_and_asked_for_again_it_is_the_same(office: Office) -> None:
    """By the same person: who was given which is told."""
    sent(office)
    one, two, other = hand(office, "ana", "lk-1"), hand(office, "ana", "lk-2"), hand(office, "mia", "lk-3")
    assert one == two != other
    assert one.url.startswith(f"{SITE}/p/")
    found = office.database.read(links.found, one.url.rpartition("/")[2], office.clock.now_ms())
    assert found is not None
    assert (found.kind, found.recipient_key, found.version, found.made_by) == ("buyer", None, 1, "ana")
    assert events(office) == ["sent", "linked", "linked"]
    told = office.database.read(timeline.events_of, "p1")[1:]
    assert [(e.user_key, msgspec.json.decode(e.detail)["link_key"]) for e in told] == [("ana", "lk-1"), ("mia", "lk-3")]


@pytest.mark.parametrize("first", ["mailed", "handed over"])
def test_nobody_of_the_company_is_given_a_link_that_is_mailed(office: Office, first: str) -> None:
    """R48: a signature says by whose hands its link came."""
    sent(office)
    key = recipient(office)
    if first == "mailed":
        ((_, message),) = mailed(office).taken
        given = hand(office, "ana", recipient_key=key)
    else:
        given = hand(office, "ana", recipient_key=key)
        ((_, message),) = mailed(office).taken
    assert given.url not in message["List-Unsubscribe"]
    both = office.database.read(links.of_version, "p1", 1)
    assert sorted((link.made_by or "", link.recipient_key) for link in both) == [("", key), ("ana", key)]
    with pytest.raises(Refused, match="no such recipient"):
        hand(office, "ana", recipient_key="nobody")


def test_the_timeline_says_to_which_addresses_it_went(office: Office) -> None:
    """As they were: rows change, and events do not."""
    sent(office)
    mailed(office)
    office.put_server_row("proposal_recipients", recipient(office), {"name": "Karl", "email": "karl@buyer.example"})
    begun, went = (msgspec.json.decode(e.detail) for e in office.database.read(timeline.events_of, "p1"))
    assert [(one["name"], one["email"]) for one in begun["recipients"]] == [("Carl", CARL)]
    assert (went["name"], went["to"]) == ("Carl", CARL)


def test_a_look_of_the_companys_own_people_ends_after_an_hour(office: Office) -> None:
    sent(office)
    given = hand(office, "dirk", kind="staff")
    token, now = given.url.rpartition("/")[2], office.clock.now_ms()
    assert given.ends_at == now + 60 * MINUTE_MS
    found = office.database.read(links.found, token, now + 60 * MINUTE_MS - 1)
    assert found is not None
    assert found.kind == "staff"
    assert office.database.read(links.found, token, now + 60 * MINUTE_MS) is None
    assert events(office) == ["sent"]


def test_who_does_not_see_the_proposal_gets_no_link_and_who_may_not_change_it_none_to_hand_over(office: Office) -> None:
    sent(office)
    for kind in ("buyer", "staff"):
        with pytest.raises(Refused) as refused:
            hand(office, "cleo", kind=kind)
        assert refused.value.code == "not_found"
    with pytest.raises(Refused) as refused:
        hand(office, "fay")
    assert refused.value.code == "not_permitted"
    with pytest.raises(Refused) as refused:
        hand(office, "ana", kind="other")
    assert refused.value.code == "request_invalid"


def test_nothing_is_handed_over_of_a_draft(office: Office) -> None:
    offered(office)
    for kind in ("buyer", "staff"):
        with pytest.raises(Refused) as refused:
            hand(office, "ana", kind=kind)
        assert refused.value.code == "illegal_transition"


def test_whoever_sees_the_proposal_is_told_what_was_mailed_without_tokens(office: Office) -> None:
    sent(office)
    ((_, message),) = mailed(office).taken
    found = office.database.read(handing.deliveries, "mia", office.clock.now_ms(), "p1")
    assert [(mail.kind, mail.to, mail.state) for mail in found.mails] == [("offer", CARL, "sent")]
    assert [(link.kind, link.recipient_key) for link in found.links] == [("buyer", recipient(office))]
    token = message["List-Unsubscribe"].removeprefix(f"<{SITE}/p/").removesuffix("/stop>")
    assert token not in repr(found)
    with pytest.raises(Refused):
        office.database.read(handing.deliveries, "cleo", office.clock.now_ms(), "p1")


# -- no more reminders ------------------------------------------------------------------------------------------------


def test_one_click_ends_reminders_once_and_for_all(office: Office) -> None:
    sent(office)
    ((_, message),) = mailed(office).taken
    link = opened(office, message)
    assert link is not None
    now = office.clock.now_ms()
    visitor = Visitor("192.0.2.1", "Mail")
    assert [office.database.write(opting.stop, now + n, link, visitor) for n in (0, 5)] == [True, False]
    assert people(office)[CARL]["opted_out_at"] == now
    assert events(office) == ["sent", "mailed", "opted_out"]
    office.clock.advance(3 * 86_400_000 + 4 * 3_600_000)
    assert office.database.write(reminders.run, office.clock.now_ms()) == 0
