"""What the same work costs with nothing around it: the ratios of a run are taken to these.

A bare application behind the same server; sqlite3 reading and joining the same documents; sqlite3 writing the same
rows, durable. Figures are of this process, in the same units as those of the product.
"""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench import company
from bench.client import dealt, hammer, request
from bench.server import BARE, running
from bench.subjects import MUTATIONS, POLL_CONNECTIONS, Figures, best, run
from sfa.db.tables import ROWS

FILL = (
    "SELECT entity, key, doc FROM feed WHERE bucket = ? AND (entity, key) > (?, ?) AND NOT gone "
    "ORDER BY entity, key LIMIT 500"
)
DELTA = "SELECT seq, doc FROM feed WHERE bucket = ? AND seq > ? ORDER BY seq LIMIT 5001"


def bare(count: int) -> Figures:
    """The server library answering a constant to a poll's request, sixteen connections."""
    body = {"user": "rep-0", "now": company.NOW, "cursor": "x" * 110}
    with running(BARE) as server:
        requests = list(dealt([request("/sync", body, "x" * 300)] * count, POLL_CONNECTIONS))
        run(hammer(server.port, requests))
        return best(server, lambda: hammer(server.port, requests)).figures(count)


def read_all(path: Path) -> Figures:
    """Every document of every bucket, joined."""
    with closing(_opened(path)) as raw:
        _joined(raw)
        start, cpu = time.perf_counter(), time.process_time()
        rows, _ = _joined(raw)
        wall, used = time.perf_counter() - start, time.process_time() - cpu
    return {"rows": rows, "rows_per_s": round(rows / wall), "server_cpu_us": round(used / rows * 1e6, 2)}


def _joined(raw: sqlite3.Connection) -> tuple[int, int]:
    rows, size = 0, 0
    for i in range(company.TERRITORIES):
        after = ("", "")
        while page := raw.execute(FILL, (f"territory:t-{i}", *after)).fetchall():
            after = page[-1][:2]
            rows += len(page)
            size += len(b",".join([row[2] for row in page]))
    return rows, size


def read_delta(path: Path, seq: int, count: int) -> Figures:
    """The documents of the ten territories after a position, joined."""
    with closing(_opened(path)) as raw:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            found: list[tuple[int, bytes]] = []
            for i in range(company.TERRITORIES):
                found += raw.execute(DELTA, (f"territory:t-{i}", seq))
            b",".join([doc for _, doc in sorted(found)])
        wall, used = time.perf_counter() - start, time.process_time() - cpu
    return {
        "p50_ms": round(wall / count * 1e3, 3),
        "per_s": round(count / wall),
        "server_cpu_us": round(used / count * 1e6, 1),
    }


def write_batches(path: Path, count: int) -> Figures:
    """Fifty contacts a transaction: row, history, feed; then the clock, ten heads, the receipts and the device."""
    batches = [_batch(i) for i in range(count)]
    with closing(_opened(path)) as raw:
        start, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            raw.execute("BEGIN IMMEDIATE")
            for sql, rows in zip(STATEMENTS, batch, strict=True):
                raw.executemany(sql, rows)
            raw.execute("COMMIT")
        wall, used = time.perf_counter() - start, time.process_time() - cpu
    return {
        "mutations_per_s": round(count * MUTATIONS / wall),
        "p50_ms": round(wall / count * 1e3, 3),
        "per_s": round(count / wall),
        "server_cpu_us": round(used / count * 1e6, 1),
    }


_COLUMNS = [column.name for column in ROWS["contacts"].c]
_CONTACT = f"INSERT INTO contacts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_HISTORY = (
    "INSERT INTO history (entity, key, rev, kind, changes, at, stored_at) VALUES ('contacts', ?, 1, 'create', ?, 0, 0)"
)
_CLOCK = "UPDATE clock SET seq = seq + ? WHERE id = 1"
_FEED = "INSERT INTO feed (bucket, entity, key, seq, first, rev, gone, doc) VALUES (?, 'contacts', ?, ?, ?, 1, 0, ?)"
_HEADS = "UPDATE bucket_heads SET seq = ? WHERE bucket = ?"
_RECEIPTS = "INSERT INTO receipts (device_key, last_n, first_n, at, items) VALUES ('d-0-0', ?, ?, 0, ?)"
_DEVICE = "UPDATE devices SET last_n = ? WHERE key = 'd-0-0'"
STATEMENTS = (_CONTACT, _HISTORY, _CLOCK, _FEED, _HEADS, _RECEIPTS, _DEVICE)


def _batch(batch: int) -> list[list[tuple[Any, ...]]]:
    first = 10_000_000 + batch * MUTATIONS
    rows, history, feed, receipts = [], [], [], []
    for n in range(first, first + MUTATIONS):
        account = n % company.SEED_ACCOUNTS
        key, bucket = f"floor-{n}", f"territory:t-{account % company.TERRITORIES}"
        values = company.contact_values(n, f"a-{account}")
        stamps = json.dumps({field: [1, "d-0-0", 0, "d-0-0"] for field in values})
        row = {"key": key, "rev": 1, "gone": 0, "aged": 0, "stamps": stamps, "buckets": json.dumps([bucket]), **values}
        rows.append(tuple({**row, "active": 1}.get(name) for name in _COLUMNS))
        history.append((key, json.dumps({field: [None, value] for field, value in values.items()})))
        doc = json.dumps({"entity": "contacts", "key": key, "rev": 1, "row": values}).encode()
        feed.append((bucket, key, n, n, doc))
        receipts.append({"n": n, "outcome": "applied", "entity": "contacts", "key": key, "rev": 1})
    heads = [(first, f"territory:t-{i}") for i in range(company.TERRITORIES)]
    last = first + MUTATIONS - 1
    return [rows, history, [(MUTATIONS,)], feed, heads, [(last, first, json.dumps(receipts))], [(last,)]]


def _opened(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, cached_statements=64)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "mmap_size = 1073741824"):
        raw.execute(f"PRAGMA {pragma}")
    return raw
