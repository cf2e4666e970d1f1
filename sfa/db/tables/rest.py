"""What REST keeps beside the rows: answers that may be asked for again, words by which names are found, imports."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from sfa.db.tables.rows import KEY, METADATA

# One request with an `Idempotency-Key`, and what it was answered; status 0 until its transaction is done.
idempotency_keys = Table(
    "idempotency_keys",
    METADATA,
    Column("user_key", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("rev", BigInteger),
    Column("location", Text),
    Index("ix_idempotency_keys_at", "at"),
    sqlite_with_rowid=False,
)

# By which words a row is found, in each bucket where it lies: the beginning of a word is one stretch of the first key.
name_words = Table(
    "name_words",
    METADATA,
    Column("entity", KEY, primary_key=True),
    Column("bucket", KEY, primary_key=True),
    Column("word", KEY, primary_key=True),
    Column("key", KEY, primary_key=True),
    Index("ix_name_words_entity_key_word", "entity", "key", "word"),
    sqlite_with_rowid=False,
)

# How far an import of one file by one person has come: `done` lines of `lines` are decided, in the transaction that
# wrote them. `faults` are the first ones, `faulty` counts all.
import_runs = Table(
    "import_runs",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("user_key", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("faults", JSON, nullable=False),
    Column("faulty", Integer, nullable=False),
    Index("ix_import_runs_begun_at", "begun_at"),
)
