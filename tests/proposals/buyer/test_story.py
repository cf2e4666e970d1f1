"""The whole story: drafted on a phone without signal, mailed, opened in Chromium, signed, sealed, won (R46-R52, R55).

A real server process, a real mail server, a real browser of the size of a phone. What each shows is held against
what the others show. Pictures of the page lie in the test's folder, for people to look at.
"""

import hashlib
import io
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pikepdf
import pypdfium2 as pdfium
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from proposals.evidence import accepted as evidence
from proposals.evidence import inspecting
from proposals.templates.formats import money
from sfa.app import reconcile
from sfa.core.clock import SystemClock
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import (
    ROWS,
    commission_entries,
    credited,
    deal_quote_lines,
    deal_quotes,
    proposal_answers,
    proposal_opens,
    proposal_versions,
    webhook_events,
)
from sync.device import buyers
from tests.browser import Chromium, aside
from tests.proposals.buyer.reader import Reader
from tests.proposals.buyer.stage import BUYER, ON_BOTH, Stage, link_of, on_database

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(240)]

NAME, OPTION = "Nerea Etxeberria", "Second year of service"
SCANNER = "Mozilla/5.0 (compatible; Barracuda Sentinel; +https://barracuda.example)"
QUESTION, ANSWER = "Does it work in the cold store?", "Down to minus 25 degrees."


@pytest.fixture(scope="module", params=ON_BOTH)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with on_database(request, tmp_path_factory.mktemp("story"), "story") as found:
        yield found


def test_the_whole_story(stage: Stage, chromium: Chromium, tmp_path: Path) -> None:
    key = stage.draft("Two machines, installed")
    before, after = (stage.priced(key, take_options=taken) for taken in (False, True))
    letter = stage.approve_and_send(key)
    row = stage.proposal(key)
    assert (row["status"], row["version"], row["total_minor"]) == ("sent", 1, before.total_minor)
    shown, chosen = (money(each.total_minor, row["currency"], "en") for each in (before, after))
    assert all(shown in letter.part(kind) for kind in ("plain", "html"))
    link = link_of(letter)
    _looked_at_by_programs(stage, key, link)
    with chromium.window() as window:
        _looked_at_by_staff(stage, key, link, Reader(window, link, tmp_path))
    with chromium.window() as window:
        reader = Reader(window, link, tmp_path)
        _opened(stage, key, reader, shown)
        _asked(stage, key, reader)
        reader.take(OPTION)
        assert reader.total == chosen
        reader.show("chosen")
        reader.draw(NAME)
        reader.agree()
        reader.show("signing")
        window.accessible()
        reader.accept()
        reader.show("accepted")
        window.accessible()
        _told(stage, key, after.total_minor)
        files = _sealed(stage, key, reader, tmp_path)
        _verified(stage, reader, files, tmp_path)
    _won_once(stage, key)
    _the_same_everywhere(stage, key, files, chosen)


# -- before it is answered --------------------------------------------------------------------------------------------


def _looked_at_by_programs(stage: Stage, key: str, link: str) -> None:
    """R51: a mail filter that loads the page and says that it is one, or says nothing, has opened nothing."""
    for agent in (SCANNER, "python-httpx/0.28"):
        for headers in ({}, {"Sec-Purpose": "prefetch"}):
            assert httpx.get(link, headers={"User-Agent": agent, **headers}).status_code == 200
        beat = {"session": "S" * 22, "seconds": 9, "sections": {}, "acted": True}
        httpx.post(f"{link}/seen", json=beat, headers={"User-Agent": agent})
    stage.ana.device.sync()
    row = stage.proposal(key)
    assert (row["opens"], row["opened_at"], row["status"]) == (0, None, "sent")


def _looked_at_by_staff(stage: Stage, key: str, link: str, reader: Reader) -> None:
    """R51: the rep sees the page as the buyer does; in that browser the buyer's own link counts for nothing either."""
    reader.page.goto(stage.handed_over(key, "staff"))
    assert reader.page.get_by_role("note").is_visible()
    assert not reader.page.get_by_role("button", name="Accept for").is_visible()
    reader.open()
    reader.read()
    looks = stage.rows(proposal_opens, proposal_opens.c.proposal_key == key)
    assert {(look["counted"], look["why_not"]) for look in looks} == {(False, "scanner"), (False, "staff")}
    stage.ana.device.sync()
    assert (stage.proposal(key)["opens"], stage.proposal(key)["status"]) == (0, "sent")


def _opened(stage: Stage, key: str, reader: Reader, shown: str) -> None:
    """R51: somebody who reads has opened it, once, and the rep's phone is told."""
    assert reader.open() == 200
    assert reader.total == shown
    reader.show("opened")
    reader.window.accessible()
    reader.read()
    stage.until(key, lambda row: row["opens"] == 1, "the phone is told of the open")
    told = buyers.followed(stage.ana.device, key)
    assert (told.status, told.recipients[0].state, told.recipients[0].opens) == ("viewed", "opened", 1)
    assert told.opened_at is not None


def _asked(stage: Stage, key: str, reader: Reader) -> None:
    """Asked on the page, answered without signal, read on the page and in a mail."""
    reader.ask(NAME, QUESTION)
    reader.show("asked")
    (question,) = stage.until(key, lambda _: buyers.questions(stage.ana.device, key), "the phone is told of a question")
    assert (question.text, question.asked_by, question.answer) == (QUESTION, NAME, None)
    stage.ana.signal.on = False
    buyers.answer(stage.ana.device, question.key, ANSWER)
    assert buyers.questions(stage.ana.device, key)[0].is_waiting
    stage.ana.signal.on = True
    assert stage.ana.device.sync().refused == ()
    assert ANSWER in stage.post.wait(BUYER, 2)[-1].part("plain")
    reader.open()
    assert reader.page.get_by_text(ANSWER).is_visible()


# -- after it ---------------------------------------------------------------------------------------------------------


def _told(stage: Stage, key: str, total_minor: int) -> None:
    """The rep's phone: what was accepted, by whom, and that the deal is won."""
    outcome = stage.until(key, lambda row: row["outcome"], "the phone is told of the acceptance")
    assert (outcome["kind"], outcome["version"], outcome["by"]) == ("accepted", 1, NAME)
    assert outcome["total_minor"] == total_minor
    row = stage.proposal(key)
    assert row["status"] == "accepted"
    deal = stage.ana.device.get("deals", row["deal_key"]) or {}
    won = stage.ana.device.get("stages", deal["stage_key"]) or {}
    assert (won["kind"], deal["closed_at"] is not None) == ("won", True)


def _sealed(stage: Stage, key: str, reader: Reader, folder: Path) -> dict[str, bytes]:
    """By the page and by the rep's phone: the same bytes."""
    stage.until(key, lambda row: row["final_key"] and row["certificate_key"], "it is sealed")
    told = buyers.followed(stage.ana.device, key)
    assert told.final is not None
    assert told.certificate is not None
    reader.open()
    reader.show("sealed")
    found = {
        "final": reader.saved("Accepted offer", folder / "final.pdf"),
        "certificate": reader.saved("Certificate of acceptance", folder / "certificate.pdf"),
    }
    for name, attachment in (("final", told.final), ("certificate", told.certificate)):
        stage.ana.device.fetch(attachment, folder / "fetched.pdf")
        assert (folder / "fetched.pdf").read_bytes() == found[name]
    return found


def _verified(stage: Stage, reader: Reader, files: dict[str, bytes], folder: Path) -> None:
    """R46: by pyHanko, by pdfsig, and by anybody at the page for it; a copy with one other bit is found out."""
    for name, content in files.items():
        assert len(aside(partial(inspecting.inspect, content)).seals) == 1
        (seal,) = PdfFileReader(io.BytesIO(content)).embedded_regular_signatures
        trust = ValidationContext(trust_roots=[seal.signer_cert], allow_fetching=False)
        status = aside(partial(validate_pdf_signature, seal, signer_validation_context=trust))
        assert (status.intact, status.valid, status.bottom_line) == (True, True, True)
        assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE
        said = _pdfsig(folder / f"{name}.pdf")
        assert "Signature is Valid" in said
        assert "Total document signed" in said
        assert reader.verify(stage.address, folder / f"{name}.pdf") == "Genuine and unchanged"
        reader.show(f"verified-{name}")
        reader.window.accessible()
    changed = bytearray(files["final"])
    changed[len(changed) // 3] ^= 1
    (folder / "changed.pdf").write_bytes(changed)
    assert "Signature is Valid" not in _pdfsig(folder / "changed.pdf")
    assert reader.verify(stage.address, folder / "changed.pdf") != "Genuine and unchanged"
    reader.show("verified-changed")


def _pdfsig(path: Path) -> str:
    program = shutil.which("pdfsig")
    if program is None:
        pytest.skip("pdfsig is not installed (on Debian: poppler-utils)")
    done = subprocess.run([program, "-nocert", str(path)], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def _won_once(stage: Stage, key: str) -> None:
    """R48, R55: one answer, one end of the deal at what was accepted net of tax, its credit, its commission, its costs
    frozen, and nothing that a reconciliation would tell."""
    row = stage.proposal(key)
    (answer,) = stage.rows(proposal_answers, proposal_answers.c.proposal_key == key)
    assert (answer["kind"], answer["total_minor"]) == ("accepted", row["outcome"]["total_minor"])
    (version,) = stage.rows(proposal_versions, proposal_versions.c.proposal_key == key)
    assert version["status"] == "accepted"
    (deal,) = stage.rows(ROWS["deals"], ROWS["deals"].c.key == row["deal_key"])
    assert deal["amount_minor"] == answer["net_minor"]
    lines = stage.rows(ROWS["deal_lines"], ROWS["deal_lines"].c.deal_key == deal["key"], ~ROWS["deal_lines"].c.gone)
    assert len(lines) == 3
    mine = [one for one in stage.rows(credited, credited.c.deal_key == deal["key"]) if not one["overlay"]]
    assert [(one["user_key"], one["reversal"], one["amount_minor"]) for one in mine] == [
        (stage.ana.user_key, False, answer["net_minor"])
    ]
    assert mine[0]["cost_minor"] is not None
    accrued = stage.rows(commission_entries, commission_entries.c.deal_key == deal["key"])
    assert [(one["user_key"], one["kind"], one["amount_minor"] > 0) for one in accrued] == [
        (stage.ana.user_key, "accrual", True)
    ]
    quotes = stage.rows(deal_quotes, deal_quotes.c.deal_key == deal["key"])
    last = max(one["number"] for one in quotes)
    frozen = stage.rows(deal_quote_lines, deal_quote_lines.c.deal_key == deal["key"], deal_quote_lines.c.number == last)
    assert len(frozen) == 3
    assert all(one["cost_minor"] is not None for one in frozen)
    for kind in ("proposal.sent", "proposal.opened", "proposal.accepted", "deal.won", "proposal.sealed"):
        told = stage.rows(webhook_events, webhook_events.c.kind == kind)
        assert len(told) == 1, (kind, told)
    found = stage.read(reconcile.report, SystemClock().now_ms(), every=True)
    assert list(reconcile.lines(found.items)) == []


def _the_same_everywhere(stage: Stage, key: str, files: dict[str, bytes], chosen: str) -> None:
    """R46, R50: PDF, certificate, JSON and mails say one total, which the page showed before; every digest is computed
    again from bytes."""
    (version,) = stage.rows(proposal_versions, proposal_versions.c.proposal_key == key)
    (answer,) = stage.rows(proposal_answers, proposal_answers.c.proposal_key == key)
    sent = stage.api(stage.ana, f"/api/proposals/{key}/document").content
    assert _sha256(sent) == _sha256(version["document"]) == version["digest"] == stage.proposal(key)["digest"]
    assert _sha256(answer["document"]) == answer["digest"]
    accepted = evidence.accepted_of(answer["document"])
    assert evidence.canonical(accepted) == answer["document"]
    assert accepted.document_digest == version["digest"]
    assert money(accepted.document.priced.total_minor, accepted.document.currency, "en") == chosen
    assert (_sha256(files["final"]), _sha256(files["certificate"])) == (
        answer["final_sha256"],
        answer["certificate_sha256"],
    )
    with pikepdf.open(io.BytesIO(files["final"])) as final:
        assert final.attachments["accepted.json"].get_file().read_bytes() == answer["document"]
    texts = {name: _text(content) for name, content in files.items()}
    assert all(chosen in text for text in texts.values())
    assert all(digest in _dense(texts["certificate"]) for digest in (version["digest"], answer["final_sha256"]))
    since_answer = texts["certificate"].partition("Question answered")[2]
    assert since_answer.index(accepted.document.seller.name) < since_answer.index(
        NAME
    )  # who of the company, the company
    (signature,) = accepted.signatures
    assert signature.consent_digest == _sha256(signature.consent.encode())
    assert chosen in signature.consent
    assert chosen in stage.post.to(BUYER)[-1].part("plain")
    assert chosen in stage.post.wait(stage.ana.email, 2)[-1].part("plain")
    events = stage.read(timeline.events_of, key)
    assert timeline.broken_at(key, events) is None
    order = ("sent", "mailed", "opened", "asked", "answered", "signed", "accepted", "sealed")
    assert tuple(dict.fromkeys(event.kind for event in events)) == order  # more mails than the first go out


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text(pdf: bytes) -> str:
    document = pdfium.PdfDocument(pdf)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


def _dense(text: str) -> str:
    return "".join(text.split())
