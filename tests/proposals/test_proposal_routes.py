"""What screens read of proposals: totals, documents, versions, approvals, templates (R45, R46, R50)."""

import re
from collections.abc import Iterator
from hashlib import sha256

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.proposals.selling import floors, limits, offered, order, versions


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


def test_commands_at_a_screen_are_those_of_a_phone(desk: Desk) -> None:
    """R53."""
    limits(desk.office, rep=1_000, manager=2_000)
    offered(desk.office, discount_bp=1_500)
    made = desk.post("ana", "/api/proposals/p1/submit")
    assert (made.status_code, made.json()["row"]["needs"]) == (200, ["manager"])
    refused = desk.post("ana", "/api/proposals/p1/send", json={"version": 1, "total_minor": 255_00})
    assert (refused.status_code, refused.json()["code"]) == (409, "approval_needed")
    assert refused.json()["needs"] == ["manager"]
    (waiting,) = desk.get("mia", "/api/proposal-approvals").json()["items"]
    assert (waiting["key"], waiting["total_minor"], waiting["discounts"][0]["discount_bp"]) == ("p1", 255_00, 1_500)
    assert desk.get("dirk", "/api/proposal-approvals").json()["items"][0]["key"] == "p1"
    for other in ("ana", "bob", "cleo"):
        assert desk.get(other, "/api/proposal-approvals").json()["items"] == []
    assert desk.post("bob", "/api/proposals/p1/approve", json={"values": waiting["values"]}).status_code == 403
    values = {"values": waiting["values"]}
    assert desk.post("mia", "/api/proposals/p1/approve", json=values).json()["row"]["status"] == "approved"
    assert desk.get("mia", "/api/proposal-approvals").json()["items"] == []
    for _ in range(2):
        sent = desk.post("ana", "/api/proposals/p1/send", json={"version": 1, "total_minor": 255_00}).json()["row"]
        assert (sent["status"], sent["number"], sent["version"]) == ("sent", "Q-2026-00001", 1)
    told = desk.get("mia", "/api/proposals/p1/approvals").json()
    assert [(step["kind"], step["user_key"]) for step in told["given"]] == [("asked", "ana"), ("approved", "mia")]


def test_what_discounts_ask_for_is_told_before_it_is_submitted(desk: Desk) -> None:
    """R45: and what margins ask for when it is, as a role and nothing else; who sees cost is told before."""
    limits(desk.office, rep=400)
    floors(desk.office, rep=9_000, manager=9_000, director=0)
    ana = offered(desk.office, discount_bp=500)
    said = desk.get("ana", "/api/proposals/p1/approvals").json()
    assert (said["chain"], said["left"], said["possible"], said["given"]) == (["manager"], ["manager"], True, [])
    assert said["discounts"][0] == {
        "line_key": "p1-1",
        "discount_bp": 500,
        "limit_bp": 400,
        "role": "manager",
        "code": None,
    }
    order(ana, "submit")
    told = desk.get("ana", "/api/proposals/p1/approvals")
    said = told.json()
    assert (said["chain"], said["left"], said["possible"]) == (["manager", "director"], ["manager", "director"], True)
    assert not re.search(r"margin|floor|cost|\b(6000|3684)\b", told.text)
    ana.edit("proposals", "p1", title="Other")
    assert desk.get("dirk", "/api/proposals/p1/approvals").json()["chain"] == []
    assert desk.get("cleo", "/api/proposals/p1/approvals").status_code == 404


def test_reading_tells_nothing_of_the_price_at_which_a_margin_asks_for_somebody(desk: Desk) -> None:
    """R45: the answer, but for the digest of what he typed himself, is the same on both sides of a floor."""
    floors(desk.office, rep=3_000, manager=3_000, director=0)
    ana = offered(desk.office)
    said = set()
    for price in (99_99, 60_01, 59_99, 1):
        ana.edit("proposal_lines", "p1-1", unit_price_minor=price)
        told = desk.get("ana", "/api/proposals/p1/approvals").json()
        said.add((*told["chain"], *told["left"], told["possible"]))
        refused = order(ana, "send")
        assert (refused.code, (refused.details or {}).get("needs")) == ("approval_needed", [])
    assert said == {(True,)}


def test_documents_are_the_bytes_that_their_digest_names(desk: Desk) -> None:
    """R46, R50."""
    ana = offered(desk.office)
    draft = desk.get("ana", "/api/proposals/p1/document")
    assert (draft.json()["number"], draft.json()["version"]) == (None, 1)
    assert draft.headers["etag"] == f'"{sha256(draft.content).hexdigest()}"'
    order(ana, "send")
    (version,) = versions(desk.office)
    sent = desk.get("ana", "/api/proposals/p1/document")
    assert (sent.content, sent.headers["etag"]) == (version["document"], f'"{version["digest"]}"')
    again = desk.client.get(
        "/api/proposals/p1/document",
        headers={"Authorization": f"Bearer {desk.token('ana')}", "If-None-Match": sent.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    order(ana, "revise")
    ana.edit("proposals", "p1", title="Other")
    assert desk.get("ana", "/api/proposals/p1/document").json()["title"] == "Other"
    assert desk.get("ana", "/api/proposals/p1/document?version=1").content == version["document"]
    for path in ("document?version=2", "preview?version=2"):
        assert desk.get("ana", f"/api/proposals/p1/{path}").status_code == 404
    assert desk.get("ana", "/api/proposals/p1/document?version=0").status_code == 400
    listed = desk.get("ana", "/api/proposals/p1/versions").json()["items"]
    assert [(v["version"], v["digest"], v["status"]) for v in listed] == [(1, version["digest"], "sent")]
    for path in ("document", "preview", "versions", "approvals"):
        assert desk.get("cleo", f"/api/proposals/p1/{path}").status_code == 404


def test_a_list_says_what_drafts_come_to_now_and_what_was_sent(desk: Desk) -> None:
    ana = offered(desk.office)
    offered(desk.office, "p2", line={"quantity": "2", "tax_name": "VAT", "tax_rate_bp": 2_100})
    offered(desk.office, "p3", deposit={"amount_minor": 10**9})
    order(ana, "send")
    told = {item["key"]: item for item in desk.get("ana", "/api/deals/deal-a/proposals").json()["items"]}
    assert (told["p1"]["number"], told["p1"]["total_minor"]) == ("Q-2026-00001", 300_00)
    assert [told["p2"][name] for name in ("net_minor", "tax_minor", "total_minor")] == [200_00, 42_00, 242_00]
    assert (told["p3"]["total_minor"], told["p3"]["code"]) == (None, "offer_invalid")
    assert desk.get("cleo", "/api/deals/deal-a/proposals").status_code == 404


def test_a_preview_is_a_page_with_the_same_totals_and_no_script(desk: Desk) -> None:
    """R50: and a template shows what it is like."""
    offered(desk.office, line={"name": "<script>alert(1)</script>"})
    page = desk.get("ana", "/api/proposals/p1/preview")
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert ("300.00" in page.text, "<script" in page.text, "&lt;script" in page.text) == (True, False, True)
    sample = desk.get("ana", "/api/proposal_templates/house/preview?language=es")
    assert sample.status_code == 200
    assert "Company S.L." in sample.text
    assert "Pago a 30 días." in sample.text
    assert desk.get("ana", "/api/proposal_templates/none/preview").status_code == 404
    for said, code in (("<b>Own</b>", 200), ("{{ sheet.margin }}", 422), ("{{ 'a' * 10 ** 9 }}", 422)):
        desk.office.put(("proposal_templates", "house", {"source": f"{{% block summary %}}{said}{{% endblock %}}"}))
        shown = desk.get("ana", "/api/proposal_templates/house/preview")
        assert shown.status_code == code
        assert ("<b>Own</b>" in shown.text) if code == 200 else shown.json()["code"] == "template_invalid"


def test_the_versions_of_a_template_say_what_was_sent_by_them(desk: Desk) -> None:
    ana = offered(desk.office)
    order(ana, "send")
    desk.office.clock.advance(1_000)
    assert desk.office.phone("dirk").edit("proposal_templates", "house", name="New").outcome == "applied"
    new, old = desk.get("ana", "/api/proposal_templates/house/versions").json()["items"]
    assert (new["version"], new["by"], new["fields"], new["digest"]) == (2, "dirk", ["name"], None)
    assert (old["version"], old["digest"]) == (1, versions(desk.office)[0]["template_digest"])
