"""What never syncs: passwords, tokens, rate limits, wakes, the server's own state and the claims of its jobs."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from sfa.db.tables.rows import METADATA

# In which heaps a customer or a contact is looked for when another one is compared with it (S30).
likeness_blocks = Table(
    "likeness_blocks",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("block", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Index("ix_likeness_blocks_entity_key", "entity", "key"),
    sqlite_with_rowid=False,
)

# Of which two visits a conflict is: its row names one of them, because not everybody who sees it sees both (R13, S13).
visit_pairs = Table(
    "visit_pairs",
    METADATA,
    Column("conflict_key", Text, primary_key=True),
    Column("visit_key", Text, nullable=False, index=True),
    Column("other_key", Text, nullable=False, index=True),
)

# Who was erased, by every key that led to the person: no data of anybody. Never purged, and kept apart from backups.
erasures = Table(
    "erasures",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("survivor_key", Text, nullable=False),
    Column("erased_at", BigInteger, nullable=False),
    Column("erased_by", Text),
    Column("reason", Text, nullable=False),
    Index("ix_erasures_survivor_key", "survivor_key"),
    sqlite_with_rowid=False,
)

server_state = Table(
    "server_state",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

credentials = Table(
    "credentials",
    METADATA,
    Column("user_key", Text, ForeignKey("users.key"), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

# Only digests are kept. A family is one login and `position` the place in it: the highest one is the head. `used_at` is
# the first sight of a token or of an access token minted with it; a superseded token that was never seen is revoked.
refresh_tokens = Table(
    "refresh_tokens",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("family", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("device_key", Text, ForeignKey("devices.key"), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    Index("ix_refresh_tokens_family_position", "family", "position", unique=True),
    Index("ix_refresh_tokens_device_key", "device_key"),
)

login_attempts = Table(
    "login_attempts",
    METADATA,
    Column("subject", LargeBinary, primary_key=True),
    Column("window_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
)

# A job's run claims its slot by inserting it, so two processes never do the same run.
job_runs = Table(
    "job_runs",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("claimed_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("outcome", Text),
)

# Where a registration wants to be told "sync now" while it is not connected (S33). `address` is a secret of the device.
# It was told, or has, everything up to `seq`; nothing is sent before `next_at`, nor before `live_until`, which a
# process that has its stream keeps in the future.
wakes = Table(
    "wakes",
    METADATA,
    Column("device_key", Text, ForeignKey("devices.key"), primary_key=True),
    Column("service", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("since_at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("live_until", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
)

# Up to which local day the visits of a plan were made (`sfa.visits.plans`).
plan_horizons = Table(
    "plan_horizons",
    METADATA,
    Column("plan_key", Text, primary_key=True),
    Column("done_until", Text, nullable=False),
    Index("ix_plan_horizons_done_until", "done_until"),
)

# Who may read whose planned visits as a calendar: SHA-256 of the token in its address. One for each user.
calendar_tokens = Table(
    "calendar_tokens",
    METADATA,
    Column("user_key", Text, ForeignKey("users.key"), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("uq_calendar_tokens_digest", "digest", unique=True),
)
