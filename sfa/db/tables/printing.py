"""What is printed of proposals, and the pictures that they may show. Never synced: rows hear of it through the door.

An order is claimed by a process that beats while it works; one that beats no more is taken over. What came of it is
stored with its end, in one transaction. Nothing here is needed to print again what was sent (`proposal_versions`).
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from sfa.db.tables.rows import KEY, METADATA

# One document of one proposal; `digest` names it, with its template. `kind` is draft or final, `state` is queued,
# rendering, done or failed; `code` and `problem` say why it failed, or why it still waits. A lower `priority` comes
# first. `due_at` is when it may be tried (again). `body` is what is printed and with what (compressed by zstd; null
# once it has ended), `lines` says how long it is. `name` is the file's.
proposal_renders = Table(
    "proposal_renders",
    METADATA,
    Column("proposal_key", KEY, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("problem", Text),
    Column("priority", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("asked_by", KEY),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_by", Text),
    Column("beat_at", BigInteger),
    Column("began_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("body", LargeBinary),
    Column("sha256", Text),
    Column("size", BigInteger),
    Column("attachment_key", KEY),
    Index("ix_proposal_renders_state", "state", "due_at"),
    Index("ix_proposal_renders_began_at", "began_at"),
)

# `proposal_key` is empty for the company's own: logos, and what templates show. The bytes lie with those of files.
proposal_assets = Table(
    "proposal_assets",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("proposal_key", KEY, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("by", KEY),
    Index("ix_proposal_assets_proposal_key", "proposal_key"),
)
