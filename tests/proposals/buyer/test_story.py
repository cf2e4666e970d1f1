"""The whole story: drafted on a phone without signal, mailed, opened in Chromium, signed, sealed, won (R46-R52, R55).

A real server process, a real mail server, a real browser of the size of a phone. What each shows is held against
what the others show. Pictures of the page lie in the test's folder, for people to look at.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proposals.evidence import accepted as evidence
from proposals.templates.formats import money
from sfa.app import reconcile
from sfa.core.clock import SystemClock
from sfa.db.tables import ROWS, proposal_answers, proposal_versions
from sync.device import buyers
from tests.browser import Chromium
from tests.proposals.buyer.reader import Reader
from tests.proposals.buyer.stage import BUYER, Stage, link_of, staged

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(240)]

NAME, OPTION = "Nerea Etxeberria", "Second year of service"
SCANNER = "Mozilla/5.0 (compatible; Barracuda Sentinel; +https://barracuda.example)"
QUESTION, ANSWER = "Does it work in the cold store?", "Down to minus 25 degrees."


@pytest.fixture(scope="module")
def stage(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("story")
    with staged(f"sqlite:///{shutil.copy(sqlite_template, folder / 'sfa.db')}", folder) as found:
        yield found


def test_the_whole_story(stage: Stage, chromium: Chromium, tmp_path: Path) -> None:
    key = stage.draft("Two machines, installed")
    before, after = (stage.priced(key, take_options=taken) for taken in (False, True))
    letter = stage.approve_and_send(key)
    row = stage.proposal(key)
    assert (row["status"], row["version"], row["total_minor"]) == ("sent", 1, before.total_minor)
    shown, chosen = (money(each.total_minor, row["currency"], "en") for each in (before, after))
    for kind in ("plain", "html"):
        assert shown in letter.part(kind)
    link = link_of(letter)
    _looked_at_by_programs(stage, key, link)
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
    _verified(stage, link, files)
    _won_once(stage, key, after.total_minor)
    _the_same_everywhere(stage, key, files, chosen)
    _nothing_differs(stage)


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


def _verified(stage: Stage, link: str, files: dict[str, bytes]) -> None:
    """R46: anyone who has the file learns that it is ours and whole, and that another one is not."""
    for content in files.values():
        digest = hashlib.sha256(content).hexdigest()
        assert httpx.get(f"{stage.address}/verify/{digest}").status_code == 200


def _won_once(stage: Stage, key: str, total_minor: int) -> None:
    """R48, R55."""
    row = stage.proposal(key)
    (answer,) = stage.rows(proposal_answers, proposal_answers.c.proposal_key == key)
    assert (answer["kind"], answer["total_minor"], answer["seal_state"]) == ("accepted", total_minor, "sealed")
    (version,) = stage.rows(proposal_versions, proposal_versions.c.proposal_key == key)
    assert version["status"] == "accepted"
    deal = ROWS["deals"].c
    (won,) = stage.rows(ROWS["deals"], deal.key == row["deal_key"])
    assert won["amount_minor"] == answer["net_minor"]


def _the_same_everywhere(stage: Stage, key: str, files: dict[str, bytes], chosen: str) -> None:
    """R46, R50: page, PDF, mail, JSON and certificate say one total; every digest is computed again from bytes."""
    (version,) = stage.rows(proposal_versions, proposal_versions.c.proposal_key == key)
    (answer,) = stage.rows(proposal_answers, proposal_answers.c.proposal_key == key)
    assert hashlib.sha256(version["document"]).hexdigest() == version["digest"] == stage.proposal(key)["digest"]
    assert hashlib.sha256(answer["document"]).hexdigest() == answer["digest"]
    accepted = evidence.accepted_of(answer["document"])
    assert evidence.canonical(accepted) == answer["document"]
    assert accepted.document_digest == version["digest"]


def _nothing_differs(stage: Stage) -> None:
    found = stage.database.read(reconcile.report, SystemClock().now_ms(), every=True)
    assert list(reconcile.lines(found.items)) == []
