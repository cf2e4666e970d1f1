"""What is kept of proposals beside their rows: what was sent, who approved what, numbers, and templates as they were.

Rows of `proposal_versions` and `proposal_template_versions` are added and never changed, but for what became of a
version (`status`, `ended_at`, `cause`) and for its PDF, which is printed once (R46, R50). `proposal_approvals` is a
ledger. A series is counted in the transaction that sends, so that no number is missing and none is given twice (R52).
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from sfa.db.tables.rows import KEY, METADATA

# `document` is the canonical JSON of what was sent and `digest` its SHA-256. `number` is made of `series` and
# `ordinal`: all versions of a proposal have that of the first. `offer` is the JSON of what the amounts were reckoned
# of, to reckon them again with other options, `products` {line: product} (both null of what was sent before they were
# kept). `status` is sent, viewed, accepted, declined, expired, superseded or withdrawn; `quote` numbers the deal's
# frozen quote (R39). `pdf_sha256` names the bytes in the store, `pdf_key` their attachment, `pdf_template_digest` what
# really printed them: another one than `template_digest` where the program was replaced by one with other layouts
# before the PDF was made.
proposal_versions = Table(
    "proposal_versions",
    METADATA,
    Column("proposal_key", KEY, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("deal_key", KEY, nullable=False),
    Column("number", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("template_key", Text),
    Column("template_version", Integer, nullable=False),
    Column("template_digest", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("valid_until", Text, nullable=False),
    Column("quote", Integer),
    Column("offer", LargeBinary),
    Column("products", LargeBinary),
    Column("sent_at", BigInteger, nullable=False),
    Column("sent_by", KEY),
    Column("status", Text, nullable=False),
    Column("ended_at", BigInteger),
    Column("ended_by", KEY),
    Column("cause", Text),
    Column("pdf_sha256", Text, index=True),
    Column("pdf_key", KEY),
    Column("pdf_size", BigInteger),
    Column("pdf_template_digest", Text),
    Index("uq_proposal_versions_number", "series", "ordinal", "version", unique=True),
    Index("ix_proposal_versions_deal_key", "deal_key"),
    Index("ix_proposal_versions_sent_at", "sent_at"),
    Index("ix_proposal_versions_status", "status", "valid_until"),
)

# Files that went with a version: their contents stay as long as it does, whatever becomes of the attachment.
proposal_enclosures = Table(
    "proposal_enclosures",
    METADATA,
    Column("proposal_key", KEY, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("attachment_key", KEY, primary_key=True),
    Column("sha256", Text, nullable=False),
    Index("ix_proposal_enclosures_sha256", "sha256"),
    sqlite_with_rowid=False,
)

# `step` counts the rows of one proposal. `kind` is asked, approved, rejected or voided; `role` the one that an approval
# is of, or the roles asked for, by commas; `digest` is of `body`, the values that were asked about or approved (R49).
proposal_approvals = Table(
    "proposal_approvals",
    METADATA,
    Column("proposal_key", KEY, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("user_key", KEY),
    Column("role", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("text", Text),
    sqlite_with_rowid=False,
)

# `name` is prefix and year; `last` the number given last.
proposal_series = Table(
    "proposal_series",
    METADATA,
    Column("name", KEY, primary_key=True),
    Column("last", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# `body` is the canonical JSON of everything that the template says and looks like, `digest` its SHA-256.
proposal_template_versions = Table(
    "proposal_template_versions",
    METADATA,
    Column("template_key", KEY, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("made_by", KEY),
    Index("ix_proposal_template_versions_digest", "digest"),
)
