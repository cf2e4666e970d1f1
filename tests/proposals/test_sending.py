"""What is sent stands: numbers, versions, digests, and what changes nothing of them (R46, R50, R52)."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from proposals.document import Document, canonical
from proposals.starting import line_key
from tests.office import Office
from tests.proposals.selling import LINE, TEMPLATE, given, offered, order, versions


def sent(office: Office, key: str = "p1") -> Document:
    return msgspec.json.decode(versions(office, key)[-1]["document"], type=Document)


def test_what_is_sent_has_a_number_a_version_and_the_digest_of_its_document(office: Office) -> None:
    """R46, R50, R52."""
    ana = offered(office, discount_bp=500, contact_key="carl", payment_days=30)
    assert order(ana, "send").outcome == "applied"
    row, (version,) = office.row("proposals", "p1"), versions(office)
    assert (row["status"], row["number"], row["version"], row["total_minor"]) == ("sent", "Q-2026-00001", 1, 285_00)
    assert (version["number"], version["status"], version["quote"]) == ("Q-2026-00001", "sent", 1)
    document = sent(office)
    assert sha256(version["document"]).hexdigest() == version["digest"] == row["digest"]
    assert canonical(document) == version["document"]
    assert (document.number, document.version, document.zone) == ("Q-2026-00001", 1, "Europe/Madrid")
    assert (document.seller.name, document.buyer.name, document.buyer.person) == ("Company S.L.", "Acme", "Carl")
    assert (document.author.name, document.terms, document.valid_until) == ("Ana", "Paid in 30 days.", "2026-02-04")
    assert [due.due_days for due in document.dues] == [30]
    assert row["render_state"] == "queued"


def test_sent_twice_it_is_sent_once(office: Office) -> None:
    ana = offered(office)
    assert [order(ana, "send").outcome for _ in range(2)] == ["applied", "applied"]
    assert (given(office), len(versions(office))) == ({"Q-2026": 1}, 1)


EDITS: list[tuple[str, str, dict[str, Any]]] = [
    ("proposal_lines", "p1-1", {"quantity": "9", "unit_price_minor": 1}),
    ("proposals", "p1", {"title": "Other", "language": "es", "terms": "None.", "template_key": None}),
]


def test_what_people_change_of_a_sent_proposal_is_refused(office: Office) -> None:
    """R46."""
    ana = offered(office)
    order(ana, "send")
    before = versions(office)
    for entity, key, values in EDITS:
        assert ana.edit(entity, key, **values).code == "proposal_locked"
        same = {field: office.row(entity, key)[field] for field in values}
        assert ana.edit(entity, key, **same).outcome == "applied"
    line = {"proposal_key": "p1", "name": "More", "unit_price_minor": 1}
    assert ana.do("create", "proposal_lines", "p1-2", set=line).code == "proposal_locked"
    assert ana.do("delete", "proposal_lines", "p1-1", base=1).code == "proposal_locked"
    assert ana.do("delete", "proposals", "p1", base=office.rev("proposals", "p1")).code == "proposal_locked"
    assert versions(office) == before


def test_a_deleted_line_does_not_come_back_into_what_was_sent(office: Office) -> None:
    """R46: not by saying again what it said, nor under its key as a new one."""
    ana = offered(office)
    line = {**LINE, "proposal_key": "p1", "quantity": "5"}
    ana.do("create", "proposal_lines", "p1-2", set=line)
    ana.do("delete", "proposal_lines", "p1-2", base=office.rev("proposal_lines", "p1-2"))
    order(ana, "send")
    assert ana.edit("proposal_lines", "p1-2", quantity="5").code == "proposal_locked"
    assert ana.do("create", "proposal_lines", "p1-2", set=line).code == "proposal_locked"
    assert office.row("proposal_lines", "p1-2")["gone"]
    order(ana, "revise")
    assert ana.edit("proposal_lines", "p1-2", quantity="5").code is None
    assert not office.row("proposal_lines", "p1-2")["gone"]


def test_nothing_that_changes_later_changes_what_was_sent(office: Office) -> None:
    """R46: draft, template, branding, product, price, customer, person, company."""
    ana = offered(office, contact_key="carl")
    order(ana, "send")
    before = versions(office)
    office.put(
        ("proposal_templates", "house", {"brand": {"primary": "#555555"}, "seller": {"name": "X"}, "texts": {}}),
        ("products", "pump", {"name": "Renamed", "sku": "new"}),
        ("prices", "p-pump", {"amount_minor": 99_00}),
        ("accounts", "acme", {"name": "Renamed", "street": "Elsewhere"}),
        ("contacts", "carl", {"name": "Renamed"}),
        ("users", "ana", {"name": "Renamed"}),
        ("organisations", "org", {"name": "Renamed"}),
    )
    office.delete("proposal_templates", "house")
    assert versions(office) == before
    assert order(ana, "revise").outcome == "applied"
    for entity, key, values in EDITS:
        assert ana.edit(entity, key, **values).outcome == "applied"
    assert versions(office) == before
    assert office.row("proposal_templates", "house")["version"] == 2


def test_nothing_is_sent_by_a_template_that_cannot_print_it(office: Office) -> None:
    """What is missing is listed before anything is printed: of the template by line, of the document by field."""
    ana = offered(office, contact_key="carl")
    for source, code in (
        ("{% block summary %}\n{{ sheet.margin }}{% endblock %}", "template_invalid"),
        ("{% block summary %}{{ 'a' * 10 ** 9 }}{% endblock %}", "template_invalid"),
        ("{% block summary %}{{ sheet.buyer.website }}{% endblock %}", "proposal_incomplete"),
    ):
        office.put(("proposal_templates", "house", {"source": source}))
        assert [order(ana, act).code for act in ("submit", "send")] == [code, code]
    assert "sheet.buyer.website" in str(order(ana, "send").text)
    assert (versions(office), office.row("proposals", "p1")["status"]) == ([], "draft")
    asked = "{% block summary %}{% if sheet.buyer.website %}{{ sheet.buyer.website }}{% endif %}{% endblock %}"
    office.put(("proposal_templates", "house", {"source": asked, "css": "h1 { color: #102030 }"}))
    assert order(ana, "send").outcome == "applied"
    assert versions(office)[0]["template_version"] == 5


def test_the_next_version_has_the_number_and_supersedes_the_one_before(office: Office) -> None:
    """R46, R52."""
    ana = offered(office)
    order(ana, "send")
    first = versions(office)[0]
    order(ana, "revise")
    assert (office.row("proposals", "p1")["status"], versions(office)[0]["status"]) == ("draft", "sent")
    ana.edit("proposal_lines", "p1-1", quantity="2")
    assert order(ana, "send").outcome == "applied"
    old, new = versions(office)
    assert (old["status"], new["status"], new["version"]) == ("superseded", "sent", 2)
    assert (old["number"], new["number"], given(office)) == ("Q-2026-00001", "Q-2026-00001", {"Q-2026": 1})
    assert (old["document"], old["digest"], old["total_minor"]) == (first["document"], first["digest"], 300_00)
    assert (new["total_minor"], new["quote"]) == (200_00, 2)


def test_what_is_withdrawn_was_sent_and_keeps_its_number(office: Office) -> None:
    ana = offered(office)
    assert order(ana, "withdraw").code == "illegal_transition"
    order(ana, "send")
    assert [order(ana, "withdraw", reason="Wrong customer").outcome for _ in range(2)] == ["applied", "applied"]
    (version,) = versions(office)
    assert (version["status"], version["cause"], version["ended_by"]) == ("withdrawn", "Wrong customer", "ana")
    assert office.row("proposals", "p1")["status"] == "withdrawn"
    order(ana, "revise")
    assert order(ana, "send").outcome == "applied"
    assert [v["status"] for v in versions(office)] == ["withdrawn", "sent"]


def test_one_that_is_revised_can_be_withdrawn(office: Office) -> None:
    ana = offered(office)
    order(ana, "send")
    order(ana, "revise")
    assert order(ana, "withdraw").outcome == "applied"
    assert (office.row("proposals", "p1")["status"], versions(office)[0]["status"]) == ("withdrawn", "withdrawn")


@pytest.mark.parametrize(
    ("said", "line", "code"),
    [
        ({"valid_until": "2026-01-04"}, {}, "proposal_expired"),
        ({"deposit": {"amount_minor": 10_000_00}}, {}, "offer_invalid"),
        ({}, {"optional": True, "chosen": False}, "proposal_incomplete"),
        ({}, {"section_key": "nowhere"}, "proposal_incomplete"),
    ],
)
def test_what_cannot_be_sent_takes_no_number(
    office: Office, said: dict[str, Any], line: dict[str, Any], code: str
) -> None:
    """R52: the next one has the first."""
    ana = offered(office, line=line, **said)
    assert order(ana, "send").code == code
    assert (given(office), versions(office), office.row("proposals", "p1")["status"]) == ({}, [], "draft")
    offered(office, "p2")
    assert order(ana, "send", "p2").outcome == "applied"
    assert office.row("proposals", "p2")["number"] == "Q-2026-00001"


def test_numbers_are_of_the_year_of_the_companys_day(office: Office) -> None:
    """R32, R52: half an hour before midnight UTC it is the next year in Madrid."""
    ana = offered(office)
    office.clock.advance(1_798_760_000_000 - office.clock.now_ms())  # 2026-12-31 23:33:20 UTC
    assert order(ana, "send").outcome == "applied"
    assert office.row("proposals", "p1")["number"] == "Q-2027-00001"


def test_a_closed_deals_proposal_is_not_sent(office: Office) -> None:
    ana = offered(office)
    assert ana.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={}).outcome == "applied"
    assert order(ana, "send").code == "illegal_transition"


def test_who_does_not_see_it_or_has_no_part_in_its_deal_does_not_send_it(office: Office) -> None:
    offered(office)
    assert order(office.phone("cleo"), "send").code == "row_unknown"
    assert order(office.phone("bob"), "send").code == "not_permitted"  # of the same territory
    assert order(office.phone("mia"), "send").outcome == "applied"  # above


def test_a_deal_becomes_a_proposal_once_with_the_lines_that_it_has(office: Office) -> None:
    ana = office.phone("ana")
    office.put(
        ("deal_lines", "l1", {"deal_key": "deal-a", "product_key": "pump", "quantity": "4", "discount_bp": 500}),
        ("deal_lines", "l2", {"deal_key": "deal-a", "product_key": "pump", "position": 1, "unit_price_minor": 7}),
    )
    for _ in range(2):
        receipt = ana.do("deal.propose", "deals", "deal-a", base=1, set={"key": "p9", "title": "Offer"})
        assert receipt.outcome == "applied", receipt
    assert ana.do("deal.propose", "deals", "deal-a", base=1, set={"key": "p9", "x": 1}).code == "command_invalid"
    lines = sorted(office.rows("proposal_lines"), key=lambda row: row["position"])
    assert [(ln["quantity"], ln["unit_price_minor"], ln["discounts"], ln["name"]) for ln in lines] == [
        ("4", 0, [{"share_bp": 500}], "Pump"),
        ("1", 7, [], "Pump"),
    ]
    row = office.row("proposals", "p9")
    assert (row["title"], row["author_key"], row["currency"]) == ("Offer", "ana", "EUR")
    assert office.row("proposals", "p9")["buckets"] == office.row("deals", "deal-a")["buckets"]


def test_a_line_that_somebody_made_before_under_the_reckoned_key_is_not_moved(office: Office) -> None:
    """R46: not even one of what was sent, which says its proposal once."""
    office.put(("deal_lines", "l1", {"deal_key": "deal-a", "product_key": "pump", "quantity": "4"}))
    ana = offered(office)
    key = line_key("p9", "l1")
    ana.do("create", "proposal_lines", key, set={**LINE, "proposal_key": "p1"})
    order(ana, "send")
    before = office.row("proposal_lines", key)
    refused = ana.do("deal.propose", "deals", "deal-a", base=1, set={"key": "p9"})
    assert (refused.code, office.find("proposals", "p9")) == ("key_taken", None)
    assert office.row("proposal_lines", key) == before
    assert ana.do("deal.propose", "deals", "deal-a", base=1, set={"key": "p8"}).outcome == "applied"


def test_a_template_counts_what_it_becomes(office: Office) -> None:
    offered(office)
    assert office.row("proposal_templates", "house")["version"] == 1
    dirk = office.phone("dirk")
    assert dirk.edit("proposal_templates", "house", name=TEMPLATE["name"]).outcome == "applied"
    assert office.row("proposal_templates", "house")["version"] == 1
    assert dirk.edit("proposal_templates", "house", name="New").outcome == "applied"
    assert office.row("proposal_templates", "house")["version"] == 2
    assert dirk.edit("proposal_templates", "house", version=9).code == "field_read_only"
    assert office.phone("ana").edit("proposal_templates", "house", name="Mine").code == "not_permitted"


def test_a_sent_proposal_is_not_deleted_and_a_draft_is(office: Office) -> None:
    """R46."""
    ana = offered(office)
    offered(office, "p2")
    order(ana, "send")
    order(ana, "revise")
    assert ana.do("delete", "proposals", "p1", base=office.rev("proposals", "p1")).code == "proposal_kept"
    assert ana.do("delete", "proposals", "p2", base=office.rev("proposals", "p2")).outcome == "applied"
    assert order(ana, "send", "p2").code == "row_unknown"
