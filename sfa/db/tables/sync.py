"""What keeps devices and server in agreement: clock, feed, scope intervals, registrations, receipts, history."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from sfa.db.tables.rows import KEY, METADATA

# One row. `seq` numbers every feed entry in commit order (S6); `epoch` names this history of the database, so that a
# restored backup is noticed; below `horizon` tombstones were purged; at `due_at` a dated assignment takes effect.
clock = Table(
    "clock",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("horizon", BigInteger, nullable=False),
    Column("due_at", BigInteger),
)

# Where the clock stood at a time, noted by a job: what "older than 180 days" means for the feed.
clock_marks = Table(
    "clock_marks",
    METADATA,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)

# One entry per (bucket, entity, key): a write moves it to a new seq (S7). Clustered by its key on SQLite, so that a
# first sync reads one stretch of the file.
feed = Table(
    "feed",
    METADATA,
    Column("bucket", KEY, primary_key=True),
    Column("entity", KEY, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("rev", BigInteger, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("doc", LargeBinary, nullable=False),
    Index("ix_feed_bucket_seq", "bucket", "seq"),
    sqlite_with_rowid=False,
)

# The newest number of each bucket (S7), and running sums over its live entries (S16): how many, and the halves of their
# parts of the digest, apart, so that an unsigned 64-bit sum never overflows a column.
bucket_heads = Table(
    "bucket_heads",
    METADATA,
    Column("bucket", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("live", BigInteger, nullable=False, server_default="0"),
    Column("digest_high", BigInteger, nullable=False, server_default="0"),
    Column("digest_low", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# `seq` is the clock when this user's scope last changed; the row is the lock of S8.
scope_users = Table(
    "scope_users",
    METADATA,
    Column("user_key", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

scope_intervals = Table(
    "scope_intervals",
    METADATA,
    Column("user_key", Text, primary_key=True),
    Column("bucket", Text, primary_key=True),
    Column("since_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("until_seq", BigInteger),
    sqlite_with_rowid=False,
)

# Append-only (R54): every version of every row, with who, from which device, when by that device's clock, and when
# corrected. `via` is the merged key through which the edit came, `reviewed_by` who accepted it for its author (S37).
# `seq` is the number of the clock from which the revision stood; null in what was written before there was one. What
# was written of deals lately is found by `OF_DEALS`, word for word: the index is of nothing else.
OF_DEALS = text("entity IN ('deals', 'deal_lines', 'accounts')")
history = Table(
    "history",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("rev", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("author_key", Text),
    Column("device_key", Text),
    Column("n", BigInteger),
    Column("device_at", BigInteger),
    Column("at", BigInteger, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
    Column("via", Text),
    Column("reviewed_by", Text),
    Column("seq", BigInteger),
    Index("ix_history_of_deals", "entity", "seq", sqlite_where=OF_DEALS, postgresql_where=OF_DEALS),
    Index("ix_history_via", "via", sqlite_where=text("via IS NOT NULL"), postgresql_where=text("via IS NOT NULL")),
    sqlite_with_rowid=False,
)

devices = Table(
    "devices",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("user_key", Text, ForeignKey("users.key"), nullable=False),
    Column("name", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("app_version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger),
    Column("last_n", BigInteger, nullable=False),
    Column("durable_n", BigInteger, nullable=False),
    Column("skew_ms", BigInteger),
    Column("skewed", Boolean, nullable=False),
    Column("queued", BigInteger),  # what waited on the device beside its last request, as it said
    Column("contract", Integer),
    Column("ended_at", BigInteger),
    Column("ended_by", Text),
    Index("ix_devices_user_key", "user_key"),
)

# What revoked registrations sent, part by part as the bodies that arrived, and what became of each part (S31). A phone
# that was cloned has one drain for each copy. `applied_as` is the registration under which it was taken.
# `progress` says how far a decision is carried out, until there is a `result`.
drains = Table(
    "drains",
    METADATA,
    Column("device_key", Text, ForeignKey("devices.key"), primary_key=True),
    Column("drain", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("parts", Integer, nullable=False),
    Column("drained_at", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("applied_as", Text),
    Column("decision", Text),
    Column("decided_at", BigInteger),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("result", JSON),
    Column("progress", Text),
)

# The receipts of one push, first_n..last_n, as one row: a push of 50 costs one insert.
receipts = Table(
    "receipts",
    METADATA,
    Column("device_key", Text, ForeignKey("devices.key"), primary_key=True),
    Column("last_n", BigInteger, primary_key=True, autoincrement=False),
    Column("first_n", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("items", JSON, nullable=False),
    sqlite_with_rowid=False,
)

# A merged row: its key leads to the survivor (S22). `losing` is what the loser was at that time, `into_key` the row
# that it was merged into itself, `filled` what that row took from it: field -> [old, new].
redirects = Table(
    "redirects",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("loser_key", Text, primary_key=True),
    Column("survivor_key", Text, nullable=False),
    Column("merged_at", BigInteger, nullable=False),
    Column("merged_by", Text),
    Column("survivor_rev", BigInteger, nullable=False),
    Column("losing", JSON, nullable=False),
    Column("children", JSON, nullable=False),
    Column("into_key", Text),
    Column("filled", JSON),
    Index("ix_redirects_entity_survivor_key", "entity", "survivor_key"),
    Index("ix_redirects_entity_merged_at_loser_key", "entity", "merged_at", "loser_key"),
    sqlite_with_rowid=False,
)

# What a note's text document is the sum of (S25): Yjs updates in their order. `rev` is the note's revision with it,
# `base` the one that its author had. An empty update says that a device had the text of `base` by itself.
note_updates = Table(
    "note_updates",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("rev", BigInteger, nullable=False),
    Column("base", BigInteger, nullable=False),
    Column("device_key", Text),
    Column("content", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
