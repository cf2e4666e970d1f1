"""Where the bytes of files are: uploads on their way, the parts that came, and contents that are kept. Never synced."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from sfa.db.tables.rows import METADATA

# One upload (tus 1.0). `state` is open, done or ended, and then `code` says why. `offset` counts the bytes that lie
# durably in the parts below; `holder` is the request that may add to them: a newer one takes its place.
uploads = Table(
    "uploads",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("user_key", Text, nullable=False),
    Column("attachment_key", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("holder", Text),
    Column("linked", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_uploads_user_key_state", "user_key", "state"),
    Index("ix_uploads_attachment_key", "attachment_key"),
    Index("ix_uploads_sha256", "sha256"),
    Index("ix_uploads_state_expires_at", "state", "expires_at"),
    Index("ix_uploads_state_linked", "state", "linked"),
)

# What came of an open upload, as pieces of their own: a request that lost its place may still be writing one, and it
# does not count then.
upload_parts = Table(
    "upload_parts",
    METADATA,
    Column("upload_key", Text, ForeignKey("uploads.key"), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
)

# One content. `state`: coming (being written), kept, or going (being deleted). `loose_at` is when the collector first
# found that no attachment has it; `looked_at` when it looked last; `at` when somebody last asked for it.
blobs = Table(
    "blobs",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("state", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("loose_at", BigInteger),
    Column("looked_at", BigInteger, nullable=False),
    Index("ix_blobs_state_looked_at", "state", "looked_at"),
)
