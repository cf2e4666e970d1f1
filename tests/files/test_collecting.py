"""What is no longer needed goes after its time, and nothing that somebody still needs (or is about to)."""

import os
from typing import Any

import pytest
from sqlalchemy import select, update

from sfa.db.tables import blobs, uploads
from sfa.files import arrivals, collecting
from sfa.files.rules import Content
from tests.builders import DAY_MS
from tests.files.cabinet import Cabinet, digest, jpeg, values

PHOTO = jpeg()
GRACE_MS = 30 * DAY_MS


def attach(cabinet: Cabinet, key: str = "pic", content: bytes = PHOTO) -> None:
    cabinet.office.phone("ana").do("create", "attachments", key, set=values(content))
    assert cabinet.upload(key, content).status_code == 204


def pass_(cabinet: Cabinet, ms: int) -> None:
    """Time goes by, and the job runs twice: the first run sees what is loose, the second one what has been for long."""
    cabinet.advance(ms)
    collect(cabinet)


def collect(cabinet: Cabinet) -> tuple[int, int]:
    database, now = cabinet.office.database, cabinet.office.clock.now_ms()
    database.write(collecting.collect, now, GRACE_MS)
    return collecting.sweep(database, cabinet.files.place, now)


def state(cabinet: Cabinet, content: bytes = PHOTO) -> Any:
    query = select(blobs.c.state).where(blobs.c.sha256 == digest(content))
    return cabinet.office.database.read(lambda c: c.execute(query).scalar())


def test_a_content_stays_as_long_as_a_row_has_it(cabinet: Cabinet) -> None:
    attach(cabinet)
    for _ in range(5):
        pass_(cabinet, 40 * DAY_MS)
    assert cabinet.contents() == [digest(PHOTO)]


def test_a_content_goes_when_no_row_has_had_it_for_the_grace_time(cabinet: Cabinet) -> None:
    attach(cabinet)
    cabinet.ask("GET", "/files/pic/thumbnail")
    cabinet.office.delete("attachments", "pic")
    pass_(cabinet, DAY_MS)
    pass_(cabinet, 29 * DAY_MS)
    assert cabinet.contents() == [digest(PHOTO)]
    pass_(cabinet, DAY_MS)
    assert (cabinet.contents(), state(cabinet)) == ([], None)
    assert list(cabinet.folder.glob("thumbnails/*/*/*")) == []
    cabinet.office.phone("ana").edit("attachments", "pic", name="again.jpg")
    assert cabinet.row("pic")["stored"] is False
    assert cabinet.upload("pic", PHOTO).status_code == 204
    assert cabinet.row("pic")["stored"] is True


def test_a_row_that_is_brought_back_in_time_has_its_bytes(cabinet: Cabinet) -> None:
    """S26."""
    attach(cabinet)
    cabinet.office.delete("attachments", "pic")
    pass_(cabinet, DAY_MS)
    cabinet.office.phone("ana").edit("attachments", "pic", name="again.jpg")
    pass_(cabinet, 40 * DAY_MS)
    assert cabinet.ask("GET", "/files/pic").content == PHOTO


def test_bytes_whose_row_has_not_come_wait_for_the_grace_time(cabinet: Cabinet) -> None:
    assert cabinet.upload("pic", PHOTO).status_code == 204
    for _ in range(3):
        pass_(cabinet, 8 * DAY_MS)
    assert cabinet.contents() == [digest(PHOTO)]
    cabinet.office.phone("ana").do("create", "attachments", "pic", set=values(PHOTO))
    assert cabinet.row("pic")["stored"] is True
    cabinet.upload("other", PHOTO)
    cabinet.office.delete("attachments", "pic")
    for _ in range(8):
        pass_(cabinet, 10 * DAY_MS)
    assert cabinet.contents() == []


def test_an_upload_ends_when_no_byte_came_for_its_time(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    pass_(cabinet, 6 * DAY_MS)
    assert cabinet.add(place, 0, PHOTO[:50]).status_code == 204
    pass_(cabinet, 6 * DAY_MS)
    assert cabinet.offset(place) == 50
    cabinet.advance(DAY_MS)
    assert cabinet.tus("HEAD", place).status_code == 410
    assert len(cabinet.parts()) == 1
    collect(cabinet)
    assert cabinet.parts() == []
    assert cabinet.tus("HEAD", place).status_code == 404


def test_parts_that_nobody_counts_go_with_a_sweep(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    cabinet.add(place, 0, PHOTO[:50])
    cabinet.files.place.put_part("of-nobody", "part", [b"left by a process that died"])
    collect(cabinet)
    assert len(cabinet.parts()) == 1
    assert cabinet.add(place, 50, PHOTO[50:]).status_code == 204


def test_a_content_that_comes_again_while_it_goes_is_there_afterwards(cabinet: Cabinet) -> None:
    """The claim comes first: whoever writes a content takes its row before the bytes."""
    attach(cabinet)
    cabinet.office.delete("attachments", "pic")
    database, place = cabinet.office.database, cabinet.files.place
    database.write(arrivals.forget, [digest(PHOTO)])
    assert state(cabinet) == "going"
    content = Content(digest(PHOTO), len(PHOTO), "image/jpeg", 40, 30)
    database.write(arrivals.claim, cabinet.office.clock.now_ms(), content)
    assert collecting.sweep(database, place, cabinet.office.clock.now_ms())[1] == 0
    assert cabinet.contents() == [digest(PHOTO)]
    database.write(arrivals.keep, cabinet.office.clock.now_ms(), content)
    assert state(cabinet) == "kept"


def test_a_sweep_that_was_killed_is_done_again(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    attach(cabinet)
    cabinet.office.delete("attachments", "pic")
    database, place = cabinet.office.database, cabinet.files.place
    database.write(arrivals.forget, [digest(PHOTO)])

    def dies(_sha256: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, "drop", dies)
        with pytest.raises(KeyboardInterrupt):
            collecting.sweep(database, place, cabinet.office.clock.now_ms())
    assert state(cabinet) == "going"
    assert collecting.sweep(database, place, cabinet.office.clock.now_ms())[1] == 1
    assert (cabinet.contents(), state(cabinet)) == ([], None)


def test_what_a_row_has_is_not_forgotten(cabinet: Cabinet) -> None:
    attach(cabinet)
    assert cabinet.office.database.write(arrivals.forget, [digest(PHOTO), "0" * 64]) == 0
    collect(cabinet)
    assert cabinet.ask("GET", "/files/pic").content == PHOTO


def test_erasure_lets_content_and_unfinished_uploads_go_at_once(cabinet: Cabinet) -> None:
    attach(cabinet)
    cabinet.upload("other", PHOTO)
    cabinet.office.delete("attachments", "pic")
    assert cabinet.office.database.write(arrivals.forget, [digest(PHOTO)]) == 1
    collect(cabinet)
    assert cabinet.contents() == []
    query = select(uploads.c.state).where(uploads.c.sha256 == digest(PHOTO))
    found = cabinet.office.database.read(lambda c: list(c.execute(query).scalars()))
    assert set(found) <= {"ended"}


def test_a_run_looks_at_a_bounded_number_and_the_next_one_goes_on(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "LOOKED_AT_ONCE", 1)
    for i in range(3):
        content = jpeg(40 + i, 30)
        attach(cabinet, f"pic-{i}", content)
        cabinet.office.delete("attachments", f"pic-{i}")
    cabinet.office.database.write(lambda c: c.execute(update(uploads).values(state="ended", code="expired")))
    for _ in range(3):
        pass_(cabinet, DAY_MS // 24)
    for left in (2, 1, 0):
        pass_(cabinet, 31 * DAY_MS if left == 2 else DAY_MS // 24)
        assert len(cabinet.contents()) == left


def test_what_a_dead_process_was_putting_together_goes_after_a_day(cabinet: Cabinet) -> None:
    assert cabinet.files.place.scraps() == []
    collect(cabinet)
    assert not cabinet.folder.exists(), "a server without files leaves no folder"
    old, young = (cabinet.files.place.scratch() / name for name in ("old", "young"))
    now_s = cabinet.office.clock.now_ms() / 1000
    for path, age_s in ((old, 25 * 3600), (young, 3600)):
        path.touch()
        os.utime(path, (now_s - age_s, now_s - age_s))
    collect(cabinet)
    assert cabinet.files.place.scraps() == [young]
