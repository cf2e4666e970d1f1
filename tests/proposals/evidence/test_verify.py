"""Anybody asks whether a file is genuine: what is said of it, and what hostile files cannot do (R48, R45)."""

import asyncio
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proposals.evidence import keys, sealing
from proposals.evidence.examining import Examiner
from proposals.evidence.inspecting import Inspected, Seen, inspect
from proposals.evidence.keys import SealKey
from proposals.evidence.sealing import Words
from proposals.evidence.verify_routes import BURST, FILE_BYTES_MAX, Verifier, uploaded
from proposals.evidence.verifying import Known, verdict
from proposals.evidence.words import language_of
from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from tests.builders import NOW
from tests.files.cabinet import Cabinet, opened
from tests.office import Office
from tests.proposals.evidence.sealed import answer, content, paper, sealed
from tests.proposals.evidence.test_sealer import accepted

pytestmark = pytest.mark.xdist_group("sealed proposals")
WORDS = Words("Acceptance", "Madrid", "Company")
JSON = {"Accept": "application/json"}
KNOWN = Known(
    kind="final", number="Q-1", version=1, accepted_at=1, total="€1.00", total_minor=100, currency="EUR",
    seller="Company", zone="UTC", language="en",
)  # fmt: skip


def key_of(name: str = "Company S.L.") -> SealKey:
    certificate, private = keys.made(name, 1_772_700_000_000)
    return SealKey(seal_key="x", certificate=certificate, private_key=private)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def cabinet(shared_office: Office, folder: Path) -> Iterator[Cabinet]:
    """A proposal that was accepted and sealed."""
    place = folder / shared_office.database.dialect
    accepted(shared_office)
    sealed(shared_office, place)
    with opened(shared_office, place) as found:
        yield found


@pytest.fixture(autouse=True)
def minutes_later(request: pytest.FixtureRequest) -> None:
    """Nobody is over the limit because of the test before."""
    if "cabinet" in request.fixturenames:
        request.getfixturevalue("cabinet").office.clock.advance(120_000)


def final(cabinet: Cabinet) -> bytes:
    return content(cabinet.folder, answer(cabinet.office)["final_sha256"])


def ask(cabinet: Cabinet, pdf: bytes, **headers: str) -> Any:
    return cabinet.client.post("/verify", files={"file": ("a.pdf", pdf, "application/pdf")}, headers=headers)


def test_a_sealed_file_is_genuine_and_is_told_what_it_is_about(cabinet: Cabinet) -> None:
    """R48, R50: number, version, when and the total as the document has it; nothing else of it."""
    found = ask(cabinet, final(cabinet), **JSON).json()
    assert found["state"] == "genuine"
    assert found["known"]["number"].startswith("Q-")
    assert (found["known"]["total"], found["known"]["total_minor"]) == ("€300.00", 300_00)
    assert (found["sealed_by"], found["stamped"]) == ("Company S.L.", False)
    assert set(found["known"]) == set(Known.__struct_fields__)
    certificate = content(cabinet.folder, answer(cabinet.office)["certificate_sha256"])
    assert ask(cabinet, certificate, **JSON).json()["known"]["kind"] == "certificate"
    raw = cabinet.client.post("/verify", content=final(cabinet), headers={**JSON, "Content-Type": "application/pdf"})
    assert raw.json()["state"] == "genuine"


def test_one_changed_byte_anywhere_is_found(cabinet: Cabinet) -> None:
    """R48: what the seal covers, and what it does not (its own bytes, what comes after)."""
    pdf = final(cabinet)
    for place in (200, len(pdf) // 3, len(pdf) - 20):
        changed = bytearray(pdf)
        changed[place] ^= 1
        found = ask(cabinet, bytes(changed), **JSON).json()
        assert (found["state"], found["known"]) in (("changed", None), ("unreadable", None)), place
    assert ask(cabinet, pdf + b"\n% more", **JSON).json()["state"] == "changed"


def test_a_seal_of_another_key_is_foreign_whatever_name_it_bears(cabinet: Cabinet) -> None:
    forged = sealing.seal(paper(), key_of("Company S.L."), WORDS, 1_772_700_000_000).pdf
    found = ask(cabinet, forged, **JSON).json()
    assert (found["state"], found["known"], found["sealed_by"]) == ("foreign", None, "Company S.L.")
    assert ask(cabinet, paper(), **JSON).json()["state"] == "unsealed"


def test_a_digest_is_known_or_not(cabinet: Cabinet) -> None:
    known = answer(cabinet.office)["final_sha256"]
    assert cabinet.client.get(f"/verify/{known}", headers=JSON).json()["state"] == "known"
    assert cabinet.client.get(f"/verify/{'0' * 64}", headers=JSON).json() == {
        "state": "unknown",
        "sha256": "0" * 64,
        "known": None,
        "sealed_by": None,
        "key_sha256": None,
        "sealed_at": None,
        "stamped": False,
    }
    for wrong in ("x", "F" * 64, "0" * 63, "%00", "%ED%A0%80"):
        refused = cabinet.client.get(f"/verify/{wrong}", headers=JSON)
        assert (refused.status_code, refused.json()["code"]) == (400, "request_invalid"), wrong


def test_people_get_a_page_in_their_language_that_reaches_nobody_else(cabinet: Cabinet) -> None:
    """Works without a script; nothing of it is kept anywhere."""
    page = cabinet.client.get("/verify", headers={"Accept": "text/html", "Accept-Language": "fr, pt;q=0.8, en;q=0.5"})
    assert "Verificar um documento" in page.text
    assert "<script" not in page.text
    assert "http" not in page.text.replace('http-equiv="', "")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (page.headers["referrer-policy"], page.headers["x-robots-tag"]) == ("no-referrer", "noindex")
    shown = ask(cabinet, final(cabinet), Accept="text/html,*/*", **{"Accept-Language": "es"})
    assert "Auténtico y sin cambios" in shown.text
    assert "€300.00" in shown.text
    empty = cabinet.client.post("/verify", files={"other": ("a", b"x")}, headers={"Accept": "text/html"})
    assert (empty.status_code, "Choose a PDF file first." in empty.text) == (400, True)
    large = ask(cabinet, b"%PDF-" + b"x" * FILE_BYTES_MAX, Accept="text/html")
    assert (large.status_code, "larger than 20 MB" in large.text) == (413, True)


def test_what_a_file_calls_itself_is_text_on_the_page(cabinet: Cabinet) -> None:
    forged = sealing.seal(paper(), key_of("<script>alert(1)</script>"), WORDS, 1_772_700_000_000).pdf
    shown = ask(cabinet, forged, Accept="text/html").text
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_an_address_asks_so_often_and_is_told_when_again(cabinet: Cabinet) -> None:
    answers = [cabinet.client.get(f"/verify/{'0' * 64}", headers=JSON).status_code for _ in range(BURST + 3)]
    assert answers.count(200) == BURST
    late = cabinet.client.get(f"/verify/{'0' * 64}", headers={"Accept": "text/html"})
    assert (late.status_code, "retry-after" in late.headers) == (429, True)


def test_a_line_of_many_addresses_asks_as_one() -> None:
    verifier = Verifier(None, VirtualClock(NOW))  # type: ignore[arg-type]  # what is refused reads nothing
    codes = []
    for place in range(BURST + 2):
        asked = SimpleNamespace(address=f"2001:db8::{place:x}")
        with pytest.raises(Refused) as refused:
            asyncio.run(verifier.of_digest(asked, "x"))  # type: ignore[arg-type]
        codes.append(refused.value.code)
    assert codes == ["request_invalid"] * BURST + ["too_many_requests"] * 2


def hostile() -> dict[str, bytes]:
    pdf = sealing.seal(paper(), key_of(), WORDS, 1_772_700_000_000).pdf
    bomb = zlib.compress(b"\0" * 200_000_000, 9)
    objects = b"1 0 obj<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[3 0 R]>>>>endobj 2 0 obj<</Kids[2 0 R]>>endobj "
    return {
        "nothing": b"%PDF-",
        "cut": pdf[: len(pdf) // 2],
        "noise": b"%PDF-1.7\n" + bytes(range(256)) * 4_000,
        "revisions": pdf + b"".join(
            b"xref\n0 0\ntrailer<</Size 1/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(pdf), len(pdf))
            for _ in range(3_000)
        ),
        "loop": b"%PDF-1.7\n" + objects + b"3 0 obj<</Kids[3 0 R]/FT/Sig>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "bomb": b"%PDF-1.7\n1 0 obj<</Type/XRef/Size 9/W[1 2 1]/Filter/FlateDecode/Root 1 0 R/Length "
        + str(len(bomb)).encode() + b">>stream\n" + bomb + b"\nendstream endobj\nstartxref\n9\n%%EOF",
        "deep": b"%PDF-1.7\n1 0 obj" + b"[" * 200_000 + b"]" * 200_000 + b"endobj\nstartxref\n9\n%%EOF",
    }  # fmt: skip


def test_a_hostile_file_is_answered_and_leaves_nothing_behind() -> None:
    files = hostile()

    async def story() -> dict[str, Inspected]:
        examiner = Examiner()
        found = await asyncio.gather(*(examiner.inspect(pdf) for pdf in files.values()))
        return dict(zip(files, found, strict=True))

    for name, found in asyncio.run(story()).items():
        assert found.problem or all(not (seal.intact and seal.whole) for seal in found.seals), name


def test_what_hangs_or_dies_is_told_as_what_cannot_be_read() -> None:
    hangs = Examiner(answer_s=1.0, program="import time\ntime.sleep(1000)")
    dies = Examiner(program="import os\nos.abort()")
    lies = Examiner(program="import sys\nsys.stdout.buffer.write(b'\\xff' * 100)")
    for examiner in (hangs, dies, lies):
        assert asyncio.run(examiner.inspect(b"%PDF-")).problem


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("es-MX,en", "es"),
        ("pt-PT", "pt-BR"),
        ("de, *;q=0.1", "en"),
        ("es;q=0,pt", "pt-BR"),
        (None, "en"),
        ("q=;", "en"),
    ],
)
def test_the_first_language_that_we_speak_is_spoken(language: str | None, spoken: str) -> None:
    assert language_of(language) == spoken


@given(st.binary(max_size=200), st.text(max_size=60))
def test_whatever_is_uploaded_is_a_file_or_nothing(body: bytes, kind: str) -> None:
    uploaded(body, kind)
    uploaded(body, f"multipart/form-data; boundary={kind}")
    mark = b"0123456789abcdefghijk"
    whole = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%s\r\n--%s--\r\n' % (
        mark,
        body,
        mark,
    )
    if b"\r\n--" + mark not in body:
        assert uploaded(whole, f"multipart/form-data; boundary={mark.decode()}") == body


@given(
    st.lists(
        st.builds(
            Seen, intact=st.booleans(), whole=st.booleans(), fingerprint=st.sampled_from(("ours", "foreign")),
            subject=st.text(max_size=9),
        ),
        max_size=3,
    ),
    st.sampled_from((None, KNOWN)),
)  # fmt: skip
def test_only_what_is_whole_by_our_key_and_known_is_genuine(seals: list[Seen], known: Known | None) -> None:
    """R48: nothing that a file says makes it genuine, and what is known is told of nothing else."""
    found = verdict("0" * 64, known, Inspected(seals=tuple(seals)), {"ours": "Company"})
    is_whole = len(seals) == 1 and seals[0] == Seen(
        intact=True, whole=True, fingerprint="ours", subject=seals[0].subject
    )
    if seals:
        assert (found.state == "genuine") == (is_whole and known is not None)
        assert (found.state == "unlisted") == (is_whole and known is None)
        assert (found.state == "foreign") == all(seal.fingerprint == "foreign" for seal in seals)
    assert (found.known is None) == (known is None or not found.is_good)


def test_a_seal_covers_the_file_to_its_last_byte() -> None:
    key = key_of()
    pdf = sealing.seal(paper(), key, WORDS, 1_772_700_000_000).pdf
    assert inspect(pdf).is_whole_by(key.fingerprint)
    assert pdf.startswith(paper())
    assert not inspect(pdf + b"\n").is_whole_by(key.fingerprint)
    assert sha256(pdf).hexdigest() != sha256(paper()).hexdigest()
