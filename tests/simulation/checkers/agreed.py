"""Sums prove agreement (S16): those of the server are of the rows that lie in each bucket, and no device of this world,
whose files nobody damages, ever fetches a bucket again. (The model device compares its own sums with each page's.)
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, text

from tests.simulation.failure import Failed
from tests.simulation.phones import Phone
from tests.simulation.snapshot import Snapshot

HALF = 1 << 32


def check(connection: Connection, phones: Iterable[Phone], snapshot: Snapshot) -> None:
    kept = {}
    for bucket, live, high, low in connection.execute(
        text("SELECT bucket, live, digest_high, digest_low FROM bucket_heads WHERE live <> 0")
    ):
        kept[bucket] = (live, (high * HALF + low) % HALF**2)
    right = {}
    for bucket, rows in snapshot.in_bucket.items():
        hashes = [hashlib.sha256(f"{s.entity}/{s.key}/{s.rev}".encode()).hexdigest() for s in rows]
        right[bucket] = (len(rows), sum(int(found[:16], 16) for found in hashes) % HALF**2)
    for bucket in sorted(kept.keys() | right.keys()):
        if kept.get(bucket) != right.get(bucket):
            raise Failed("agreed", f"the sums of {bucket} are {kept.get(bucket)}, must be {right.get(bucket)}")
    for phone in phones:
        for repair in phone.repairs():
            raise Failed("agreed", f"{phone.key} had to repair {repair}")
