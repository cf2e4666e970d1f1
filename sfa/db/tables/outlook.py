"""Runs of the forecast engine: who asked, how far it is, from which data it was made, and what came of it.

A run is claimed by a process that beats while it works; one that beats no more is taken over. What it found is stored
with its end, in one transaction; what was found before is served until then.
"""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from sfa.db.tables.rows import KEY, METADATA

# `state` is waiting, running, done, failed or cancelled; `code` says why one failed. `as_of` is the local day on
# which things were read, `seq` the clock's number at which they were read; `digest` is of the question,
# `found_digest` of the answer, so that an old figure can be made again and held against what it was. `progress`
# counts to 1,000.
outlook_runs = Table(
    "outlook_runs",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("asked_by", Text),
    Column("claimed_by", Text),
    Column("beat_at", BigInteger),
    Column("began_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("step", Text),
    Column("progress", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("seq", BigInteger),
    Column("currency", Text),
    Column("seed", BigInteger, nullable=False),
    Column("engine", Text),
    Column("digest", Text),
    Column("found_digest", Text),
    Column("code", Text),
    Column("learnt", JSON),
    Index("ix_outlook_runs_state", "state"),
    Index("ix_outlook_runs_as_of", "as_of"),
)

# `kind` is node (key: the node), deals (key: the owner), where (deal: under which owner), parts (who shares in deals
# that are not one person's alone), scores (key: the node), tree (what lies where), question (what was asked) or
# unrated (how much money has no rate); `doc` is JSON, compressed by zstd.
outlook_found = Table(
    "outlook_found",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("doc", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
