"""Running counts and digests of what is live in each bucket (S16)."""

import hashlib
from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH_ROWS = 10_000
NEXT = sa.text(
    "SELECT bucket, entity, key, rev FROM feed "
    "WHERE NOT gone AND (bucket, entity, key) > (:bucket, :entity, :key) "
    "ORDER BY bucket, entity, key LIMIT :limit"
)
SET = sa.text(
    "UPDATE bucket_heads SET live = live + :live, digest_high = digest_high + :high, digest_low = digest_low + :low "
    "WHERE bucket = :bucket"
)


def upgrade() -> None:
    for name in ("live", "digest_high", "digest_low"):
        op.add_column("bucket_heads", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    bind, after = op.get_bind(), ("", "", "")
    while rows := bind.execute(
        NEXT, dict(zip(("bucket", "entity", "key"), after, strict=True), limit=BATCH_ROWS)
    ).all():
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for bucket, entity, key, rev in rows:
            part = hashlib.sha256(f"{entity}/{key}/{rev}".encode()).digest()
            found = sums[bucket]
            found[0] += 1
            found[1] += int.from_bytes(part[:4], "big")
            found[2] += int.from_bytes(part[4:8], "big")
        for bucket, (live, high, low) in sums.items():
            bind.execute(SET, {"bucket": bucket, "live": live, "high": high, "low": low})
        after = tuple(rows[-1][:3])
