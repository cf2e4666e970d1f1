"""What is kept for what was sent, what is told of how it was printed, and what goes because nobody shows it."""

from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from proposals.rendering import pictures, queue
from proposals.rendering.pictures import KEPT_MS
from proposals.templates import template as templates
from sfa.core.errors import CATALOGUE
from sfa.db.tables import blobs, proposal_assets, proposal_enclosures, proposal_renders
from sfa.files import arrivals, collecting
from sfa.files.rules import Content
from tests.office import Office
from tests.proposals.rendering.orders import printed
from tests.proposals.selling import offered, order, versions

DAY_MS = 86_400_000
FILE: dict[str, Any] = {
    "account_key": "acme",
    "author_key": "ana",
    "name": "Data sheet.pdf",
    "media_type": "application/pdf",
    "size": 7,
    "sha256": "b" * 64,
    "stored": True,
    "sniffed_type": "application/pdf",
}


def there(office: Office, sha256: str = "b" * 64) -> None:
    content = Content(sha256, 7, "application/pdf")
    for part in (arrivals.claim, arrivals.keep):
        office.database.write(part, office.clock.now_ms(), content)


def states(office: Office) -> list[str]:
    return [row["state"] for row in office.all(select(blobs.c.state))]


def test_files_of_one_content_are_two_enclosures_and_stay_longer_than_any_grace_time(office: Office) -> None:
    """R46."""
    there(office)
    for key in ("one", "two"):
        office.put_server_row("attachments", key, FILE)
    assert order(offered(office, enclosures=["one", "two"]), "send").outcome == "applied"
    kept = office.all(select(proposal_enclosures.c.attachment_key, proposal_enclosures.c.sha256))
    assert sorted(tuple(row.values()) for row in kept) == [("one", "b" * 64), ("two", "b" * 64)]
    for key in ("one", "two"):
        office.delete("attachments", key)
    for _ in range(3):
        office.clock.advance(100 * DAY_MS)
        office.database.write(collecting.collect, office.clock.now_ms(), 30 * DAY_MS)
    assert states(office) == ["kept"]
    assert office.database.write(arrivals.forget, ["b" * 64]) == 0  # not for an erased person either


def test_nothing_is_sent_with_a_file_whose_content_goes(office: Office) -> None:
    there(office)
    office.put_server_row("attachments", "one", FILE)
    ana = offered(office, enclosures=["one"])
    office.database.write(lambda connection: connection.execute(update(blobs).values(state="going")))
    receipt = order(ana, "send")
    assert (receipt.code, versions(office)) == ("proposal_incomplete", [])


def test_a_receipt_is_told_to_nobody_by_its_key(office: Office) -> None:
    """However its key came into the row: here it was a document when it was enclosed."""
    there(office)
    office.put_server_row("attachments", "one", FILE)
    ana = offered(office, enclosures=["one"])
    office.put_server_row("attachments", "one", {**FILE, "kind": "receipt", "name": "Hotel.pdf"})
    assert order(ana, "render").code == order(ana, "send").code == "reference_unknown"


def test_a_version_names_the_template_that_really_printed_it(office: Office, tmp_path: Path, monkeypatch: Any) -> None:
    """Another program, with other layouts, took over before it was printed."""
    order(offered(office, template_key=None), "send")
    order(offered(office, "p2", template_key=None), "send", "p2")
    due = update(proposal_renders).where(proposal_renders.c.proposal_key == "p2")
    office.database.write(lambda connection: connection.execute(due.values(due_at=2**50)))
    printed(office, tmp_path)
    (same,) = versions(office)
    assert same["pdf_template_digest"] == same["template_digest"]
    monkeypatch.setattr(templates, "shipped_digest", lambda: "of another program")
    office.database.write(lambda connection: connection.execute(due.values(due_at=0)))
    printed(office, tmp_path)
    (other,) = versions(office, "p2")
    assert other["pdf_template_digest"] == templates.BUILT_IN["classic"].digest != other["template_digest"]


def picture(office: Office, letter: str, proposal: str) -> str:
    said = {"media_type": "image/png", "width": 9, "height": 9, "size": 1, "name": "x", "at": office.clock.now_ms()}
    row = {**said, "sha256": letter * 64, "proposal_key": proposal}
    office.database.write(lambda connection: connection.execute(insert(proposal_assets), row))
    return letter * 64


def test_pictures_that_no_proposal_shows_go_after_a_while_and_no_others(office: Office) -> None:
    sent, draft, loose = (picture(office, letter, "p1") for letter in "abc")
    lost, logo = picture(office, "d", "p3"), picture(office, "e", "")

    def section(digest: str) -> list[dict[str, Any]]:
        return [{"key": "s", "title": "Roof", "pictures": [{"sha256": digest, "alt": "The roof"}]}]

    ana = offered(office, sections=section(sent))
    assert order(ana, "send").outcome == "applied"
    order(ana, "revise")
    ana.edit("proposals", "p1", sections=section(draft))
    offered(office, "p3", sections=section(lost))
    ana.do("delete", "proposals", "p3", base=office.rev("proposals", "p3"))
    assert office.database.write(pictures.collect, office.clock.now_ms() + KEPT_MS - DAY_MS) == 0
    assert office.database.write(pictures.collect, office.clock.now_ms() + KEPT_MS) == 2
    left = {row["sha256"] for row in office.all(select(proposal_assets.c.sha256))}
    assert left == {sent, draft, logo}
    assert loose not in left


def test_where_an_order_stands_is_told_without_the_words_of_an_exception() -> None:
    from proposals.rendering.routes import _told

    said = dict.fromkeys(queue.Render.__struct_fields__)
    failed: Any = {**said, "state": "failed", "code": "picture_invalid", "problem": "/srv/x.py: line 1", "asked_at": 1}
    assert (found := _told(queue.Render(**failed))).code == "picture_invalid"
    assert found.problem == CATALOGUE["picture_invalid"].title
