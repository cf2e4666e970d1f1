"""Whether the device agrees with a `caught_up` page, bucket by bucket (S16).

The sums are made from the memberships and the revisions of their rows, as the page left them; nothing is kept between
two looks, so a damaged file cannot vouch for itself. What a row says is not looked at, only that it is there and at
which revision.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby

from sfa.core.digests import BucketDigest, of_rows
from sync.device.store import Store

NOTHING = BucketDigest(0, "0" * 16)
# A membership without its row counts as revision 0, which no server has: it differs.
_HELD = """
SELECT m.bucket, m.entity, m.key, coalesce(r.rev, 0)
FROM memberships m LEFT JOIN rows r ON r.entity = m.entity AND r.key = m.key ORDER BY m.bucket
"""


def digests(store: Store) -> dict[str, BucketDigest]:
    """Of every bucket through which this device holds anything."""
    return dict(_digests(store))


def _digests(store: Store) -> Iterator[tuple[str, BucketDigest]]:
    for bucket, rows in groupby(store.execute(_HELD), key=lambda row: row[0]):
        yield bucket, of_rows((entity, key, rev) for _, entity, key, rev in rows)


def differing(store: Store, told: Mapping[str, BucketDigest]) -> tuple[str, ...]:
    """The buckets whose digest is not what the page says, by name."""
    mine = digests(store)
    return tuple(b for b in sorted(mine.keys() | told.keys()) if mine.get(b, NOTHING) != told.get(b, NOTHING))
