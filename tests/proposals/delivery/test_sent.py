"""From sending to the mail server's word: who gets a mail, what it says, and what is said of it afterwards."""

from sfa.db.tables import proposal_links
from tests.office import Office
from tests.proposals.delivery.post import (
    CARL,
    SITE,
    events,
    given_links,
    mailed,
    outbox_rows,
    people,
    sent,
    told,
)
from tests.proposals.selling import offered, order


def test_where_nobody_is_named_the_contact_gets_the_offer(office: Office) -> None:
    sent(office)
    (row,) = people(office).values()
    assert (row["contact_key"], row["name"], row["role"], row["state"]) == ("carl", "Carl", "signer", "new")
    (mail,) = outbox_rows(office)
    assert (mail["kind"], mail["state"], mail["to_address"], mail["message_id"]) == ("offer", "queued", CARL, None)
    assert (events(office), told(office)) == (["sent"], ["proposal.sent"])


def test_a_mail_brings_the_link_and_says_what_page_and_pdf_say(office: Office) -> None:
    """R50: the total is written by the document's own voice, also where the mail is in another language."""
    sent(office, ("r-ines", {"name": "Inés", "email": "ines@buyer.example", "language": "es"}))
    server = mailed(office)
    ((to, message),) = server.taken
    assert to == "ines@buyer.example"
    assert message["Subject"] == "Oferta: Q-2026-00001 Pumps for Acme"
    assert message["From"].addresses[0].addr_spec == "sales@company.example"
    assert message["Reply-To"].addresses[0].addr_spec == "ana@example.com"
    assert message["Auto-Submitted"] is None
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        text = part.get_content()
        assert "€300.00" in text
        assert f"{SITE}/p/" in text
        assert "4 de febrero de 2026" in text
        assert "Company S.L." in text
    assert message["List-Unsubscribe"].startswith(f"<{SITE}/p/")
    assert message["List-Unsubscribe"].endswith("/stop>")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_what_was_mailed_is_said_on_the_row_the_timeline_and_nowhere_else(office: Office) -> None:
    sent(office)
    mailed(office)
    (row,) = people(office).values()
    assert (row["state"], row["mailed_at"], row["problem"]) == ("mailed", office.clock.now_ms(), None)
    (mail,) = outbox_rows(office)
    assert (mail["state"], mail["attempts"], mail["sent_at"]) == ("sent", 1, office.clock.now_ms())
    assert events(office) == ["sent", "mailed"]
    (link,) = given_links(office)
    assert (link["recipient_key"], link["version"], link["revoked_at"]) == (row["key"], 1, None)
    assert mailed(office).taken == []


def test_a_token_is_kept_nowhere(office: Office) -> None:
    """Neither in the outbox nor with the link: who reads the database opens nothing."""
    sent(office)
    ((_, message),) = mailed(office).taken
    token = message["List-Unsubscribe"].removeprefix(f"<{SITE}/p/").removesuffix("/stop>")
    assert len(token) == 22
    said = repr(outbox_rows(office)) + repr(given_links(office)) + repr(people(office))
    assert token not in said
    assert set(proposal_links.c.keys()) >= {"token_sha256"}


def test_each_recipient_has_a_link_of_his_own_and_a_new_version_new_ones(office: Office) -> None:
    ana = sent(
        office,
        ("r-1", {"name": "One", "email": "one@buyer.example", "position": 1}),
        ("r-2", {"name": "Two", "email": "two@buyer.example", "role": "reader"}),
    )
    first = mailed(office)
    assert sorted(to for to, _ in first.taken) == ["one@buyer.example", "two@buyer.example"]
    order(ana, "revise")
    order(ana, "send")
    assert {row["state"] for row in people(office).values()} == {"new"}
    second = mailed(office)
    texts = [message.get_body(("plain",)).get_content() for _, message in second.taken]  # type: ignore[union-attr]
    assert len(texts) == 2
    assert all("takes the place" in text for text in texts)
    assert [(link["recipient_key"], link["version"]) for link in given_links(office)].count(("r-1", 2)) == 1
    stops = [message["List-Unsubscribe"] for _, message in (*first.taken, *second.taken)]
    assert len(set(stops)) == 4
    assert events(office) == ["sent", "mailed", "mailed", "superseded", "sent", "mailed", "mailed"]


def test_what_is_withdrawn_before_it_was_mailed_is_not_mailed(office: Office) -> None:
    ana = sent(office)
    order(ana, "withdraw")
    assert mailed(office).taken == []
    (mail,) = outbox_rows(office)
    assert (mail["state"], mail["code"]) == ("dropped", "proposal_over")
    assert events(office) == ["sent", "withdrawn"]
    assert told(office) == ["proposal.sent", "proposal.withdrawn"]


def test_a_newer_version_takes_the_place_of_a_mail_that_waits(office: Office) -> None:
    ana = sent(office)
    order(ana, "revise")
    order(ana, "send")
    ((_, message),) = mailed(office).taken
    assert "version 2" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert [(mail["version"], mail["state"], mail["code"]) for mail in outbox_rows(office)] == [
        (1, "dropped", "proposal_superseded"),
        (2, "sent", None),
    ]


def test_who_withdrew_his_consent_gets_no_offer_and_the_row_says_so(office: Office) -> None:
    office.put(("consents", "c-no", {"contact_key": "carl", "purpose": "proposals", "granted": False}))
    sent(office)
    assert mailed(office).taken == []
    (row,) = people(office).values()
    assert (row["state"], row["problem"]) == ("new", "consent_withdrawn")
    assert events(office) == ["sent"]


def test_a_consent_that_was_withdrawn_for_something_else_says_nothing_of_offers(office: Office) -> None:
    office.put(
        ("consents", "c-1", {"contact_key": "carl", "purpose": "news", "granted": False}),
        ("consents", "c-2", {"contact_key": "carl", "purpose": "proposals", "channel": "phone", "granted": False}),
        ("consents", "c-3", {"contact_key": "carl", "purpose": "proposals", "granted": False, "decided_at": 1}),
        ("consents", "c-4", {"contact_key": "carl", "purpose": "proposals", "granted": True, "decided_at": 2}),
    )
    sent(office)
    assert len(mailed(office).taken) == 1


def test_what_is_no_address_is_told_without_asking_the_mail_server(office: Office) -> None:
    sent(office, ("r-bad", {"name": "Eve", "email": "eve@buyer.example\r\nBcc: all@example.com"}))
    server = mailed(office)
    assert (server.taken, server.tries) == ([], 0)
    row = office.row("proposal_recipients", "r-bad")
    assert (row["state"], row["problem"]) == ("bounced", "address_invalid")


def test_a_proposal_whose_contact_has_no_address_is_sent_without_a_mail(office: Office) -> None:
    """A link is handed over by hand then."""
    sent(office)

    ana = offered(office, "p2", contact_key=None)
    assert order(ana, "send", "p2").outcome == "applied"
    assert [mail["proposal_key"] for mail in outbox_rows(office)] == ["p1"]
    assert events(office, "p2") == ["sent"]
