"""Printing processes with limits: what one order does to its process harms no other order."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from proposals.pdf.engine import available
from proposals.rendering.press import Press
from proposals.rendering.values import Limits, Order, Task, encode
from proposals.rendering.worker import ROOT, START, Worker
from proposals.templates.template import BUILT_IN
from sfa.core.apart import Failed
from sfa.core.errors import Refused
from tests.proposals.rendering.programs import DOCUMENT, OBEYS, ORDER, saying

T = TypeVar("T")
SHORT = Limits(memory_mb=300, print_s=0.8, start_s=30.0)


def played(story: Callable[[Worker], Awaitable[T]], limits: Limits = SHORT, program: str = OBEYS) -> T:
    async def play() -> T:
        worker = Worker(limits, program=program)
        try:
            return await story(worker)
        finally:
            await worker.close()

    return asyncio.run(play())


def runs(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def pid_in(answer: bytes) -> int:
    return int(answer.split()[0])


def test_a_refusal_is_no_reason_to_end_a_process() -> None:
    async def story(worker: Worker) -> list[int]:
        first = pid_in(await worker.make(saying("a")))
        with pytest.raises(Failed):
            await worker.make(saying("refuse"))
        return [first, pid_in(await worker.make(saying("b")))]

    one, two = played(story)
    assert one == two


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("sleep", "timed_out"),
        ("loop", "timed_out"),
        ("memory", "out_of_memory"),
        ("full", "out_of_memory"),
        ("fall", "worker_died"),
        ("die", "worker_died"),
        ("fail", "render_failed"),
        ("connect", "render_failed"),
        ("start", "render_failed"),
        ("refuse", "pdf_refused"),
    ],
)
def test_what_goes_wrong_with_an_order_is_its_code_and_harms_no_other_order(said: str, code: str) -> None:
    async def story(worker: Worker) -> tuple[str, bytes]:
        await worker.make(saying("first"))
        with pytest.raises(Failed) as failed:
            await worker.make(saying(said))
        return failed.value.code, await worker.make(saying("next"))

    found, answer = played(story)
    assert found == code
    assert answer.endswith(b"next")


def test_a_process_is_kept_and_another_takes_its_place_after_so_many_documents() -> None:
    async def story(worker: Worker) -> list[int]:
        return [pid_in(await worker.make(saying("a"))) for _ in range(5)]

    pids = played(story, Limits(documents=2))
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_a_document_that_left_the_process_large_was_its_last() -> None:
    async def story(worker: Worker) -> list[int]:
        return [pid_in(await worker.make(saying(said))) for said in ("small", "grow", "small")]

    pids = played(story, Limits(memory_mb=300))
    assert pids[0] == pids[1] != pids[2]


def test_a_long_document_has_more_seconds_of_a_processor() -> None:
    limits = Limits()
    assert [limits.seconds("pdf", lines) for lines in (1, 500, 1_250, 2_000, 10_000)] == [10, 10, 20, 30, 30]
    assert limits.seconds("screen", 2_000) == 5


def test_who_wants_no_answer_any_more_ends_the_process_and_its_folder_is_gone() -> None:
    async def story(worker: Worker) -> tuple[int, Path]:
        folder = Path((await worker.make(saying("litter"))).decode())
        assert await worker.make(saying("look")) == b""  # nothing of one order is there for the next
        task = asyncio.create_task(worker.make(saying("sleep")))
        await asyncio.sleep(0.05)
        pid = worker.pid
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pid is not None
        return pid, folder

    pid, folder = played(story, Limits())
    assert not runs(pid)
    assert not folder.exists()


def test_the_process_ends_with_who_started_it_and_takes_its_folder_along(tmp_path: Path) -> None:
    """The server is killed while it waits for a document."""
    folder = tmp_path / "own"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", OBEYS, "1024", "10", str(folder), "prints"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    data = encode(Task(60.0, saying("sleep")))
    process.stdin.write(len(data).to_bytes(4, "big") + data)
    process.stdin.close()
    assert process.wait(30) == 1
    process.stdout.close()
    assert not folder.exists()


def test_the_process_has_none_of_the_secrets_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SFA_SECRET", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"):
        monkeypatch.setenv(name, "x" * 40)
    assert played(lambda worker: worker.make(saying("secrets"))) == b""


def test_an_idle_process_ends_and_the_next_order_starts_another_one() -> None:
    async def story() -> tuple[int, bool, int]:
        worker = Worker(SHORT, program=OBEYS, idle_s=0.01)
        try:
            first = pid_in(await worker.make(saying("a")))
            for _ in range(200):
                if worker.pid is None and not runs(first):
                    break
                await asyncio.sleep(0.02)
            return first, runs(first), pid_in(await worker.make(saying("b")))
        finally:
            await worker.close()

    first, still, second = asyncio.run(story())
    assert not still
    assert first != second


def test_a_killed_process_fails_its_own_order_while_its_neighbour_goes_on() -> None:
    async def story() -> list[str]:
        press = Press(2, Limits(), program=OBEYS)
        try:
            await asyncio.gather(*(press.print(saying("warm")) for _ in range(2)))
            slow = asyncio.create_task(press.print(saying("sleep")))
            await asyncio.sleep(0.05)
            answers = [await press.print(saying("before"))]
            busy = next(pid for pid in press.pids if pid != pid_in(answers[0]))
            os.kill(busy, signal.SIGKILL)
            answers += await asyncio.gather(*(press.print(saying("after")) for _ in range(3)))
            with pytest.raises(Failed) as failed:
                await slow
            return [failed.value.code, *(answer.split()[1].decode() for answer in answers)]
        finally:
            await press.close()

    assert asyncio.run(story()) == ["worker_died", "before", "after", "after", "after"]


def test_a_preview_waits_for_no_printing_and_tells_its_failures_as_refusals() -> None:
    async def story() -> tuple[str, list[str]]:
        press = Press(1, Limits(screen_s=0.4), program=OBEYS)
        try:
            printing = asyncio.create_task(press.print(saying("sleep")))
            await asyncio.sleep(0.05)
            codes = []
            for said in ("loop", "refuse"):
                with pytest.raises(Refused) as refused:
                    await press.preview(screen(said))
                codes.append(refused.value.code)
            shown = await press.preview(screen("shown"))
            printing.cancel()
            await asyncio.wait({printing})
            return shown, codes
        finally:
            await press.close()

    shown, codes = asyncio.run(story())
    assert shown.endswith("shown")
    assert codes == ["preview_failed", "pdf_refused"]


def screen(said: str) -> Order:
    return screen_of(saying(said))


def screen_of(order: Order) -> Order:
    return msgspec.structs.replace(order, form="screen", pictures="/p/")


@pytest.mark.skipif(available() is not None, reason="no PDF can be made here")
def test_real_processes_print_the_same_bytes_and_show_the_same_document() -> None:
    async def story() -> tuple[bytes, bytes, str]:
        press = Press(1)
        try:
            shown = await press.preview(screen_of(ORDER))
            one = await press.print(ORDER)
            (pid,) = press.pids
            os.kill(pid, signal.SIGKILL)
            while runs(pid):  # noqa: ASYNC110 - the loop hears of it by itself
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.02)
            return one, await press.print(ORDER), shown
        finally:
            await press.close()

    one, two, shown = asyncio.run(story())
    assert one[:5] == b"%PDF-"
    assert one == two
    assert "Sevilla bakery" in shown


def test_without_pango_a_process_says_so_and_shows_previews_all_the_same() -> None:
    lacking = START.replace("main(int(", 'sys.modules["weasyprint"] = None\nmain(int(', 1)

    async def story() -> tuple[str, str, bool]:
        press = Press(1, program=lacking)
        try:
            with pytest.raises(Failed) as failed:
                await press.print(ORDER)
            shown = await press.preview(screen_of(ORDER))
            return failed.value.code, shown, press.pids == []  # the next process looks for it anew
        finally:
            await press.close()

    code, shown, is_ended = asyncio.run(story())
    assert code == "pdf_unavailable"
    assert "Sevilla bakery" in shown
    assert is_ended


def test_a_server_loads_nothing_that_only_printing_needs() -> None:
    """So it starts where Pango is missing."""
    heavy = ("weasyprint", "pydyf", "fontTools", "cffi.api")
    asked = f"import sys, sfa.app.factory; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "[]\n"


def test_a_document_that_is_none_is_refused_by_the_process() -> None:
    async def story(worker: Worker) -> str:
        with pytest.raises(Failed) as failed:
            await worker.make(
                msgspec.structs.replace(ORDER, document=DOCUMENT.replace(b'"currency":"EUR"', b'"c":1', 1))
            )
        return failed.value.code

    async def play() -> str:
        worker = Worker(prints=False)
        try:
            return await story(worker)
        finally:
            await worker.close()

    assert asyncio.run(play()) == "document_invalid"


def test_nothing_of_a_process_stays_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # one that other tests put nothing into
    played(lambda worker: worker.make(saying("a")))
    assert list(tmp_path.iterdir()) == []


def test_the_templates_of_an_order_travel_whole() -> None:
    """What a company wrote goes with the order: the process has nowhere to look it up."""
    own = msgspec.structs.replace(BUILT_IN["classic"], key="ours", css="h1 { color: red }")
    data = encode(Task(1.0, msgspec.structs.replace(ORDER, template=own)))
    assert msgspec.msgpack.decode(data, type=Task).order.template.digest == own.digest
