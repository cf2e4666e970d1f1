"""Requests that meet, lines that fall silent, disks that are full, jobs that run: nothing is lost and nothing twice."""

import asyncio
import errno
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from msgspec import structs

from sfa.app.jobs import JOBS, run_collection
from sfa.files import uploads
from sfa.files.local import Folder
from tests.builders import DAY_MS
from tests.files.cabinet import BODY_TYPE, VERSION, Cabinet, digest, jpeg, padded, values

CONTENT = padded(60_000)


class Request:
    """A PATCH whose body a test hands over piece by piece, inside the application's own loop."""

    def __init__(self, cabinet: Cabinet, place: str, offset: int) -> None:
        self._app: Any = cabinet.client.app
        said = {**VERSION, **BODY_TYPE, "Upload-Offset": str(offset), "Authorization": f"Bearer {cabinet.token('ana')}"}
        raw = [(name.lower().encode(), value.encode()) for name, value in said.items()]
        self._scope: Any = {"type": "http", "method": "PATCH", "path": place, "raw_path": place.encode()}
        self._scope |= {"headers": raw, "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1"}
        self._scope |= {"client": ("127.0.0.1", 1), "server": ("testserver", 80), "asgi": {}}
        self._pieces: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.status = 0
        self.asked = asyncio.Event()

    def give(self, piece: bytes, *, more: bool) -> None:
        self._pieces.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    async def play(self) -> int:
        async def receive() -> Any:
            if self._pieces.empty():
                self.asked.set()
            return await self._pieces.get()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]

        await self._app(self._scope, receive, send)
        return self.status


def play(cabinet: Cabinet, work: Any) -> Any:
    with cabinet.client.portal() as portal:
        return portal.call(work)


def test_a_newer_request_goes_on_with_what_the_older_one_has(cabinet: Cabinet) -> None:
    """A phone that comes back is mostly faster than the news that its last connection is dead."""
    place = cabinet.begin("pic", CONTENT)

    async def meet() -> tuple[int, int]:
        older = Request(cabinet, place, 0)
        older.give(CONTENT[:5_000], more=True)  # it is too little to be counted, and then it waits
        waiting = asyncio.create_task(older.play())
        await older.asked.wait()
        newer = Request(cabinet, place, 0)
        newer.give(CONTENT, more=False)
        return await newer.play(), await waiting

    assert play(cabinet, meet) == (409, 423)
    assert cabinet.offset(place) == 5_000
    assert cabinet.add(place, 5_000, CONTENT[5_000:]).status_code == 204
    assert cabinet.contents() == [digest(CONTENT)]


def test_asking_for_the_offset_tells_all_that_has_come(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", CONTENT)

    async def meet() -> int:
        older = Request(cabinet, place, 0)
        older.give(CONTENT[:5_000], more=True)
        waiting = asyncio.create_task(older.play())
        await older.asked.wait()
        await asyncio.to_thread(lambda: offsets.append(cabinet.offset(place)))
        return await waiting

    offsets: list[int] = []
    assert play(cabinet, meet) == 423
    assert offsets == [5_000]


def test_of_two_requests_in_two_processes_the_newer_one_wins(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one is not of this process: it cannot be stopped, and counts no more."""
    monkeypatch.setattr(Folder, "flush_bytes", 10_000)
    monkeypatch.setattr("sfa.files.upload_routes.Uploading._stop_older", _nobody)
    place = cabinet.begin("pic", CONTENT)

    async def meet() -> tuple[int, int]:
        older, newer = Request(cabinet, place, 0), Request(cabinet, place, 0)
        older.give(CONTENT[:5_000], more=True)
        waiting = asyncio.create_task(older.play())
        await older.asked.wait()
        newer.give(CONTENT[:30_000], more=True)
        newer.give(CONTENT[30_000:], more=False)
        second = await newer.play()
        older.give(CONTENT[5_000:40_000], more=True)
        older.give(CONTENT[40_000:], more=False)
        return await waiting, second

    assert play(cabinet, meet) == (423, 204)
    assert cabinet.contents() == [digest(CONTENT)]
    assert cabinet.offset(place) == len(CONTENT)


async def _nobody(*_args: object) -> None:
    pass


@pytest.mark.parametrize("apart", [False, True])
def test_many_requests_at_once_make_one_file(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch, apart: bool) -> None:
    """In one process, and as if each came to another one."""
    if apart:
        monkeypatch.setattr("sfa.files.upload_routes.Uploading._stop_older", _nobody)
    cabinet.office.phone("ana").do("create", "attachments", "pic", set=values(CONTENT))
    place = cabinet.begin("pic", CONTENT)

    async def meet() -> list[int]:
        requests = [Request(cabinet, place, 0) for _ in range(6)]
        for request in requests:
            request.give(CONTENT, more=False)
        return await asyncio.gather(*(request.play() for request in requests))

    found = play(cabinet, meet)
    assert set(found) <= {204, 409, 423}
    assert found.count(204) <= 1
    stands = cabinet.offset(place)
    if stands < len(CONTENT):
        assert cabinet.add(place, stands, CONTENT[stands:]).status_code == 204
    assert cabinet.contents() == [digest(CONTENT)]
    assert cabinet.office.rev("attachments", "pic") == 2


def test_the_same_content_for_several_rows_at_once_is_kept_once(cabinet: Cabinet) -> None:
    keys = [f"pic-{i}" for i in range(5)]
    for key in keys:
        cabinet.office.phone("ana").do("create", "attachments", key, set=values(CONTENT))
    places = [cabinet.begin(key, CONTENT) for key in keys]

    async def meet() -> list[int]:
        requests = [Request(cabinet, place, 0) for place in places]
        for request in requests:
            request.give(CONTENT, more=False)
        return await asyncio.gather(*(request.play() for request in requests))

    assert play(cabinet, meet) == [204] * 5
    assert [cabinet.row(key)["stored"] for key in keys] == [True] * 5
    assert cabinet.contents() == [digest(CONTENT)]


def test_a_line_that_falls_silent_keeps_what_came(cabinet: Cabinet) -> None:
    cabinet.files.limits = structs.replace(cabinet.files.limits, stall_s=0.05)
    place = cabinet.begin("pic", CONTENT)

    async def fall_silent() -> int:
        request = Request(cabinet, place, 0)
        request.give(CONTENT[:7_000], more=True)
        return await request.play()

    play(cabinet, fall_silent)
    assert cabinet.offset(place) == 7_000
    assert cabinet.add(place, 7_000, CONTENT[7_000:]).status_code == 204


def test_a_full_disk_is_told_and_what_came_before_stays(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    place = cabinet.begin("pic", CONTENT)
    cabinet.add(place, 0, CONTENT[:1_000])

    def full(_self: Folder, _upload: str, _name: str, _pieces: Iterable[bytes]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "put_part", full)
        answer = cabinet.add(place, 1_000, CONTENT[1_000:])
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert cabinet.offset(place) == 1_000
    assert cabinet.add(place, 1_000, CONTENT[1_000:]).status_code == 204


def test_a_process_that_dies_while_it_finishes_has_lost_only_the_last_part(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was done before the last transaction is done again."""
    cabinet.office.phone("ana").do("create", "attachments", "pic", set=values(CONTENT))
    place = cabinet.begin("pic", CONTENT)
    cabinet.add(place, 0, CONTENT[:50_000])
    for step in ("sfa.files.finishing._put_together", "sfa.files.arrivals.claim", "sfa.files.finishing._complete"):

        def dies(*_args: object) -> None:
            raise RuntimeError("power cut")

        with monkeypatch.context() as patched:
            patched.setattr(step, dies)
            assert cabinet.add(place, 50_000, CONTENT[50_000:]).status_code == 500
        assert cabinet.offset(place) == 50_000
        assert cabinet.row("pic")["stored"] is False
    assert cabinet.add(place, 50_000, CONTENT[50_000:]).status_code == 204
    assert cabinet.row("pic")["stored"] is True
    assert (cabinet.contents(), cabinet.parts()) == ([digest(CONTENT)], [])


def test_the_job_takes_the_bytes_of_what_it_decided_about(cabinet: Cabinet) -> None:
    content = jpeg()
    cabinet.office.phone("ana").do("create", "attachments", "pic", set=values(content))
    cabinet.upload("pic", content)
    cabinet.office.delete("attachments", "pic")
    place = cabinet.begin("other", content)
    cabinet.add(place, 0, content[:10])
    cabinet.files.limits = structs.replace(cabinet.files.limits, grace_ms=2 * DAY_MS)
    files = cabinet.files

    async def collect() -> None:
        await run_collection(files.database, files.clock, JOBS["collect_files"], files)

    for days in (8, 8):
        cabinet.advance(days * DAY_MS)
        play(cabinet, collect)
    assert (cabinet.contents(), cabinet.parts()) == ([], [])


def test_a_request_that_lost_its_upload_is_not_told_that_its_bytes_are_wrong(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process counted a part while this one read to the end: together they are no file, and nobody's copy is
    damaged. An app that is told `file_differs` would never send it again."""
    monkeypatch.setattr("sfa.files.upload_routes.Uploading._stop_older", _nobody)
    place = cabinet.begin("pic", CONTENT)

    async def meet() -> tuple[int, int]:
        older, newer = Request(cabinet, place, 0), Request(cabinet, place, 0)
        older.give(CONTENT[:5_000], more=True)
        waiting = asyncio.create_task(older.play())
        await older.asked.wait()
        newer.give(CONTENT[:30_000], more=False)
        second = await newer.play()
        older.give(CONTENT[5_000:], more=False)
        return await waiting, second

    assert play(cabinet, meet) == (423, 204)
    assert cabinet.offset(place) == 30_000
    assert cabinet.add(place, 30_000, CONTENT[30_000:]).status_code == 204
    assert cabinet.contents() == [digest(CONTENT)]


def test_an_upload_that_another_process_ends_while_it_is_put_together_is_taken(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cabinet.begin("pic", CONTENT)
    key, folder, database = place.rpartition("/")[2], cabinet.files.place, cabinet.office.database
    read = folder.read_part

    def too_late(upload: str, name: str) -> Iterator[bytes]:
        database.write(uploads.end, upload, "upload_gone")
        folder.drop_upload(upload)
        return read(upload, name)

    monkeypatch.setattr(folder, "read_part", too_late)
    answer = cabinet.add(place, 0, CONTENT)
    assert (answer.status_code, answer.json()["code"]) == (423, "upload_taken")
    assert (cabinet.contents(), key in cabinet.parts()) == ([], False)


def test_an_upload_whose_part_the_disk_has_lost_begins_anew(cabinet: Cabinet) -> None:
    """The log tells of it, and the device need not wait until the upload expires."""
    place = cabinet.begin("pic", CONTENT)
    assert cabinet.add(place, 0, CONTENT[:100]).status_code == 204
    cabinet.files.place.drop_upload(place.rpartition("/")[2])
    assert cabinet.add(place, 100, CONTENT[100:]).status_code == 500
    assert cabinet.tus("HEAD", place).status_code == 410
    assert cabinet.upload("pic", CONTENT).status_code == 204
    assert cabinet.contents() == [digest(CONTENT)]
