"""An order from the command to the bytes that everybody gets, and what becomes of it when somebody is in the way."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from proposals.document import Document
from proposals.rendering import keeping, queue
from proposals.rendering.press import Press
from proposals.rendering.queue import DONE, FAILED, FINAL, QUEUED, RENDERING, SENT, STALE_MS, Asked
from proposals.rendering.running import UNAVAILABLE_MS
from proposals.rendering.values import Limits
from sfa.core.apart import Failed
from sfa.files.local import Folder
from tests.office import Office
from tests.proposals.rendering.orders import Hand, asked, document, ordered, printed, proposal, server, standing
from tests.proposals.rendering.programs import program

FINAL_PAPER = document(number="P-2026-000123", version=1)


def read_bytes(folder: Path, sha256: str) -> bytes:
    return b"".join(Folder(folder).read(sha256, 0, 10_000_000))


def final(**more: Any) -> Asked:
    return asked(document=FINAL_PAPER, kind=FINAL, priority=SENT, name="P-2026-000123 v1.pdf", **more)


def test_what_was_printed_is_a_file_of_the_deal_and_the_proposal_names_it(office: Office, tmp_path: Path) -> None:
    proposal(office)
    (render,) = ordered(office, final())
    assert office.row("proposals", "prop-a")["render_state"] == "queued"
    assert printed(office, tmp_path) == 1
    found = standing(office, render)
    assert (found.state, found.attempts, found.code) == (DONE, 1, None)
    row = office.row("proposals", "prop-a")
    assert (row["render_state"], row["pdf_key"], row["pdf_digest"]) == ("rendered", found.attachment_key, render.digest)
    file = office.row("attachments", row["pdf_key"])
    assert (file["name"], file["kind"], file["media_type"]) == ("P-2026-000123 v1.pdf", "document", "application/pdf")
    assert (file["account_key"], file["deal_key"], file["proposal_key"]) == ("acme", "deal-a", "prop-a")
    assert (file["stored"], file["size"], file["sha256"]) == (True, found.size, found.sha256)
    assert read_bytes(tmp_path, file["sha256"]) == b"%PDF- Pumps"


def test_devices_of_those_who_see_the_deal_get_the_file_by_sync(office: Office, tmp_path: Path) -> None:
    proposal(office)
    ordered(office, final())
    printed(office, tmp_path)
    key = office.row("proposals", "prop-a")["pdf_key"]
    for user, sees in (("ana", True), ("mia", True), ("cleo", False)):
        office.phone(user).catch_up()
        assert (key in office.phone(user).keys("attachments")) is sees


def test_two_that_print_the_same_order_store_it_once(office: Office, tmp_path: Path) -> None:
    """The first was thought dead, and comes to its end after the second."""
    proposal(office)
    (render,) = ordered(office, final())

    async def story() -> list[bool]:
        async with server(office, tmp_path, Hand()) as (database, _, files):
            first = await database.write_async(queue.claim, office.clock.now_ms(), "first")
            office.clock.advance(STALE_MS + 1)
            second = await database.write_async(queue.claim, office.clock.now_ms(), "second")
            assert first is not None
            assert second is not None
            return [await keeping.store(files, found[0], b"%PDF- same") for found in (second, first)]

    assert asyncio.run(story()) == [True, False]
    assert standing(office, render).attempts == 2
    assert len(office.rows("attachments")) == 1
    assert len(office.history("attachments", str(standing(office, render).attachment_key))) == 1


def test_two_servers_share_what_waits_and_print_each_order_once(office: Office, tmp_path: Path) -> None:
    keys = [proposal(office, f"prop-{place}") for place in range(6)]
    renders = ordered(office, *(asked(key, key) for key in keys))
    hands = [Hand(), Hand()]

    async def story() -> None:
        async with (
            server(office, tmp_path, hands[0]) as (_, one, _f),
            server(office, tmp_path, hands[1]) as (_, two, _g),
        ):
            await asyncio.gather(one.run_all(), two.run_all())

    asyncio.run(story())
    assert sorted(hands[0].printed + hands[1].printed) == keys
    assert [standing(office, render).state for render in renders] == [DONE] * 6
    assert len(office.rows("attachments")) == 6


def test_nobody_can_put_a_file_of_his_own_in_the_place_of_what_was_sent(office: Office, tmp_path: Path) -> None:
    """R46, R50: the key follows from what everybody knows; a row that has it is left alone, and is not the PDF."""
    proposal(office)
    (render,) = ordered(office, final())
    key = keeping._attachment_key(render)
    forged: dict[str, Any] = {
        "account_key": "acme",
        "deal_key": "deal-a",
        "name": "P.pdf",
        "media_type": "application/pdf",
    }
    forged |= {"size": 9, "sha256": "a" * 64}
    assert office.phone("ana").do("create", "attachments", key, set=forged).code == "key_taken"
    office.put_server_row("attachments", key, {**forged, "author_key": "ana"})  # as if it had been there before
    assert printed(office, tmp_path) == 1
    row, found = office.row("proposals", "prop-a"), standing(office, render)
    assert row["pdf_key"] == found.attachment_key != key
    file = office.row("attachments", row["pdf_key"])
    assert (file["sha256"], file["proposal_key"], file["stored"]) == (found.sha256, "prop-a", True)
    assert read_bytes(tmp_path, file["sha256"]) == b"%PDF- Pumps"
    assert office.row("attachments", key)["sha256"] == "a" * 64


def test_a_document_that_is_asked_for_again_is_not_printed_again(office: Office, tmp_path: Path) -> None:
    proposal(office)
    ordered(office, final())
    hand = Hand()
    assert printed(office, tmp_path, hand) == 1
    (again,) = ordered(office, final())
    assert again.state == DONE
    assert printed(office, tmp_path, hand) == 0
    assert hand.printed == ["Pumps"]
    assert office.row("proposals", "prop-a")["render_state"] == "rendered"


def test_there_is_one_draft_of_a_proposal_and_it_is_the_newest(office: Office, tmp_path: Path) -> None:
    proposal(office)
    (old,) = ordered(office, asked(title="Old"))
    printed(office, tmp_path)
    old_key = office.row("proposals", "prop-a")["pdf_key"]
    office.clock.advance(1)
    (new,) = ordered(office, asked(title="New"))
    assert office.row("proposals", "prop-a")["pdf_key"] == old_key  # until the new one is there
    printed(office, tmp_path)
    row = office.row("proposals", "prop-a")
    assert row["pdf_digest"] == new.digest
    assert office.row("attachments", old_key)["gone"]
    assert [file["key"] for file in office.rows("attachments")] == [row["pdf_key"]]
    office.clock.advance(1)
    (back,) = ordered(office, asked(title="Old"))
    assert (back.digest, back.state) == (old.digest, QUEUED)  # its bytes were let go


def test_the_next_draft_takes_the_place_of_one_of_long_ago(office: Office, tmp_path: Path) -> None:
    """It is remembered while its file is there; without it there would be nobody to drop the file."""
    proposal(office)
    (old,) = ordered(office, asked(title="Old"))
    printed(office, tmp_path)
    old_key = str(standing(office, old).attachment_key)
    office.clock.advance(queue.KEPT_MS + 1)
    assert office.database.write(queue.forget, office.clock.now_ms()) == 0
    ordered(office, asked(title="New"))
    printed(office, tmp_path)
    assert office.row("attachments", old_key)["gone"]


def test_a_draft_that_was_overtaken_while_it_was_printed_is_nobodys(office: Office, tmp_path: Path) -> None:
    proposal(office)
    (old,) = ordered(office, asked(title="Old"))

    async def story() -> None:
        async with server(office, tmp_path, Hand()) as (database, _, files):
            found = await database.write_async(queue.claim, office.clock.now_ms(), "me")
            assert found is not None
            office.clock.advance(1)
            await asyncio.to_thread(ordered, office, asked(title="New"))
            assert await keeping.store(files, found[0], b"%PDF- old")

    asyncio.run(story())
    assert office.rows("attachments") == []
    assert office.row("proposals", "prop-a")["render_state"] == "queued"
    assert office.database.read(queue.newest, "prop-a").digest != old.digest  # type: ignore[union-attr]


def test_what_fails_is_tried_three_times_and_then_told_with_its_code(office: Office, tmp_path: Path) -> None:
    proposal(office)
    (render,) = ordered(office, asked())

    def dies(_paper: Document) -> bytes:
        raise Failed("worker_died", "exit code -11")

    for attempt in (1, 2, 3):
        assert printed(office, tmp_path, Hand(dies)) == 1
        found = standing(office, render)
        assert (found.state, found.attempts) == (FAILED if attempt == 3 else QUEUED, attempt)
        office.clock.advance(60_000)
    row = office.row("proposals", "prop-a")
    assert (row["render_state"], row["render_problem"]) == ("failed", "worker_died")
    ordered(office, asked())
    assert printed(office, tmp_path) == 1
    row = office.row("proposals", "prop-a")
    assert (row["render_state"], row["render_problem"]) == ("rendered", None)


def test_what_the_template_refuses_fails_at_once(office: Office, tmp_path: Path) -> None:
    proposal(office)
    (render,) = ordered(office, asked())

    def refuses(_paper: Document) -> bytes:
        raise Failed("pdf_refused", "no such address")

    assert printed(office, tmp_path, Hand(refuses)) == 1
    found = standing(office, render)
    assert (found.state, found.attempts, found.code, found.problem) == (FAILED, 1, "pdf_refused", "no such address")


def test_without_pango_orders_wait_with_their_reason_and_are_printed_when_it_is_there(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proposal(office)
    proposal(office, "prop-b")
    renders = ordered(office, asked(), asked("prop-b"))
    missing = True

    def lacks(paper: Document) -> bytes:
        if missing:
            raise Failed("pdf_unavailable", "no PDF can be made here: cannot load libpango")
        return paper.title.encode()

    async def story() -> list[bool]:
        nonlocal missing
        async with server(office, tmp_path, Hand(lacks)) as (_, running, _files):
            states = [running.can_print]
            await running.run_all()
            states.append(running.can_print)
            assert await running.take() == 0  # it leaves them to others
            office.clock.advance(UNAVAILABLE_MS)
            await running.run_all()
            office.clock.advance(UNAVAILABLE_MS)
            missing = False
            await running.run_all()
            return [*states, running.can_print]

    with caplog.at_level(logging.ERROR, "sfa.render"):
        waiting = asyncio.run(story())
    assert waiting == [True, False, True]
    assert [record.message.count("libpango") for record in caplog.records] == [1]
    for render in renders:
        assert (standing(office, render).state, standing(office, render).attempts) == (DONE, 1)
        said = [change["changes"].get("render_problem") for change in office.history("proposals", render.proposal_key)]
        assert [None, "pdf_unavailable"] in said
        assert ["pdf_unavailable", None] in said


def test_a_server_that_stops_gives_back_what_it_had_and_one_that_is_killed_is_taken_over(
    office: Office, tmp_path: Path
) -> None:
    proposal(office)
    (render,) = ordered(office, asked())

    async def stopped(*, killed: bool) -> None:
        hand = Hand()
        hand.hold = asyncio.Event()
        async with server(office, tmp_path, hand) as (database, renders, _):
            assert await renders.take() == 1
            await asyncio.sleep(0.1)
            if killed:  # nothing that it still says is heard
                found = await database.read_async(queue.newest, "prop-a")
                assert found is not None
                assert found.state == RENDERING
                await database.write_async(queue.put, found, claimed_by="the dead")

    asyncio.run(stopped(killed=False))
    assert (standing(office, render).state, standing(office, render).attempts) == (QUEUED, 0)
    asyncio.run(stopped(killed=True))
    assert standing(office, render).state == RENDERING
    assert printed(office, tmp_path) == 0  # who knows whether it is dead
    office.clock.advance(STALE_MS + 1)
    assert printed(office, tmp_path) == 1
    assert (standing(office, render).state, standing(office, render).attempts) == (DONE, 2)


def test_an_order_that_lost_three_servers_is_given_up(office: Office, tmp_path: Path) -> None:
    proposal(office)
    (render,) = ordered(office, asked())
    for name in ("a", "b", "c"):
        assert office.database.write(queue.claim, office.clock.now_ms(), name) is not None
        office.clock.advance(STALE_MS + 1)
    assert printed(office, tmp_path) == 0
    assert (standing(office, render).state, standing(office, render).code) == (FAILED, "worker_died")
    assert office.row("proposals", "prop-a")["render_state"] == "failed"


def test_a_running_server_hears_of_an_order_after_the_commit(office: Office, tmp_path: Path) -> None:
    proposal(office)

    async def story() -> None:
        async with server(office, tmp_path, Hand()) as (database, renders, _):
            renders.start()
            await asyncio.sleep(0.05)
            (render,) = await asyncio.to_thread(ordered, office, asked())
            for _ in range(400):
                if (await database.read_async(queue.read, render.proposal_key, render.digest)).state == DONE:
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("it was not printed")

    asyncio.run(story())
    assert office.row("proposals", "prop-a")["render_state"] == "rendered"


def test_a_process_that_is_killed_in_the_middle_loses_nothing(office: Office, tmp_path: Path) -> None:
    """kill -9 of real processes: the order is taken again, and its neighbour does not notice."""
    proposal(office)
    proposal(office, "prop-b")
    mark = tmp_path / "once"
    slow = program(f"""
if b'"title":"Slow"' in order.document and not Path({str(mark)!r}).exists():
    Path({str(mark)!r}).touch()
    time.sleep(600)
return b"%PDF- done"
""")

    async def story() -> None:
        press = Press(2, Limits(), program=slow.replace("    said = order.document.decode()\n", ""))
        async with server(office, tmp_path / "files", press) as (_, renders, _files):
            await renders.take()
            while not mark.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.02)
            working = set(press.pids)
            await asyncio.sleep(0.2)
            for pid in working:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.1)
            await renders.run_all()
            office.clock.advance(10_000)
            await renders.run_all()

    renders = ordered(office, asked(title="Slow"), asked("prop-b", "Quick"))
    asyncio.run(story())
    assert [standing(office, render).state for render in renders] == [DONE, DONE]
    assert standing(office, renders[0]).attempts == 2


def test_a_file_is_named_for_who_finds_it_in_a_folder() -> None:
    assert keeping.file_name("x", "P-2026-000123", 2) == "P-2026-000123 v2.pdf"
    assert keeping.file_name("../Solar: roof\u202e / store\n", None, 1) == "Solar roof store.pdf"
    assert keeping.file_name("///", None, 1) == "proposal.pdf"
    assert len(keeping.file_name("é" * 500, None, 1)) <= 130
