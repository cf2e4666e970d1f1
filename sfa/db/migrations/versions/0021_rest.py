"""Requests that may be sent again, lists ordered by name, words by which names are found, and imports."""

import json

import sqlalchemy as sa
from alembic import op

from sfa.core.names import words

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

SEARCHED = {
    "accounts": ("name",),
    "contacts": ("name",),
    "deals": ("name",),
    "products": ("name", "sku"),
    "users": ("name",),
}
ROWS = 1_000  # at a time
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NAMED = ("accounts", "contacts", "deals", "products")


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("user_key", "key", name=op.f("pk_idempotency_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_idempotency_keys_at", "idempotency_keys", ["at"])
    for entity in NAMED:
        op.create_index(op.f(f"ix_{entity}_name_key"), entity, ["name", "key"])
    op.create_table(
        "name_words",
        sa.Column("entity", KEY, nullable=False),
        sa.Column("bucket", KEY, nullable=False),
        sa.Column("word", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.PrimaryKeyConstraint("entity", "bucket", "word", "key", name=op.f("pk_name_words")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_name_words_entity_key_word", "name_words", ["entity", "key", "word"])
    fill(op.get_bind())
    op.create_table(
        "import_runs",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("faulty", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_import_runs")),
    )
    op.create_index("ix_import_runs_begun_at", "import_runs", ["begun_at"])


def fill(connection: sa.Connection) -> None:
    """The words of the rows that are there."""
    for entity, fields in SEARCHED.items():
        _fill(connection, entity, fields)


def _fill(connection: sa.Connection, entity: str, fields: tuple[str, ...]) -> None:
    """A stretch of keys at a time."""
    table = sa.table(entity, *(sa.column(name) for name in ("key", "gone", "buckets", *fields)))
    into = sa.table("name_words", *(sa.column(name) for name in ("entity", "bucket", "word", "key")))
    last = ""
    while True:
        query = sa.select(table).where(table.c.key > last).order_by(table.c.key).limit(ROWS)
        found = connection.execute(query).mappings().all()
        if not found:
            return
        last = found[-1]["key"]
        rows = []
        for row in found:
            buckets = row["buckets"] if isinstance(row["buckets"], list) else json.loads(row["buckets"])
            by = words(*(row[field] for field in fields)) if not row["gone"] else ()
            rows += [
                {"entity": entity, "bucket": bucket, "word": word, "key": row["key"]}
                for bucket in buckets
                for word in by
            ]
        if rows:
            connection.execute(sa.insert(into), rows)
