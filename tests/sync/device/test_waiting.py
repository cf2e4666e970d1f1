"""A device that waits: told by the stream, patient without it, ended only where the user must help (S33)."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher

from sfa.core.clock import SystemClock
from sfa.core.ids import KeyMaker
from sfa.web.auth import set_password_hash
from sync.device import ConnectionLost, Device, LiveTransport, Pace, ServerRefused, Store, trace
from sync.device.http import HttpTransport
from sync.device.settle import Settled, SyncResult, Tally
from sync.device.transport import Lines
from sync.device.waiting import Waiting
from tests.builders import NOW
from tests.office import Office

pytestmark = pytest.mark.xdist_group("waiting")  # for processes and clocks, while other workers compute

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PATIENCE_S = 20.0
AT_ONCE_S = 5.0  # of the shared machine: far below the pauses of polling
ROOT = Path(__file__).parents[3]
# Ctrl-C as a terminal has it, also where the suite itself runs in the background.
TERMINAL = "import signal; signal.signal(2, signal.default_int_handler); from sfa.app.cli import main; main()"
on_postgres = pytest.mark.parametrize(
    "office", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


# -- a stream that is played ------------------------------------------------------------------------------------------

OPENED = ["retry: 3000", "id: 4", ""]
BEAT = [":", ""]


def news(seq: int) -> list[str]:
    return ["event: news", f"id: {seq}", f'data: {{"seq": {seq}}}', ""]


def end(code: str) -> list[str]:
    return ["event: end", f'data: {{"code": "{code}"}}', ""]


class Played:
    """A transport whose answers are a script: lines and a status, or a lost connection."""

    def __init__(self, *script: tuple[int, Sequence[str]] | None) -> None:
        self.script = list(script)
        self.asked: list[tuple[str, str | None]] = []
        self.refreshed = 0

    def post(self, path: str, _body: bytes, _token: str | None) -> tuple[int, bytes]:
        assert path == "/auth/refresh"
        self.refreshed += 1
        tokens = {"access_token": f"a{self.refreshed}", "refresh_token": "r", "device_id": "d", "user": {"key": "ana"}}
        return 200, msgspec.json.encode(tokens)

    @contextmanager
    def listen(self, path: str, token: str | None) -> Iterator[Lines]:
        self.asked.append((path, token))
        if not self.script or (found := self.script.pop(0)) is None:
            raise ConnectionLost("no signal")
        yield Lines(found[0], iter(found[1]))


class Stop(threading.Event):
    """Notes the pauses instead of waiting them, and ends after the last one."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self.most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        if len(self.pauses) >= self.most:
            self.set()
        return self.is_set()


class Story:
    """One wait with everything played; `syncs` counts, and each sync moves what the device has seen."""

    def __init__(self, *script: tuple[int, Sequence[str]] | None, pauses: int = 1) -> None:
        self.store = Store()
        self.store.set_state(access_token="a", refresh_token="r", device_key="d", seen_seq=4)
        self.line, self.stop = Played(*script), Stop(pauses)
        self.syncs = 0
        self.unsent = False
        self.fails: list[Exception] = []
        self.seen: list[int] = []

    def sync(self) -> SyncResult:
        self.syncs += 1
        self.unsent = False
        if self.fails:
            raise self.fails.pop(0)
        if self.seen:
            self.store.set_state(seen_seq=self.seen.pop(0))
        tally = Tally()
        tally.add(Settled([], 0, None, None, caught_up=True, moved=True))
        return tally.result(self.store)

    def run(self, chance: float = 1.0) -> str:
        pace = Pace(first_s=1, most_s=8, poll_s=30)
        line: LiveTransport = self.line
        waiting = Waiting(self.store, line, self.sync, lambda: self.unsent, pace, lambda: chance)
        return waiting.until(lambda _result: None, self.stop)


def test_news_above_what_was_seen_is_synced_and_the_own_push_is_not() -> None:
    story = Story((200, [*OPENED, *news(4), *news(7), *news(7), *news(9)]))
    story.seen = [4, 7, 9]
    assert story.run() == "stopped"
    assert story.syncs == 3, "once at the beginning, for 7 and for 9"
    assert story.line.asked == [("/sync/live?since=4", "a")]


def test_what_was_queued_meanwhile_leaves_with_the_next_heartbeat() -> None:
    story = Story((200, [*OPENED, *BEAT, *BEAT]))
    story.seen = [4]
    first = story.sync

    def sync() -> SyncResult:
        result = first()
        story.unsent = story.syncs == 1
        return result

    story.sync = sync  # type: ignore[method-assign]
    story.run()
    assert story.syncs == 2


def test_pauses_grow_have_chance_in_them_and_begin_anew_once_a_stream_stood() -> None:
    story = Story(None, None, None, None, None, (200, OPENED), None, pauses=7)
    story.run(chance=1.0)
    assert story.stop.pauses == [1, 2, 4, 8, 8, 1, 2]
    assert story.syncs == 7, "each round syncs: without a stream that is the polling"
    other = Story(None, None, pauses=2)
    other.run(chance=0.0)
    assert other.stop.pauses == [0.5, 1.0]


def test_without_signal_it_goes_on_trying() -> None:
    story = Story((200, [*OPENED, *end("live_replaced")]), pauses=5)
    story.fails = [ConnectionLost("no signal"), ConnectionLost("no signal")]
    assert story.run() == "live_replaced"
    assert (story.syncs, story.stop.pauses) == (3, [1, 2])


def test_a_server_that_is_full_is_polled_and_one_that_asks_for_time_gets_it() -> None:
    full = (503, ['{"code":"live_full","title":"full","status":503,"retry_after_s":40}'])
    busy = ServerRefused("too_many_requests", "", 429, {"retry_after_s": 55})
    story = Story(full, full, pauses=3)
    story.fails = [busy]
    story.run()
    assert story.stop.pauses == [55, 40, 40]


@pytest.mark.parametrize("code", ["device_unknown", "not_permitted", "device_wiped"])
def test_what_only_the_user_can_mend_ends_the_wait(code: str) -> None:
    story = Story()
    story.fails = [ServerRefused(code, "", 401)]
    with pytest.raises(ServerRefused):
        story.run()


@pytest.mark.parametrize("code", ["token_expired", "device_revoked", "unauthenticated"])
def test_after_an_end_that_a_sync_can_tell_more_about_it_syncs_at_once(code: str) -> None:
    story = Story((200, [*OPENED, *end(code)]))
    story.run()
    assert story.stop.pauses == [0.0]


def test_a_server_that_stops_is_given_some_seconds() -> None:
    story = Story((200, [*OPENED, *end("server_stopping")]))
    story.run(chance=0.0)
    assert story.stop.pauses == [3.5]


def test_a_token_that_ended_is_renewed_before_the_stream_is_opened() -> None:
    expired = (401, ['{"code":"token_expired","title":"expired","status":401}'])
    story = Story(expired, (200, [*OPENED, *end("live_replaced")]))
    assert story.run() == "live_replaced"
    assert [token for _, token in story.line.asked] == ["a", "a1"]
    assert story.line.refreshed == 1


def test_an_answer_of_somebody_between_is_a_lost_connection() -> None:
    """A captive portal, a proxy's page of errors, a stream that is none."""
    for answer in [(502, ["<html>"]), (200, ["event: news", "data: what", ""]), (200, ["<html>", ""])]:
        story = Story(answer)
        assert story.run() == "stopped"
        assert story.stop.pauses == [1]


def test_a_device_that_is_recorded_can_wait_too(tmp_path: Path) -> None:
    """The stream passes the recorder, which keeps nothing of it."""
    clock, line = SystemClock(), Played((200, OPENED))
    recorder = trace.Recorder(line, tmp_path / "trace", trace.Head(trace.FORMAT, "1", "ana", "d", 0), clock)
    before = (tmp_path / "trace").read_bytes()
    with recorder.listen("/sync/live", "a") as answer:
        assert list(answer.lines) == OPENED
    assert (tmp_path / "trace").read_bytes() == before
    assert isinstance(recorder, LiveTransport)


# -- real servers -----------------------------------------------------------------------------------------------------


class Phone:
    """A device that waits in a thread of its own."""

    def __init__(self, url: str, user: str, folder: Path) -> None:
        self.store, self.http = Store(folder / f"{user}.db"), HttpTransport(url)
        clock = SystemClock()
        self.device = Device(self.store, self.http, clock, KeyMaker(clock))
        self.device.login(f"{user}@example.com", "correct horse")
        self.stop, self.synced, self.changed = threading.Event(), 0, threading.Condition()
        self.refused: ServerRefused | None = None
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def _wait(self) -> None:
        try:
            self.device.wait(self._told, self.stop, Pace(first_s=0.1, most_s=0.5))
        except ServerRefused as refused:
            self.refused = refused

    def _told(self, _result: SyncResult) -> None:
        with self.changed:
            self.synced += 1
            self.changed.notify_all()

    def until(self, found: Callable[[], bool], at_most_s: float = PATIENCE_S) -> float:
        """-> how long it took."""
        begun = time.monotonic()
        with self.changed:
            assert self.changed.wait_for(found, at_most_s), "it was not told in time"
        return time.monotonic() - begun

    def close(self) -> None:
        self.stop.set()
        self.http.close()


@contextmanager
def server(office: Office, folder: Path, name: str = "one") -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A server process of its own -> (its address, the process)."""
    port = folder / f"port-{name}"
    settings = {"SFA_DATABASE_URL": office.database.url, "SFA_SECRET": "a secret for tests that is long enough"}
    environment = {"PATH": "/usr/bin", "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-m", "tests.races.serve", str(port), "never"]
    process = subprocess.Popen(command, env=environment)
    try:
        for _ in range(1500):
            if port.exists() and port.read_text():
                break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port.read_text()}", process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def people(office: Office) -> None:
    for user in ("ana", "bob", "cleo"):
        office.database.write(set_password_hash, user, CHEAP.hash("correct horse"), NOW)


def phone_of(device: Any, key: str) -> str | None:
    row = device.get("contacts", key)
    return row["phone"] if row else None


def tell_and_see(writer: Phone, reader: Phone, number: str) -> float:
    """One edits and syncs by hand, the other has it without doing anything."""
    eyes = Store(Path(str(reader.store.execute("PRAGMA database_list").fetchone()[2])))
    try:
        clock = SystemClock()
        looks = Device(eyes, reader.http, clock, KeyMaker(clock))
        hands = Store(Path(str(writer.store.execute("PRAGMA database_list").fetchone()[2])))
        types = Device(hands, writer.http, clock, KeyMaker(clock))
        types.update("contacts", "carl", {"phone": number})
        types.sync()
        hands.close()
        return reader.until(lambda: phone_of(looks, "carl") == number)
    finally:
        eyes.close()


def test_two_phones_on_one_server_process_wake_each_other(office: Office, people: None, tmp_path: Path) -> None:
    with server(office, tmp_path) as (url, _):
        ana, bob = Phone(url, "ana", tmp_path), Phone(url, "bob", tmp_path)
        try:
            for phone in (ana, bob):
                phone.until(lambda phone=phone: phone.synced > 0)  # type: ignore[misc]
            time.sleep(0.5)  # the streams open
            assert tell_and_see(ana, bob, "1001") < AT_ONCE_S
            assert tell_and_see(bob, ana, "1002") < AT_ONCE_S
        finally:
            ana.close()
            bob.close()


@on_postgres
def test_two_server_processes_wake_each_others_phones(office: Office, people: None, tmp_path: Path) -> None:
    with server(office, tmp_path, "one") as (first, _), server(office, tmp_path, "two") as (second, _):
        ana, bob = Phone(first, "ana", tmp_path), Phone(second, "bob", tmp_path)
        try:
            for phone in (ana, bob):
                phone.until(lambda phone=phone: phone.synced > 0)  # type: ignore[misc]
            time.sleep(0.5)
            assert tell_and_see(ana, bob, "2001") < AT_ONCE_S
            assert tell_and_see(bob, ana, "2002") < AT_ONCE_S
        finally:
            ana.close()
            bob.close()


def test_a_phone_finds_its_server_again_and_has_what_happened_meanwhile(
    office: Office, people: None, tmp_path: Path
) -> None:
    """The server is killed while the phone waits; what is written before the next one runs is there after it."""
    with server(office, tmp_path, "one") as (url, process):
        bob = Phone(url, "bob", tmp_path)
        bob.until(lambda: bob.synced > 0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    office.put(("contacts", "carl", {"phone": "3001"}))
    try:
        with server(office, tmp_path, "two") as (url, _):
            bob.http._server = url
            known = bob.synced
            bob.until(lambda: bob.synced > known)
            looks = Store(tmp_path / "bob.db")
            clock = SystemClock()
            assert phone_of(Device(looks, bob.http, clock, KeyMaker(clock)), "carl") == "3001"
            looks.close()
    finally:
        bob.close()


def test_a_terminal_that_waits_prints_what_came(office: Office, people: None, tmp_path: Path) -> None:
    with server(office, tmp_path) as (url, _):
        sfa = [sys.executable, "-c", TERMINAL, "device", "--store", str(tmp_path / "t")]
        environment = {"PATH": "/usr/bin", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        who = ["--email", "bob@example.com", "--password", "correct horse"]
        subprocess.run([*sfa, "login", "--server", url, *who], env=environment, check=True, capture_output=True)
        waiting = subprocess.Popen([*sfa, "wait"], env=environment, stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        try:
            assert "rows received" in waiting.stdout.readline()
            assert waiting.stdout.readline().startswith("today is ready")
            time.sleep(0.5)
            office.put(("contacts", "carl", {"phone": "4001"}))
            assert waiting.stdout.readline() == "0 pushed, 1 rows received\n"
            os.kill(waiting.pid, signal.SIGINT)
            assert waiting.wait(PATIENCE_S) == 1
        finally:
            waiting.kill()
            waiting.wait()
            waiting.stdout.close()
