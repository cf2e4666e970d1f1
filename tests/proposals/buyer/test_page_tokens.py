"""What a token opens and what it does not: guessed, revoked, held up; files by the digest that a document names."""

import hashlib
import uuid
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import Connection, event

from proposals import store
from proposals.buyer import links
from proposals.buyer.page.limits import ANSWERS_BURST, MISSES_BURST
from proposals.document import Enclosure, Picture, canonical
from proposals.rendering import keeping
from sfa.app.factory import Services
from sfa.db.tables import METADATA, proposal_enclosures, proposal_versions
from sfa.files import arrivals
from sfa.files.rules import Content
from tests.crm.desk import Desk
from tests.proposals.buyer.paging import linked, sent

pytestmark = pytest.mark.xdist_group("page_tokens")


def test_a_token_that_opens_nothing_is_answered_alike_whatever_it_was(desk: Desk) -> None:
    """And no route tells more of it than another."""
    revoked = sent(desk, "n1")
    now = desk.office.clock.now_ms()
    desk.office.database.write(links.revoke, "n1", "n1-ines", now, "ana")
    ended = linked(desk, None, key="n1")
    desk.office.database.write(_end, ended.token, now)
    said = set()
    for token in (revoked.token, ended.token, "A" * 22, "x", "a b", "%00", "\ud7ff" * 3):
        for answer in (desk.client.get(f"/p/{token}"), desk.client.get(f"/p/{token}/document.pdf")):
            said.add((answer.status_code, answer.content))
    assert {status for status, _ in said} == {404}
    assert len(said) == 1, said
    answered = revoked.post("/accept", {"name": "Inés"})
    assert (answered.status_code, answered.content) == (404, next(iter(said))[1])


def _end(connection: Connection, token: str, now_ms: int) -> None:
    found = links.found(connection, token, now_ms)
    assert found is not None
    table = METADATA.tables["proposal_links"]
    connection.execute(table.update().where(table.c.link_key == found.link_key).values(ends_at=now_ms))


def test_every_token_is_looked_for_by_the_same_statement(desk: Desk) -> None:
    """So the time that an answer takes tells nobody whether there is one."""
    ines, now = sent(desk, "n4"), desk.office.clock.now_ms()
    revoked = linked(desk, None, key="n4")
    desk.office.database.write(_end, revoked.token, now)

    def asked(connection: Connection, token: str) -> list[str]:
        found: list[str] = []

        def listen(*told: Any) -> None:
            found.append(told[2])

        event.listen(connection, "before_cursor_execute", listen)
        links.found(connection, token, now)
        event.remove(connection, "before_cursor_execute", listen)
        return found

    tokens = (ines.token, revoked.token, "A" * 22, "malformed", "", "é\x00\ud800")
    said = [desk.office.database.read(asked, token) for token in tokens]
    assert (len(said[0]), said) == (1, [said[0]] * len(tokens))


def test_whoever_guesses_is_held_up_whatever_he_says(desk: Desk) -> None:
    ines = sent(desk, "n2")
    codes = [desk.client.get(f"/p/{'B' * 21}{c}").status_code for c in "AQgw" * (MISSES_BURST // 4 + 1)]
    assert (codes[:MISSES_BURST], codes[-1]) == ([404] * MISSES_BURST, 429)
    held = ines.get()
    assert (held.status_code, int(held.headers["retry-after"]) > 0) == (429, True)
    assert "One moment" in held.text
    desk.office.clock.advance(3_600_000)
    assert ines.get().status_code == 200


def test_one_link_answers_only_so_often(desk: Desk) -> None:
    ines = sent(desk, "n3")
    codes = {ines.post("/ask", {"name": "Inés", "text": ""}).status_code for _ in range(ANSWERS_BURST)}
    assert codes == {422}
    assert ines.post("/ask", {"name": "Inés", "text": "Now?"}).status_code == 429
    assert ines.get().status_code == 200


def test_a_pdf_that_is_not_printed_yet_is_being_made(desk: Desk) -> None:
    ines = sent(desk, "f1")
    awaited = ines.get("/document.pdf")
    assert (awaited.status_code, int(awaited.headers["retry-after"])) == (503, 10)
    assert "being made" in awaited.text
    for path in ("/final.pdf", "/certificate.pdf", "/enclosures/" + "a" * 64, "/pictures/" + "a" * 64, "/pictures/x"):
        assert ines.get(path).status_code == 404, path


def test_files_are_saved_and_pictures_shown_only_where_the_document_names_them(desk: Desk) -> None:
    services: Services = desk.client.app.state.services
    ines, other = sent(desk, "f2"), sent(desk, "f3")
    pdf = b"%PDF-1.7 the offer"
    content = _kept(services, pdf)

    def printed(connection: Connection) -> None:
        v = proposal_versions
        connection.execute(v.update().where(v.c.proposal_key == "f2").values(pdf_sha256=content))

    desk.office.database.write(printed)
    whole = ines.get("/document.pdf")
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, pdf, "application/pdf")
    assert whole.headers["content-disposition"].startswith('attachment; filename="Q-2026-')
    part = ines.get("/document.pdf", headers={"Range": "bytes=5-"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, pdf[5:], f"bytes 5-17/{len(pdf)}")
    assert other.get("/document.pdf").status_code == 503
    for path in (f"/pictures/{content}", f"/enclosures/{content}"):
        assert (ines.get(path).status_code, other.get(path).status_code) == (404, 404)


def test_enclosures_and_pictures_of_the_document_are_given_by_their_digest(desk: Desk) -> None:
    services: Services = desk.client.app.state.services
    ines, other = sent(desk, "f4"), sent(desk, "f5")
    plan, logo = b"<html>the plan", b"\x89PNG a logo"
    files = {"plan": _kept(services, plan, "text/html"), "logo": _kept(services, logo, "image/png")}

    def enclosed(connection: Connection) -> None:
        """As `proposal.send` keeps them with a version."""
        document = store.document_of(connection, "f4", 1)
        brand = structs.replace(document.brand, logo=Picture(files["logo"], "image/png", 640, 160, "Our <logo>"))
        plans = (Enclosure(name="Plan <A>.html", media_type="text/html", size=len(plan), sha256=files["plan"]),)
        whole = canonical(structs.replace(document, brand=brand, enclosures=plans))
        v, e = proposal_versions, proposal_enclosures
        connection.execute(v.update().where(v.c.proposal_key == "f4").values(document=whole))
        row = {"proposal_key": "f4", "version": 1, "attachment_key": "plan", "sha256": files["plan"]}
        connection.execute(e.insert(), row)

    desk.office.database.write(enclosed)
    page = ines.get().text
    for text in (f"/pictures/{files['logo']}", 'alt="Our &lt;logo&gt;"', f"/enclosures/{files['plan']}", "Plan &lt;A"):
        assert text in page, text
    saved = ines.get(f"/enclosures/{files['plan']}")
    assert (saved.content, saved.headers["content-disposition"].partition(";")[0]) == (plan, "attachment")
    shown = ines.get(f"/pictures/{files['logo']}")
    assert (shown.content, shown.headers["content-type"]) == (logo, "image/png")
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    crossed = (f"/pictures/{files['plan']}", f"/enclosures/{files['logo']}")
    assert {ines.get(path).status_code for path in crossed} == {404}
    assert {
        other.get(f"/{kind}/{sha}").status_code for kind in ("pictures", "enclosures") for sha in files.values()
    } == {404}


def _kept(services: Services, body: bytes, media_type: str = keeping.PDF) -> str:
    """A content, as a finished upload leaves it."""
    content = Content(hashlib.sha256(body).hexdigest(), len(body), media_type)
    files = services.files
    path = files.place.scratch() / uuid.uuid4().hex
    path.write_bytes(body)
    now = services.clock.now_ms()
    services.database.write(arrivals.claim, now, content)
    files.place.keep(content.sha256, path)
    services.database.write(arrivals.keep, now, content)
    return content.sha256
