"""Two stores of one device at once, as of an app and its share sheet: no copy is lost, and none is in the way."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sfa.core.ids import KeyMaker
from sync.device import Device, Store, files
from sync.device.transport import Content
from sync.protocol import DURABLE_AFTER_MS
from tests.files.cabinet import Cabinet, opened, padded
from tests.office import Office
from tests.sync.device.test_files import Weak

pytestmark = pytest.mark.parametrize("office", ["sqlite"], indirect=True)
CONTENT = padded(700_000)


class Pair:
    """The same person's device, opened twice."""

    def __init__(self, cabinet: Cabinet, folder: Path) -> None:
        self.place, self.cabinet = folder / "ana.sqlite", cabinet
        self.app, self.other = self.open(), self.open()
        self.app.login("ana@example.com", "correct horse")
        self.app.sync()
        self.photo = folder / "factory.jpg"
        self.photo.write_bytes(CONTENT)

    def open(self, line: Weak | None = None) -> Device:
        clock = self.cabinet.office.clock
        return Device(Store(self.place), line or Weak(self.cabinet.client), clock, KeyMaker(clock))

    @property
    def now_ms(self) -> int:
        return self.cabinet.office.clock.now_ms()

    def copies(self) -> dict[str, int]:
        folder = self.app.store.folder
        assert folder is not None
        return {path.name: path.stat().st_size for path in folder.iterdir()}


@pytest.fixture
def pair(office: Office, tmp_path: Path) -> Iterator[Pair]:
    with opened(office, tmp_path / "files") as cabinet:
        made = Pair(cabinet, tmp_path)
        yield made
        made.app.store.close()
        made.other.store.close()


def test_a_copy_that_is_being_made_is_not_thrown_away_by_the_other_store(pair: Pair, tmp_path: Path) -> None:
    """Held open in the middle: the source is a pipe that does not end yet."""
    pipe = tmp_path / "scan.jpg"
    os.mkfifo(pipe)
    keys: list[str] = []
    attaching = threading.Thread(target=lambda: keys.append(pair.other.attach("accounts", "acme", pipe)))
    attaching.start()
    with pipe.open("wb") as source:
        source.write(CONTENT[:100_000])
        source.flush()
        folder = pair.app.store.folder
        assert folder is not None
        for _ in range(1_000):
            if folder.is_dir() and list(folder.glob("*.part")):
                break
            time.sleep(0.01)
        files.tidy(pair.app.store, pair.now_ms)
        source.write(CONTENT[100_000:])
    attaching.join(20)
    assert pair.copies() == {keys[0]: len(CONTENT)}


def test_attaching_and_tidying_at_once_loses_nothing(pair: Pair) -> None:
    keys: list[str] = []
    done = threading.Event()

    def attach() -> None:
        keys.extend(pair.other.attach("accounts", "acme", pair.photo) for _ in range(25))
        done.set()

    attaching = threading.Thread(target=attach)
    attaching.start()
    while not done.is_set():
        files.tidy(pair.app.store, pair.now_ms)
        if not attaching.is_alive():
            break
    attaching.join(20)
    assert len(keys) == 25
    assert pair.copies() == dict.fromkeys(keys, len(CONTENT))


def test_what_a_killed_device_left_goes_when_nobody_is_attaching(pair: Pair) -> None:
    key = pair.app.attach("accounts", "acme", pair.photo)
    folder = pair.app.store.folder
    assert folder is not None
    (folder / "left.part").write_bytes(b"half")
    files.tidy(pair.other.store, pair.now_ms)
    assert pair.copies() == {key: len(CONTENT)}


class Meanwhile(Weak):
    """Before one of its requests the other store does something."""

    def __init__(self, pair: Pair, at: str) -> None:
        super().__init__(pair.cabinet.client)
        self.pair, self.at = pair, at

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        if method == self.at:
            self.at = ""
            list(self.pair.other.upload())
            self.pair.other.sync()
            files.tidy(self.pair.other.store, self.pair.now_ms)
            self.pair.other.store.set_state(heard_at=self.pair.now_ms + DURABLE_AFTER_MS)
            files.tidy(self.pair.other.store, self.pair.now_ms + DURABLE_AFTER_MS)
        return super().send(method, path, headers, body, token)


@pytest.mark.parametrize("at", ["POST", "PATCH"])
def test_an_upload_that_the_other_store_ended_is_left_alone(pair: Pair, at: str) -> None:
    pair.app.attach("accounts", "acme", pair.photo)
    pair.app.sync()
    slow = pair.open(Meanwhile(pair, at))
    assert list(slow.upload()) == []
    assert (pair.app.files(), pair.copies()) == ([], {})
    slow.store.close()
