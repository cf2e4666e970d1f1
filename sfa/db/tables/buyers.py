"""What buyers do with proposals, and what is sent to them. Never synced: rows hear of it through the door.

Links name a token by its digest alone. `proposal_events` is the timeline that a certificate tells: rows are added, and
each names the one before it by its digest. What a buyer answered is one row for a version (R48), made in the
transaction that ends it; sealing its files comes after and is claimed like printing (`proposal_renders`). So is mail.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from sfa.db.tables.rows import KEY, METADATA

# `token_sha256` is the digest of a token of 128 bits; `recipient_key` is null for a link that is handed over by hand.
# `kind` is buyer, or staff: as the buyer sees it, counts for nothing and can answer nothing.
proposal_links = Table(
    "proposal_links",
    METADATA,
    Column("link_key", KEY, primary_key=True),
    Column("token_sha256", LargeBinary, nullable=False),
    Column("proposal_key", KEY, nullable=False),
    Column("version", Integer, nullable=False),
    Column("recipient_key", KEY),
    Column("kind", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("made_by", KEY),
    Column("ends_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("revoked_by", KEY),
    Index("uq_proposal_links_token_sha256", "token_sha256", unique=True),
    Index("ix_proposal_links_proposal_key", "proposal_key", "version"),
)

# `kind` is offer, reminder, answered, signed, declined, question, answer; `ordinal` counts those of a kind for one
# recipient and version, so that no two are asked for. `state` is queued, sending, sent, bounced, failed or dropped.
# What is written is made of the kept document when it is sent; `about` is what it needs beside that.
mail_outbox = Table(
    "mail_outbox",
    METADATA,
    Column("mail_key", KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("proposal_key", KEY, nullable=False),
    Column("version", Integer, nullable=False),
    Column("recipient_key", KEY),
    Column("user_key", KEY),
    Column("ordinal", Integer, nullable=False),
    Column("to_address", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("about", JSON(none_as_null=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("problem", Text),
    Column("attempts", Integer, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_by", Text),
    Column("beat_at", BigInteger),
    Column("sent_at", BigInteger),
    Column("message_id", Text),
    Index("ix_mail_outbox_state", "state", "due_at"),
    Index("ix_mail_outbox_proposal_key", "proposal_key", "version"),
    Index("ix_mail_outbox_message_id", "message_id"),
)

# `n` counts from 1 for each proposal; `digest` is of the row with `before`, the digest of the row before it.
proposal_events = Table(
    "proposal_events",
    METADATA,
    Column("proposal_key", KEY, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("recipient_key", KEY),
    Column("user_key", KEY),
    Column("address", Text),
    Column("agent", Text),
    Column("detail", LargeBinary, nullable=False),
    Column("before", Text, nullable=False),
    Column("digest", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Who signed which bytes: `document_digest` of what was sent, `chosen_digest` of that with the options that were taken.
# `recipient_key` is that of the recipient, or `link:` and the key of a link that was handed over. `picture` is the
# drawn signature, made anew by the server as PNG. `email` is where the link was mailed; `handed_over`: somebody of the
# company had it made and gave it on. `choices` is JSON as it was reckoned with.
proposal_signatures = Table(
    "proposal_signatures",
    METADATA,
    Column("proposal_key", KEY, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("recipient_key", KEY, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("link_key", KEY, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("handed_over", Boolean, nullable=False),
    Column("method", Text, nullable=False),
    Column("picture", LargeBinary),
    Column("consent", Text, nullable=False),
    Column("consent_digest", Text, nullable=False),
    Column("document_digest", Text, nullable=False),
    Column("chosen_digest", Text, nullable=False),
    Column("choices", LargeBinary, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("address", Text),
    Column("agent", Text),
    Column("at", BigInteger, nullable=False),
)

# One for each version that was accepted, declined or expired. `document` is the canonical JSON of what was accepted
# (`proposals.evidence.accepted`), null otherwise. `seal_state` is queued, sealing, sealed or failed; null where there
# is nothing to seal. `stamped` says whether a timestamp authority confirmed it.
proposal_answers = Table(
    "proposal_answers",
    METADATA,
    Column("proposal_key", KEY, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("recipient_key", KEY),
    Column("by", Text),
    Column("reason", Text),
    Column("document", LargeBinary),
    Column("digest", Text),
    Column("net_minor", BigInteger),
    Column("total_minor", BigInteger),
    Column("seal_state", Text),
    Column("code", Text),
    Column("problem", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", BigInteger),
    Column("claimed_by", Text),
    Column("beat_at", BigInteger),
    Column("sealed_at", BigInteger),
    Column("stamped", Boolean),
    Column("seal_key", KEY),
    Column("final_sha256", Text),
    Column("final_key", KEY),
    Column("certificate_sha256", Text),
    Column("certificate_key", KEY),
    Index("ix_proposal_answers_seal_state", "seal_state", "due_at"),
    Index("ix_proposal_answers_final_sha256", "final_sha256"),
    Index("ix_proposal_answers_certificate_sha256", "certificate_sha256"),
)

# One for each time that a page was looked at by somebody; `counted` where that was a person who is not of the company
# (R51), `why_not` otherwise. `sections` {key: seconds}; `beats` counts how often the page said so.
proposal_opens = Table(
    "proposal_opens",
    METADATA,
    Column("link_key", KEY, primary_key=True),
    Column("session", KEY, primary_key=True),
    Column("proposal_key", KEY, nullable=False),
    Column("version", Integer, nullable=False),
    Column("recipient_key", KEY),
    Column("began_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("sections", JSON(none_as_null=True), nullable=False),
    Column("beats", Integer, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("why_not", Text),
    Column("device", Text),
    Index("ix_proposal_opens_proposal_key", "proposal_key", "version"),
    Index("ix_proposal_opens_last_at", "last_at"),
)

# The company's keys for sealing: `certificate` is DER, `private_key` PKCS #8 sealed with the server's secret. The one
# that is not retired seals; the others are kept, to verify what they sealed.
seal_keys = Table(
    "seal_keys",
    METADATA,
    Column("seal_key", KEY, primary_key=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("private_key", LargeBinary),
    Column("made_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
)
