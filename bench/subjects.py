"""The four subjects: first sync, delta, poll and push, each over real HTTP against a server process of its own.

Every function answers rows of a table: a name and its figures. CPU is the server process's own; on PostgreSQL that of
the database's processes stands beside it. `server_cpu_us` is divided by what the row counts.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import uvloop
from msgspec import Struct

from bench import company
from bench.client import connected, dealt, hammer, inflated, request
from bench.company import Device
from bench.server import Server
from sfa.core.clock import SystemClock
from sync import cursor as cursors
from sync.cursor import Cursor
from sync.protocol import CONTRACT_MAX, PAGE_ROWS_MAX

Figures = dict[str, float | str]
POLL_CONNECTIONS = 16
PASSES = 3
READY_RUNS = 10
LANES = 17
MUTATIONS = 50


class Place(NamedTuple):
    """Where a device stands: what a cursor needs."""

    secret: bytes
    epoch: str
    c: int
    g: int


class Measured(NamedTuple):
    """One stretch of requests."""

    wall_s: float
    cpu_s: float
    database_cpu_s: float
    latencies: list[float]

    def figures(self, count: int) -> Figures:
        found: Figures = {
            "p50_ms": round(statistics.median(self.latencies), 3),
            "p99_ms": round(statistics.quantiles(self.latencies, n=100)[98], 3) if len(self.latencies) > 1 else "",
            "per_s": round(count / self.wall_s),
            "server_cpu_us": round(self.cpu_s / count * 1e6, 1),
        }
        if self.database_cpu_s:
            found["database_cpu_us"] = round(self.database_cpu_s / count * 1e6, 1)
        return found


def run(work: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def best(server: Server, work: Callable[[], Any]) -> Measured:
    """The pass of three that took the least CPU: on a shared machine the others say more about the neighbours."""
    return min((measured(server, work) for _ in range(PASSES)), key=lambda found: found.cpu_s)


def measured(server: Server, work: Callable[[], Any]) -> Measured:
    cpu, database, start = server.cpu_s(), server.database_cpu_s(), time.perf_counter()
    latencies = run(work())
    wall = time.perf_counter() - start
    return Measured(wall, server.cpu_s() - cpu, server.database_cpu_s() - database, latencies)


def _cursor(device: Device, place: Place) -> str:
    return cursors.write(Cursor(device.user, device.key, CONTRACT_MAX, place.epoch, place.c, place.g, {}), place.secret)


def pulls(devices: Sequence[Device], place: Place, count: int) -> list[bytes]:
    """`count` requests, from one device after the other, each from the same place."""
    now = SystemClock().now_ms()
    head = {"now": now, "contract": CONTRACT_MAX}
    each = [request("/sync", {"user": d.user, **head, "cursor": _cursor(d, place)}, d.token) for d in devices]
    return [each[i % len(each)] for i in range(count)]


# -- first sync -----------------------------------------------------------------------------------------------------


class _Items(Struct):
    items: list[msgspec.Raw]


class _Page(Struct):
    cursor: str
    caught_up: bool
    changes: list[_Items]


class _Answer(Struct):
    page: _Page


_answer = msgspec.json.Decoder(_Answer)
_line = msgspec.json.Decoder(_Answer)  # of a line, the first one or a further one


def _unread(body: bytes) -> tuple[str, bool, int]:
    """What a client that decodes nothing needs: two values off the head of the page, and the server's own count."""
    start = body.index(b'"cursor":"') + 10
    head = body[start : start + 100_000]
    cursor = head[: head.index(b'"')].decode()
    rows = int(head[head.index(b'"rows":') + 7 :].split(b",", 1)[0])
    return cursor, b'"caught_up":true' in head[: len(cursor) + 60], rows


def _counted(body: bytes) -> tuple[str, bool, int]:
    """A client that finds every row, and decodes none."""
    page = _answer.decode(body).page
    return page.cursor, page.caught_up, sum(len(change.items) for change in page.changes)


def _counted_lines(body: bytes) -> tuple[str, bool, int]:
    pages = [_line.decode(line).page for line in body.splitlines()]
    return pages[-1].cursor, pages[-1].caught_up, sum(len(c.items) for page in pages for c in page.changes)


async def _sync_first(
    port: int, device: Device, read: Any, compressed: bool, **asked: Any
) -> tuple[int, int, list[float]]:
    cursor, rows, size, times = None, 0, 0, []
    now = SystemClock().now_ms()
    async with connected(port) as connection:
        while True:
            body = {"user": device.user, "now": now, "contract": CONTRACT_MAX, "page_rows": PAGE_ROWS_MAX}
            body |= {"cursor": cursor, **asked}
            start = time.perf_counter_ns()
            answer, small = await connection.ask(request("/sync", body, device.token, compressed=compressed))
            times.append((time.perf_counter_ns() - start) / 1e6)
            size += len(answer)
            cursor, caught_up, count = read(inflated(answer, small))
            rows += count
            if caught_up:
                return rows, size, times


def first(server: Server, devices: Sequence[Device], runs: int) -> list[tuple[str, Figures]]:
    found: list[tuple[str, Figures]] = []
    run(_sync_first(server.port, devices[0], _unread, False))  # warm: token, scope, statements, file cache
    for name, read, compressed, asked in (
        ("client decodes nothing", _unread, False, {}),
        ("client counts", _counted, False, {}),
        ("client counts, zstd", _counted, True, {}),
        ("client counts, zstd, in lines", _counted_lines, True, {"lines": True, "early": True}),
    ):
        fastest: Figures = {}
        for i in range(runs):
            cpu, database, start = server.cpu_s(), server.database_cpu_s(), time.perf_counter()
            rows, size, times = run(_sync_first(server.port, devices[1 + i], read, compressed, **asked))
            wall = time.perf_counter() - start
            if fastest and float(fastest["rows_per_s"]) >= rows / wall:
                continue
            fastest = {
                "rows": rows,
                "rows_per_s": round(rows / wall),
                "server_cpu_us": round((used := server.cpu_s() - cpu) / rows * 1e6, 2),
                "server_cpu_ms": round(used * 1e3, 1),
                "kib": round(size / 1024, 1),
                "bytes_per_row": round(size / rows),
                "pages": len(times),
                "longest_page_ms": round(max(times), 1),
            }
            if (in_database := server.database_cpu_s() - database) > 0:
                fastest["database_cpu_us"] = round(in_database / rows * 1e6, 2)
        fastest["peak_mib"] = round(server.peak_mib())
        found.append((name, fastest))
    found.append(("until today is ready", _ready(server, devices[0])))
    return found


def _ready(server: Server, device: Device) -> Figures:
    """The one page with what today needs, which ends with it: bytes, time, and the server's CPU."""
    body = {"user": device.user, "now": SystemClock().now_ms(), "early": True}
    sent = request("/sync", body, device.token, compressed=True)
    seen: list[bytes] = []
    found = best(server, lambda: hammer(server.port, [[sent] * READY_RUNS], seen.append))
    plain = inflated(seen[0], True)
    assert b'"early":"complete"' in plain[:2_000]
    return {
        "rows": _counted(plain)[2],
        "kib": round(len(seen[0]) / 1024, 1),
        "server_cpu_ms": round(found.cpu_s / READY_RUNS * 1e3, 1),
        "longest_page_ms": round(max(found.latencies), 1),
    }


# -- delta and poll -------------------------------------------------------------------------------------------------


def delta(server: Server, devices: Sequence[Device], place: Place, count: int) -> Figures:
    """The same twenty changed rows, asked for by one connection."""
    seen: list[bytes] = []
    run(hammer(server.port, [pulls(devices, place, len(devices))], seen.append))
    assert {_counted(body)[1:] for body in seen} == {(True, 20)}, "a delta of twenty rows"
    return best(server, lambda: hammer(server.port, [pulls(devices, place, count)])).figures(count)


def poll(server: Server, devices: Sequence[Device], place: Place, count: int) -> Figures:
    """Nothing new, asked for by sixteen connections."""
    seen: list[bytes] = []
    run(hammer(server.port, [pulls(devices, place, len(devices))], seen.append))
    assert {_counted(body)[1:] for body in seen} == {(True, 0)}, "nothing new"
    requests = list(dealt(pulls(devices, place, count), POLL_CONNECTIONS))
    return best(server, lambda: hammer(server.port, requests)).figures(count)


# -- push -----------------------------------------------------------------------------------------------------------


def _mutation(kind: str, device: Device, n: int, now: int, lane: int) -> dict[str, Any]:
    """`create` makes a contact; `mixed` takes turns: a contact made, one changed that nobody changed before (in a lane
    of the client's own), a visit noted."""
    rep = int(device.user.split("-")[1])
    key = f"{device.key}-{n}"
    account = f"a-{(rep + 16 * n) % company.SEED_ACCOUNTS}"
    turn = 0 if kind == "create" else n % 3
    if turn == 0:
        return _made(n, "contacts", key, now, company.contact_values(n, account))
    if turn == 1:
        place = 20 + (n // 3) * LANES + lane  # the first twenty were changed by the delta
        mine = f"c-{place % company.SEED_CONTACTS}.{1 + place // company.SEED_CONTACTS}"
        change = {"n": n, "entity": "contacts", "key": mine, "kind": "update", "at": now, "base": 1}
        return {**change, "set": {"mobile": f"+34 600 {n:06d}"}}
    values = {"account_key": account, "purpose": "A first look at the new range", "planned_at": now}
    return _made(n, "visits", key, now, values)


def _made(n: int, entity: str, key: str, now: int, values: dict[str, Any]) -> dict[str, Any]:
    return {"n": n, "entity": entity, "key": key, "kind": "create", "at": now, "set": values}


def pushes(kind: str, device: Device, first_n: int, count: int, lane: int = 0) -> list[bytes]:
    now = SystemClock().now_ms()
    made = []
    for start in range(first_n, first_n + count * MUTATIONS, MUTATIONS):
        mutations = [_mutation(kind, device, n, now, lane) for n in range(start, start + MUTATIONS)]
        body = {"user": device.user, "now": now, "contract": CONTRACT_MAX, "pull": False, "mutations": mutations}
        made.append(request("/sync", body, device.token))
    return made


def push(server: Server, devices: Sequence[Device], kind: str, count: int) -> Figures:
    """Durable pushes of fifty in each pass, `count` from each of these devices, one connection each."""
    lanes = list(enumerate(devices)) if len(devices) > 1 else [(LANES - 1, devices[0])]
    refused: list[bytes] = []

    def look(body: bytes) -> None:
        if b'"refused"' in body or b'"conflict"' in body or body.count(b'"outcome"') != MUTATIONS:
            refused.append(body)

    run(hammer(server.port, [pushes(kind, d, 1, 2, lane) for lane, d in lanes], look))
    passes = iter(range(PASSES))

    def work() -> Any:
        first_n = 1 + (2 + next(passes) * count) * MUTATIONS
        return hammer(server.port, [pushes(kind, d, first_n, count, lane) for lane, d in lanes], look)

    found = best(server, work)
    assert not refused, refused[0][:500]
    batches = count * len(devices)
    figures = found.figures(batches)
    return {"mutations_per_s": round(batches * MUTATIONS / found.wall_s), **figures}
