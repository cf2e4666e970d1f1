"""An answer that breaks off at any byte (S2, S12): what arrived whole stays, and no sync begins again from nothing."""

import random
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import zstandard
from litestar import Litestar
from litestar.testing import TestClient

from sfa.core.ids import KeyMaker
from sfa.web.compression import compress_lines
from sync.device import ConnectionLost, Device, Store
from sync.device.http import HttpTransport
from sync.device.session import _of_lines
from sync.device.settle import after, next_request, settle
from sync.device.store import Person
from sync.round import Caller, Round
from tests.builders import NOW
from tests.office import SECRET, Office
from tests.sync.device.pocket import of_scope
from tests.sync.device.test_http import client as client

LINE_BYTES = 700
COST_OF_A_CUT = 16 << 10  # a compressed line with its cursor, the head of an answer, a window that begins anew


class InLines:
    """The server in process, answering in lines; `cut` is after how many bytes the next answers break off."""

    def __init__(self, office: Office, user: str) -> None:
        self.office, self.user = office, user
        self.cuts: list[int] = []
        self.received = 0

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        raise AssertionError(f"{path} {len(body)} {token}")

    def stream(self, path: str, body: bytes, token: str | None) -> tuple[int, Iterator[bytes]]:
        assert (path, token) == ("/sync", "a")
        answer = self.office.round.answer_blocking(Caller(self.user, f"d-{self.user}"), body)
        return 200, self._parts(answer)

    def _parts(self, answer: bytes) -> Iterator[bytes]:
        end = self.cuts.pop(0) if self.cuts else None
        for at in range(0, len(answer) if end is None else end, 333):
            part = answer[at : at + 333 if end is None else min(at + 333, end)]
            self.received += len(part)
            yield part
        if end is not None:
            raise ConnectionLost("cut")


def phone(office: Office, user: str = "ana", line_bytes: int = LINE_BYTES) -> tuple[Device, InLines]:
    office.round = Round(office.database, office.clock, SECRET, office.round.commands, line_bytes=line_bytes)
    store, line = Store(), InLines(office, user)
    store.set_state(user=Person(user, user.title(), f"{user}@example.com"), device_key=f"d-{user}", access_token="a")
    return Device(store, line, office.clock, KeyMaker(office.clock)), line


def rows(device: Device) -> dict[tuple[str, str], dict[str, Any]]:
    return {place: row for place, (_, row) in device.synced_rows().items()}


def a_visit(office: Office) -> None:
    office.put(("visits", "now", {"account_key": "acme", "owner_key": "ana", "planned_at": NOW}))


def test_a_page_cut_at_every_byte_is_as_good_as_the_lines_that_came_whole(shared_office: Office) -> None:
    """Every position of a first answer with receipts in it: the store stands at the cursor of the last whole line."""
    device, _ = phone(shared_office, line_bytes=300)
    device.create("tasks", {"title": "Call"}, "t")
    now = shared_office.clock.now_ms()
    request = next_request(device.store, now, 9, pushing=True)
    body = msgspec.json.encode(msgspec.structs.replace(request, lines=True))
    answer = shared_office.round.answer_blocking(Caller("ana", "d-ana"), body)
    ends = [i + 1 for i, byte in enumerate(answer) if byte == ord("\n")]
    cursors = [None, *(msgspec.json.decode(line)["page"]["cursor"] for line in answer.splitlines())]
    assert len(ends) > 5
    for cut in range(len(answer) + 1):
        whole = sum(end <= cut for end in ends)
        store = Store()
        store.set_state(user=Person("ana"), device_key="d-ana", access_token="a")
        _take(store, request, answer[:cut], now)
        assert store.state().cursor == cursors[whole], cut
        store.close()


def _take(store: Store, request: Any, received: bytes, now: int) -> None:
    """What `Device.sync` does with an answer that breaks off."""
    try:
        for answer in _of_lines(iter((received[: len(received) // 2], received[len(received) // 2 :]))):
            settle(store, request, answer, now)
            request = after(request, answer)
    except ConnectionLost:
        return


def test_after_any_cut_the_sync_goes_on_and_what_arrived_is_not_sent_again(office: Office) -> None:
    """S3: with a queue, today's rows and digests; the bytes stay within the content and a little for each cut."""
    a_visit(office)
    device, line = phone(office, "mia")
    device.sync(check=True)
    clean = line.received
    rng = random.Random(5)
    device, line = phone(office)
    device.create("tasks", {"title": "Call"}, "t")
    cuts = 0
    for _ in range(200):
        line.cuts = [rng.randrange(2_500)]
        try:
            device.sync(check=True)
        except ConnectionLost:
            cuts += 1
            continue
        break
    assert cuts > 5
    line.cuts.clear()
    assert device.sync(check=True).differing == ()
    assert rows(device) == of_scope(office, "ana")
    assert [entry["n"] for entry in office.history("tasks", "t")] == [1]
    assert line.received <= clean * 2 + cuts * 3_000


def test_a_row_that_changes_between_two_attempts_is_not_lost(office: Office) -> None:
    """The bytes of the second attempt are others: a line stands for itself."""
    a_visit(office)
    office.put(*(("contacts", f"c{i:02}", {"account_key": "acme", "name": str(i)}) for i in range(30)))
    device, line = phone(office)
    for i in range(25):
        line.cuts = [3_000 + 97 * i]
        try:
            device.sync()
        except ConnectionLost:
            office.put(("contacts", f"c{i:02}", {"phone": str(i)}), ("visits", "now", {"purpose": str(i)}))
            office.delete("contacts", f"c{29 - i:02}")
            continue
        break
    line.cuts.clear()
    assert device.sync(check=True).refilled == ()
    assert rows(device) == of_scope(office, "ana")


def test_a_cut_before_the_first_line_costs_that_line_and_resets_nothing_else(office: Office) -> None:
    device, line = phone(office)
    line.cuts = [10]
    with pytest.raises(ConnectionLost):
        device.sync()
    assert (device.store.state().cursor, rows(device)) == (None, {})
    assert device.sync().resets == ()


def test_the_device_tells_when_today_is_ready_and_after_how_many_bytes(office: Office) -> None:
    a_visit(office)
    office.put(*(("contacts", f"z{i:03}", {"account_key": "acme", "name": str(i)}) for i in range(200)))
    device, line = phone(office)
    seen: list[tuple[bool, bool, int]] = []
    result = device.sync(lambda p: seen.append((p.is_ready, p.caught_up, line.received)))
    at = next(received for is_ready, _, received in seen if is_ready)
    assert (result.is_ready, result.ready_bytes) == (True, at)
    assert at < line.received / 2
    assert [is_ready for is_ready, _, _ in seen] == sorted(is_ready for is_ready, _, _ in seen)
    assert not device.sync().is_ready  # a poll


# -- the same over HTTP, compressed -----------------------------------------------------------------------------------


class Pieces(httpx.SyncByteStream):
    def __init__(self, raw: bytes, end: int | None) -> None:
        self._raw, self._end = raw, end

    def __iter__(self) -> Iterator[bytes]:
        end = len(self._raw) if self._end is None else min(self._end, len(self._raw))
        for at in range(0, end, 500):
            yield self._raw[at : min(at + 500, end)]
        if self._end is not None and self._end < len(self._raw):
            raise httpx.ReadError("the line broke")


class Breaking(httpx.BaseTransport):
    """Hands requests to the application and breaks answers to `/sync` off after `cuts` bytes, one after the other."""

    def __init__(self, client: TestClient[Litestar]) -> None:
        self._client = client
        self.cuts: list[int] = []
        self.kinds: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        inner = self._client.build_request("POST", request.url.path, content=request.read(), headers=request.headers)
        answer = self._client.send(inner, stream=True)
        raw = b"".join(answer.iter_raw())
        end = None
        if request.url.path == "/sync":
            end = self.cuts.pop(0) if self.cuts else None
            self.kinds.add(f"{answer.headers['content-type']} {answer.headers.get('content-encoding')}")
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Pieces(raw, end))


def over_http(office: Office, client: TestClient[Litestar]) -> tuple[Device, Breaking, HttpTransport]:
    breaking = Breaking(client)
    transport = HttpTransport("http://testserver.local", httpx.Client(transport=breaking))
    device = Device(Store(), transport, office.clock, KeyMaker(office.clock))
    device.login("ana@example.com", "correct horse")
    return device, breaking, transport


def test_a_large_first_sync_over_a_line_that_keeps_breaking(office: Office, client: TestClient[Litestar]) -> None:
    """Random cuts of compressed answers: the whole costs the content and a small constant for each cut."""
    a_visit(office)
    words = random.Random(3)
    office.put(
        *(
            ("contacts", f"c{i:04}", {"account_key": "acme", "name": f"{words.getrandbits(160):x}", "title": "Buyer"})
            for i in range(2_000)
        )
    )
    device, breaking, transport = over_http(office, client)
    begun = transport.received
    device.sync()
    clean = transport.received - begun
    assert breaking.kinds == {"application/x-ndjson zstd"}
    for seed in range(3):
        rng = random.Random(seed)
        device, breaking, transport = over_http(office, client)
        begun, cuts = transport.received, 0
        for _ in range(300):
            breaking.cuts = [rng.randrange(clean // 4)]
            try:
                device.sync()
            except ConnectionLost:
                cuts += 1
                continue
            break
        assert rows(device) == of_scope(office, "ana")
        assert cuts >= 3
        assert transport.received - begun <= clean + cuts * COST_OF_A_CUT


@pytest.mark.parametrize("encoding", [b"zstd", b"gzip"])
def test_every_line_whose_block_arrived_can_be_read_wherever_the_rest_is_cut(encoding: bytes) -> None:
    rng = random.Random(1)
    lines = [b'{"page":"%x"}\n' % rng.getrandbits(1_200) for _ in range(12)]
    body, used = compress_lines(b"".join(lines), encoding)
    assert used == encoding.decode()
    plain = b"".join(lines)
    seen, counts = 0, []
    for end in range(len(body) + 1):
        got = _inflated(body[:end], encoding)
        assert plain.startswith(got)
        assert len(got) >= seen
        seen = len(got)
        counts.append(got.count(b"\n"))
    first = {count: counts.index(count) for count in set(counts)}
    assert sorted(first) == list(range(13))
    assert max(first[i + 1] - first[i] for i in range(12)) < 2 * len(body) / 12  # no line waits for a later one


def _inflated(received: bytes, encoding: bytes) -> bytes:
    headers = {"content-encoding": encoding.decode()}
    found = b""
    if encoding == b"zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(received) if received else b""
    response = httpx.Response(200, headers=headers, stream=Pieces(received + b"\0", len(received)))
    try:
        for part in response.iter_bytes():
            found += part
    except httpx.ReadError:
        return found
    return found


def test_a_short_answer_in_lines_is_not_compressed() -> None:
    assert compress_lines(b"{}\n", b"zstd") == (b"{}\n", None)
    assert compress_lines(b"x" * 5_000, None) == (b"x" * 5_000, None)
