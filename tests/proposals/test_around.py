"""Proposals among everything else: many at once, failing transactions, new owners, merges, erasure, reports."""

import threading
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from sfa.app import reconcile
from sfa.app.commands import COMMANDS
from sfa.crm.erasure import erase_person
from sfa.crm.online import Order
from sfa.crm.online import order as order_online
from sfa.db.tables import blobs, deal_quote_lines, deal_quotes, proposal_renders, proposal_versions
from sfa.db.writes import Door
from sfa.db.writes import Origin as By
from sfa.files import arrivals
from sfa.files.rules import Content
from tests.office import Office
from tests.proposals.selling import given, limits, offered, order, seen, template, versions

DEAL = {"name": "More", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}


def test_those_who_send_at_once_get_numbers_without_a_gap(office: Office) -> None:
    """R52: twelve from three people, of four deals; some of one proposal."""
    template(office)
    office.put(*(("deals", f"d{n}", {**DEAL, "amount_minor": 1, "currency": "EUR"}) for n in range(4)))
    for n in range(12):
        offered(office, f"p{n}", deal_key=f"d{n % 4}")
    people = [office.phone(user) for user in ("ana", "mia", "dirk")]
    failed: list[Any] = []

    def send(place: int) -> None:
        for n in range(12):
            if n % 3 == place or n < 3:
                receipt = order(people[place], "send", f"p{n}")
                if receipt.outcome != "applied":
                    failed.append(receipt)

    threads = [threading.Thread(target=send, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    found = sorted(office.row("proposals", f"p{n}")["number"] for n in range(12))
    assert found == [f"Q-2026-{n:05d}" for n in range(1, 13)]
    assert given(office) == {"Q-2026": 12}
    assert len(office.all(select(proposal_versions.c.version))) == 12
    assert all(d["found"] == 0 for d in checked(office))


def test_a_transaction_that_fails_has_sent_nothing_and_taken_no_number(office: Office) -> None:
    """R46, R52: as if the process had died before the commit."""
    offered(office)

    def dies(connection: Connection) -> None:
        asked = Order("ana", "proposal.send", "p1", seen(office, "send"))
        assert order_online(connection, office.clock.now_ms(), asked, COMMANDS).row["status"] == "sent"
        raise InterruptedError

    with pytest.raises(InterruptedError):
        office.database.write(dies)
    assert (given(office), versions(office), office.row("proposals", "p1")["status"]) == ({}, [], "draft")
    assert office.all(select(deal_quotes)) == office.all(select(proposal_renders)) == []
    order(office.phone("ana"), "send")
    assert office.row("proposals", "p1")["number"] == "Q-2026-00001"


def test_the_deals_quote_is_frozen_with_what_is_sent(office: Office) -> None:
    """R39: prices without tax, header discounts in them; lines that do not count are not quoted."""
    ana = offered(office, line={"tax_name": "VAT", "tax_rate_bp": 2_100}, tax_inclusive=True, payment_days=60)
    more = {"proposal_key": "p1", "product_key": "pump", "name": "Spare", "optional": True, "chosen": False}
    ana.do("create", "proposal_lines", "p1-2", set={**more, "unit_price_minor": 5})
    assert order(ana, "send").outcome == "applied"
    (head,), (line,) = office.all(select(deal_quotes)), office.all(select(deal_quote_lines))
    assert (head["amount_minor"], head["currency"], head["payment_days"]) == (247_93, "EUR", 60)
    assert (line["unit_price_minor"], line["discount_bp"], line["quantity"], line["cost_minor"]) == (
        82_64,
        0,
        "3",
        6_000,
    )


def test_a_proposal_goes_with_its_deal_and_so_does_its_pdf(office: Office) -> None:
    """What a leaver began is sent by who has the deal now, in whose name it is printed."""
    offered(office)
    attached = {"account_key": "acme", "deal_key": "deal-a", "proposal_key": "p1", "author_key": "ana"}
    file = {"name": "x.pdf", "media_type": "application/pdf", "size": 1, "sha256": "a" * 64, "kind": "document"}
    office.put_server_row("attachments", "pdf", {**attached, **file})
    assert office.row("attachments", "pdf")["buckets"] == office.row("deals", "deal-a")["buckets"]
    office.put(("deals", "deal-a", {"owner_key": "bob", "account_key": None}), ("users", "ana", {"active": False}))
    for entity, key in (("proposals", "p1"), ("proposal_lines", "p1-1"), ("attachments", "pdf")):
        assert office.row(entity, key)["buckets"] == ["book:bob"]
    office.put(("deals", "deal-a", {"account_key": "acme"}))
    bob = office.phone("bob")
    assert bob.edit("attachments", "pdf", name="y.pdf").code == "proposal_kept"
    assert bob.do("delete", "attachments", "pdf", base=office.rev("attachments", "pdf")).code == "proposal_kept"
    assert order(bob, "send").outcome == "applied"
    assert b'"author":{"name":"Bob"' in versions(office)[0]["document"]


def test_what_an_offline_owner_changed_after_the_deal_was_another_s_is_not_lost(office: Office) -> None:
    """S37: what he may not do any more waits for who may; what he cannot see is refused as if it were not there."""
    ana = offered(office)
    base = office.rev("proposal_lines", "p1-1")
    office.put(("deals", "deal-a", {"owner_key": "cleo", "account_key": "zeta"}))
    receipt = ana.do("update", "proposal_lines", "p1-1", base=base, set={"quantity": "7"})
    assert receipt.outcome == "handed_over"
    (suggestion,) = office.rows("suggestions")
    cleo = office.phone("cleo")
    accepted = cleo.do("suggestion.accept", "suggestions", suggestion["key"], base=suggestion["rev"], set={})
    assert (accepted.outcome, office.row("proposal_lines", "p1-1")["quantity"]) == ("applied", "7")


def test_merged_people_and_customers_take_their_drafts_along(office: Office) -> None:
    offered(office, contact_key="carl")
    office.put(
        ("contacts", "karl", {"account_key": "acme", "name": "Karl"}),
        ("accounts", "acme-2", {"name": "Acme 2", "territory_key": "t-north"}),
    )
    mia = office.phone("mia")
    assert mia.do("contact.merge", "contacts", "carl", base=1, set={"into": "karl"}).outcome == "applied"
    assert office.row("proposals", "p1")["contact_key"] == "karl"
    assert mia.do("account.merge", "accounts", "acme", base=1, set={"into": "acme-2"}).outcome == "applied"
    assert order(office.phone("ana"), "send").outcome == "applied"
    assert b'"buyer":{"name":"Acme 2","person":"Karl"' in versions(office)[0]["document"]


def test_an_erased_person_goes_from_drafts_and_stays_on_what_was_sent(office: Office) -> None:
    """R46: the digest still proves what was offered."""
    ana = offered(office, contact_key="carl")
    offered(office, "p2", contact_key="carl")
    assert order(ana, "render", "p2").outcome == "applied"
    order(ana, "send")
    before = versions(office)
    assert b'"person":"Carl"' in before[0]["document"]

    def erase(connection: Connection) -> None:
        now = office.clock.now_ms()
        erase_person(Door(connection, now), "carl", By(author_key="root", at=now, stored_at=now), "asked")

    office.database.write(erase)
    assert versions(office) == before
    assert [row["kind"] for row in office.all(select(proposal_renders))] == ["final"]
    assert order(ana, "send", "p2").outcome == "applied"
    assert b"Carl" not in versions(office, "p2")[0]["document"]


def checked(office: Office) -> list[dict[str, Any]]:
    now = office.clock.now_ms()
    report = office.database.read(lambda connection: reconcile.report(connection, now))
    wanted = ("proposals_as_sent", "proposal_numbers")
    return [{"rule": c.rule, "looked": c.looked, "found": c.found} for c in report.checked if c.rule in wanted]


WRONG = {
    "bytes that are others": "UPDATE proposal_versions SET digest = 'x'",
    "a proposal that says another digest": "UPDATE proposals SET digest = 'x'",
    "a version that is lost": "DELETE FROM proposal_versions WHERE ordinal = 1",
    "a number that nobody has": "UPDATE proposal_series SET last = 3",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_report_finds_what_was_written_past_the_commands(office: Office, wrong: str) -> None:
    """R46, R52, R55."""
    ana = offered(office)
    offered(office, "p2")
    order(ana, "send")
    order(ana, "send", "p2")
    assert [(c["looked"], c["found"]) for c in checked(office)] == [(2, 0), (2, 0)]
    office.database.write(lambda connection: connection.execute(text(WRONG[wrong])))
    assert sum(c["found"] for c in checked(office)) > 0


def test_limits_that_come_later_touch_no_version(office: Office) -> None:
    """R46, R49: what was sent stays sent; the next version is held to them."""
    ana = offered(office, discount_bp=1_500)
    order(ana, "send")
    limits(office, rep=1_000)
    assert office.row("proposals", "p1")["status"] == "sent"
    order(ana, "revise")
    assert order(ana, "send").code == "approval_needed"
    assert versions(office)[0]["status"] == "sent"


def test_files_that_went_with_it_stay_whatever_becomes_of_their_attachments(office: Office) -> None:
    """R46: named by their content; somebody else's file cannot be named."""
    content = Content("b" * 64, 7, "application/pdf")
    file = {"account_key": "acme", "author_key": "ana", "name": "Data sheet.pdf", "media_type": "application/pdf"}
    row = {**file, "size": 7, "sha256": content.sha256, "stored": True, "sniffed_type": "application/pdf"}
    office.put_server_row("attachments", "sheet", row)
    office.put_server_row("attachments", "secret", {**row, "account_key": "zeta", "author_key": "cleo"})
    ana = offered(office, enclosures=["sheet"])
    assert ana.edit("proposals", "p1", enclosures=["sheet", "secret"]).code == "reference_unknown"
    for part in (arrivals.claim, arrivals.keep):
        office.database.write(part, office.clock.now_ms(), content)
    assert order(ana, "send").outcome == "applied"
    before = versions(office)
    assert b'"enclosures":[{"name":"Data sheet.pdf"' in before[0]["document"]
    for key in ("sheet", "secret"):
        office.delete("attachments", key)
    assert [r["sha256"] for r in office.all(select(blobs.c.sha256).where(arrivals.in_use()))] == [content.sha256]
    assert versions(office) == before
    order(ana, "revise")
    assert order(ana, "send").code == "reference_unknown"
