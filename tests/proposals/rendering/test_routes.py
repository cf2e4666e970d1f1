"""What was printed and what it shows, asked over HTTP: for who sees the proposal, and for nobody else."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from sqlalchemy import Connection, insert

from proposals.pdf import images
from proposals.rendering import pictures
from proposals.rendering.pictures import drawn
from proposals.rendering.queue import FINAL, SENT
from sfa.core.errors import Refused
from sfa.db.tables import proposal_versions
from sfa.db.writes import Door, Origin
from sfa.files import collecting
from tests.files.cabinet import Cabinet, opened
from tests.office import Office
from tests.proposals.rendering.orders import asked, document, ordered, printed, proposal

PAPER = document(number="P-2026-000123", version=1)
SEEN = "/api/proposals/prop-a/pdf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def cabinet(shared_office: Office, folder: Path) -> Iterator[Cabinet]:
    """A proposal that was sent and printed; another one that nobody asked for."""
    proposal(shared_office)
    proposal(shared_office, "prop-b")
    (render,) = ordered(shared_office, asked(document=PAPER, kind=FINAL, priority=SENT, name="P-2026-000123 v1.pdf"))
    sent = {
        "proposal_key": "prop-a",
        "version": 1,
        "deal_key": "deal-a",
        "number": "P-2026-000123",
        "series": "P-2026",
        "ordinal": 123,
        "document": b"{}",
        "digest": render.digest,
        "template_version": 1,
        "template_digest": "x",
        "language": "en",
        "currency": "EUR",
        "total_minor": 1,
        "valid_until": "2026-02-01",
        "sent_at": 1,
    }
    said = {**sent, "status": "sent"}
    shared_office.database.write(lambda connection: connection.execute(insert(proposal_versions), said))
    place = folder / shared_office.database.dialect
    printed(shared_office, place)
    with opened(shared_office, place) as found:
        yield found


def gone(connection: Connection, entity: str, key: str, now_ms: int) -> None:
    """As the server deletes what it made."""
    door = Door(connection, now_ms)
    door.delete(door.cell(entity, key), Origin(author_key=None, at=now_ms, stored_at=now_ms))
    door.flush()


def png(width: int = 40, height: int = 30, mode: str = "RGB") -> bytes:
    out, notes = io.BytesIO(), PngImagePlugin.PngInfo()
    notes.add_text("Author", "somebody")
    Image.new(mode, (width, height), "red" if mode == "RGB" else 0).save(out, "PNG", pnginfo=notes)
    return out.getvalue()


def add(cabinet: Cabinet, content: bytes, as_: str = "dirk", **query: str) -> Any:
    return cabinet.ask("POST", "/api/proposal-pictures", as_, params=query, content=content)


def test_who_sees_the_proposal_gets_the_stored_bytes_and_nobody_else_learns_of_it(cabinet: Cabinet) -> None:
    answer = cabinet.ask("GET", SEEN)
    assert (answer.status_code, answer.content) == (200, b"%PDF- Pumps")
    assert answer.headers["content-type"] == "application/pdf"
    assert 'filename="P-2026-000123 v1.pdf"' in answer.headers["content-disposition"]
    assert cabinet.ask("GET", SEEN, "mia").content == answer.content
    assert cabinet.ask("GET", SEEN, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    for path, user in ((SEEN, "cleo"), ("/api/proposals/none/pdf", "ana"), (f"{SEEN}?version=9", "ana")):
        assert cabinet.ask("GET", path, user).json()["code"] == "not_found"
    assert cabinet.ask("GET", "/api/proposals/prop-b/pdf").json()["code"] == "file_awaited"
    assert cabinet.ask("GET", f"{SEEN}?version=first").json()["code"] == "request_invalid"


def test_where_the_printing_stands_is_told_to_who_sees_the_proposal(cabinet: Cabinet) -> None:
    said = cabinet.ask("GET", "/api/proposals/prop-a/render").json()
    row = cabinet.office.row("proposals", "prop-a")
    assert (said["state"], said["attempts"], said["kind"], said["code"]) == ("done", 1, FINAL, None)
    assert (said["pdf_key"], said["digest"]) == (row["pdf_key"], row["pdf_digest"])
    assert cabinet.ask("GET", "/api/proposals/prop-b/render").json()["code"] == "render_missing"
    assert cabinet.ask("GET", "/api/proposals/prop-a/render", "cleo").json()["code"] == "not_found"


def test_what_was_sent_is_there_after_its_attachment_was_deleted_and_swept(cabinet: Cabinet) -> None:
    """An auditor, years later (R46)."""
    office = cabinet.office
    office.database.write(gone, "attachments", office.row("proposals", "prop-a")["pdf_key"], office.clock.now_ms())
    for _ in range(2):
        office.clock.advance(100 * 24 * 3600 * 1000)
        office.database.write(collecting.collect, office.clock.now_ms(), 0)
    collecting.sweep(office.database, cabinet.files.place, office.clock.now_ms())
    cabinet.advance(0)
    assert cabinet.ask("GET", f"{SEEN}?version=1").content == b"%PDF- Pumps"
    assert cabinet.ask("GET", SEEN).json()["code"] == "file_awaited"


def test_a_logo_is_the_companys_and_kept_without_what_lay_beside_its_pixels(cabinet: Cabinet) -> None:
    content = png()
    answer = add(cabinet, content, name="logo")
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert (said["media_type"], said["width"], said["height"], said["name"]) == ("image/png", 40, 30, "logo")
    kept = cabinet.ask("GET", f"/api/proposal-pictures/{said['sha256']}", "cleo").content
    assert b"somebody" in content
    assert b"somebody" not in kept
    assert images.cleaned(kept).content == kept  # as it is printed
    assert add(cabinet, content).json()["sha256"] == said["sha256"]
    listed = cabinet.ask("GET", "/api/proposal-pictures", "cleo").json()
    assert [each["sha256"] for each in listed] == [said["sha256"]]
    cabinet.office.clock.advance(100 * 24 * 3600 * 1000)
    cabinet.office.database.write(collecting.collect, cabinet.office.clock.now_ms(), 0)
    collecting.sweep(cabinet.office.database, cabinet.files.place, cabinet.office.clock.now_ms())
    cabinet.advance(0)
    assert cabinet.ask("GET", f"/api/proposal-pictures/{said['sha256']}").content == kept


def test_a_picture_of_a_proposal_comes_from_who_may_change_it_and_is_for_who_sees_it(cabinet: Cabinet) -> None:
    said = add(cabinet, png(mode="L"), "ana", proposal="prop-a").json()
    place = f"/api/proposal-pictures/{said['sha256']}"
    assert cabinet.ask("GET", place, "mia").status_code == 200
    assert cabinet.ask("GET", place, "cleo").json()["code"] == "not_found"
    known = cabinet.office.database.read(pictures.known, "prop-a", [said["sha256"]])
    assert known[said["sha256"]].media_type == "image/png"
    assert cabinet.office.database.read(pictures.known, "prop-b", [said["sha256"]]) == {}


@pytest.mark.parametrize(
    ("user", "query", "code"),
    [
        ("ana", {}, "not_permitted"),
        ("bob", {"proposal": "prop-a"}, "not_permitted"),
        ("cleo", {"proposal": "prop-a"}, "not_found"),
        ("ana", {"proposal": "no such"}, "not_found"),
    ],
)
def test_who_may_not_add_a_picture_is_told_so(cabinet: Cabinet, user: str, query: dict[str, str], code: str) -> None:
    assert add(cabinet, png(), user, **query).json()["code"] == code


def test_a_body_that_is_no_picture_or_too_large_is_refused(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert add(cabinet, b"<svg xmlns='http://www.w3.org/2000/svg'/>").json()["code"] == "picture_invalid"
    monkeypatch.setattr(pictures, "BYTES_MAX", 100)
    assert add(cabinet, png()).json()["code"] == "body_too_large"


def claims_to_be(width: int, height: int) -> bytes:
    """A PNG of a few bytes that promises many pixels."""
    content = bytearray(png(1, 1))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [claims_to_be(4_001, 10), claims_to_be(60_000, 60_000), png()[:60], b"", b"GIF89a"],
    ids=["wide", "bomb", "cut", "empty", "gif"],
)
def test_a_picture_that_lies_or_is_too_large_is_refused(content: bytes) -> None:
    with pytest.raises(Refused) as refused:
        drawn(content)
    assert refused.value.code == "picture_invalid"


def test_a_photo_keeps_its_pixels_and_loses_what_hangs_behind_them() -> None:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 40).convert("RGB").save(out, "JPEG", quality=88)
    content = out.getvalue() + b"<script>alert(1)</script>"
    found = drawn(content)
    assert (found.media_type, found.width, found.height) == ("image/jpeg", 64, 48)
    assert b"script" not in found.content
    assert images.cleaned(found.content).content == found.content
