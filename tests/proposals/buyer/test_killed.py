"""The story ends right, once, whoever is killed in the middle of which step (R48, R55; S21).

Processes are killed with SIGKILL, and nobody is told. Where they would only be taken for dead after minutes, their rows
are put back by so much while no server runs: as if the minutes had gone by.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import psutil
import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import Connection, update

from sfa.app import reconcile
from sfa.app.demo.buyer import Fields
from sfa.core.clock import SystemClock
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import (
    ROWS,
    credited,
    mail_outbox,
    proposal_answers,
    proposal_links,
    proposal_renders,
    proposal_versions,
    webhook_events,
)
from tests.proposals.buyer.post import Letter
from tests.proposals.buyer.stage import BUYER, ON_BOTH, PATIENCE_S, Stage, link_of, on_database

pytestmark = [pytest.mark.xdist_group("killed story"), pytest.mark.timeout(300)]

AGENT = {"User-Agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"}
LATER_MS = 3_600_000


@pytest.fixture(scope="module", params=ON_BOTH)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with on_database(request, tmp_path_factory.mktemp("killed"), "killed") as found:
        yield found


def test_whoever_is_killed_in_the_middle_of_a_step_the_story_ends_right_once(stage: Stage) -> None:
    key = stage.draft("Two machines, installed")
    link = _mailed_although_everybody_dies(stage, key)
    _accepted_although_the_server_dies(stage, link)
    _sealed_although_everybody_dies(stage, key, link)
    _all_of_it_once(stage, key)


def _mailed_although_everybody_dies(stage: Stage, key: str) -> str:
    """The mail server dies in the middle of the mail, and the printing workers with it; then the server, after the
    mail server took the mail and before it said so. -> the link"""
    died = threading.Event()

    def mail_server_dies(server: SMTP) -> bool:
        transport: Any = server.transport
        transport.abort()
        died.set()
        return False

    def server_dies(_server: SMTP) -> bool:
        stage.server.kill()
        died.set()
        return True

    stage.post.in_the_middle = mail_server_dies
    stage.order(key)
    _kill_workers(stage, lambda: _printing(stage, key) == "rendered")
    assert died.wait(PATIENCE_S)
    stage.post.stop()
    stage.until(key, lambda row: row["render_state"] == "rendered", "it is printed all the same")
    died.clear()
    stage.post.in_the_middle = server_dies
    _restart(stage, stage.post.start)
    assert died.wait(PATIENCE_S)
    _restart(stage)
    first, second = stage.post.wait(BUYER, 2)
    assert _id(first) == _id(second), "the same mail twice is recognised as one"
    assert link_of(first) == link_of(second)
    return link_of(second)


def _accepted_although_the_server_dies(stage: Stage, link: str) -> None:
    """Ever later in the middle of the request; whoever sends it again is told that it is accepted, once."""
    page = httpx.get(link, headers=AGENT).raise_for_status().text
    said = {**Fields(page).hidden, "name": "Nerea Etxeberria", "method": "typed", "consent": "yes"}

    def accept() -> None:
        with suppress(httpx.TransportError):  # nobody knows what became of it
            httpx.post(f"{link}/accept", data=said, headers=AGENT, timeout=30.0)

    for after_s in (0.004, 0.05):
        asking = threading.Thread(target=accept)
        asking.start()
        time.sleep(after_s)
        stage.server.kill()
        asking.join()
        _restart(stage)
    answer = httpx.post(f"{link}/accept", data=said, headers=AGENT, timeout=30.0)
    assert (answer.status_code, answer.headers["location"].endswith("accepted")) == (303, True)


def _sealed_although_everybody_dies(stage: Stage, key: str, link: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while _sealing(stage, key) == "queued":
        assert time.monotonic() < deadline, "nobody seals"
        time.sleep(0.005)
    stage.server.kill()
    _restart(stage)
    _kill_workers(stage, lambda: _sealing(stage, key) == "sealed")
    stage.until(key, lambda row: row["final_key"] and row["certificate_key"], "it is sealed")
    assert httpx.get(f"{link}/final.pdf", headers=AGENT).content[:5] == b"%PDF-"


def _sealing(stage: Stage, key: str) -> str:
    (answer,) = stage.rows(proposal_answers, proposal_answers.c.proposal_key == key)
    return str(answer["seal_state"])


def _printing(stage: Stage, key: str) -> str:
    (row,) = stage.rows(ROWS["proposals"], ROWS["proposals"].c.key == key)
    return str(row["render_state"])


def _all_of_it_once(stage: Stage, key: str) -> None:
    """R48, R55: one answer, one event of each kind, one credit, one mail of each kind, files once."""
    row = stage.proposal(key)
    assert (row["status"], row["render_state"], row["outcome"]["kind"]) == ("accepted", "rendered", "accepted")
    (answer,) = stage.rows(proposal_answers, proposal_answers.c.proposal_key == key)
    assert (answer["kind"], answer["seal_state"]) == ("accepted", "sealed")
    (version,) = stage.rows(proposal_versions, proposal_versions.c.proposal_key == key)
    assert version["status"] == "accepted"
    told = Counter(event["kind"] for event in stage.rows(webhook_events))
    assert told == dict.fromkeys(("proposal.sent", "proposal.accepted", "deal.won", "proposal.sealed"), 1)
    mine = [one for one in stage.rows(credited, credited.c.deal_key == row["deal_key"]) if not one["overlay"]]
    assert [(one["reversal"], one["amount_minor"]) for one in mine] == [(False, answer["net_minor"])]
    assert len(stage.rows(proposal_links, proposal_links.c.proposal_key == key)) == 1
    files = ROWS["attachments"]
    assert len(stage.rows(files, files.c.proposal_key == key, ~files.c.gone, files.c.stored)) == 3
    mails = stage.rows(mail_outbox, mail_outbox.c.proposal_key == key)
    assert {(mail["kind"], mail["to_address"], mail["state"]) for mail in mails} >= {
        ("offer", BUYER, "sent"),
        ("answered", BUYER, "sent"),
        ("answered", stage.ana.email, "sent"),
    }
    came = {(_id(letter), *letter.to) for letter in stage.post.letters}
    assert came <= {(mail["message_id"], mail["to_address"]) for mail in mails}
    events = stage.read(timeline.events_of, key)
    assert timeline.broken_at(key, events) is None
    kinds = Counter(event.kind for event in events)
    assert [kinds[kind] for kind in ("sent", "signed", "accepted", "sealed")] == [1, 1, 1, 1]
    assert kinds["mailed"] == len([mail for mail in mails if mail["recipient_key"] and mail["state"] == "sent"])
    found = stage.read(reconcile.report, SystemClock().now_ms(), every=True)
    assert list(reconcile.lines(found.items)) == []


# -- killing ----------------------------------------------------------------------------------------------------------


def _id(letter: Letter) -> str:
    return str(letter.message["Message-ID"])


def _kill_workers(stage: Stage, is_done: Callable[[], bool]) -> None:
    """Every process that the server has started, once, if it is not done before: what kills each that prints is given
    up after three."""
    deadline = time.monotonic() + PATIENCE_S
    while not (workers := psutil.Process(stage.server.pid).children(recursive=True)) and not is_done():
        assert time.monotonic() < deadline, "the server starts nobody who prints"
        time.sleep(0.005)
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.kill()


def _restart(stage: Stage, before: Callable[[], None] | None = None) -> None:
    """A new process, when everybody would take the old one for dead."""
    stage.server.kill()
    stage.write(_later)
    if before is not None:
        before()
    stage.server.start()


def _later(connection: Connection) -> None:
    for table in (mail_outbox, proposal_answers, proposal_renders):
        moved = {name: table.c[name] - LATER_MS for name in ("beat_at", "due_at")}
        connection.execute(update(table).values(moved))
