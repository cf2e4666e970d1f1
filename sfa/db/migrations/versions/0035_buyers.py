"""What buyers do with proposals: recipients and questions as rows that travel, links, mail, opens, signatures, answers,
keys for sealing; and webhooks. `sfa reissue proposals proposal_templates` tells devices the new fields of their rows.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON(none_as_null=True)
KINDS: dict[str, Any] = {
    "key": KEY,
    "text": sa.Text(),
    "int": sa.Integer(),
    "big": sa.BigInteger(),
    "flag": sa.Boolean(),
    "json": JSON,
    "bytes": sa.LargeBinary(),
}
TABLES: dict[str, tuple[str, str]] = {
    "proposal_links": (
        "link_key",
        "link_key:key! token_sha256:bytes! proposal_key:key! version:int! recipient_key:key kind:text! made_at:big! "
        "made_by:key ends_at:big revoked_at:big revoked_by:key",
    ),
    "mail_outbox": (
        "mail_key",
        "mail_key:key! kind:text! proposal_key:key! version:int! recipient_key:key user_key:key ordinal:int! "
        "to_address:text! language:text! about:json! state:text! code:text problem:text attempts:int! asked_at:big! "
        "due_at:big! claimed_by:text beat_at:big sent_at:big message_id:text",
    ),
    "proposal_events": (
        "proposal_key n",
        "proposal_key:key! n:int! version:int! at:big! kind:text! recipient_key:key user_key:key address:text "
        "agent:text detail:bytes! before:text! digest:text!",
    ),
    "proposal_signatures": (
        "proposal_key version recipient_key",
        "proposal_key:key! version:int! recipient_key:key! ordinal:int! link_key:key! name:text! email:text "
        "handed_over:flag! method:text! picture:bytes consent:text! consent_digest:text! document_digest:text! "
        "chosen_digest:text! choices:bytes! total_minor:big! address:text agent:text at:big!",
    ),
    "proposal_answers": (
        "proposal_key version",
        "proposal_key:key! version:int! kind:text! at:big! recipient_key:key by:text reason:text document:bytes "
        "digest:text net_minor:big total_minor:big seal_state:text code:text problem:text attempts:int! due_at:big "
        "claimed_by:text beat_at:big sealed_at:big stamped:flag seal_key:key final_sha256:text final_key:key "
        "certificate_sha256:text certificate_key:key",
    ),
    "proposal_opens": (
        "link_key session",
        "link_key:key! session:key! proposal_key:key! version:int! recipient_key:key began_at:big! last_at:big! "
        "seconds:int! sections:json! beats:int! counted:flag! why_not:text device:text",
    ),
    "seal_keys": ("seal_key", "seal_key:key! certificate:bytes! private_key:bytes made_at:big! retired_at:big"),
    "webhook_endpoints": (
        "endpoint_key",
        "endpoint_key:key! url:text! about:text kinds:json! secret:bytes! before:bytes before_until:big active:flag! "
        "problem:text failing_since:big paused_until:big made_at:big! made_by:key",
    ),
    "webhook_events": ("event_key", "event_key:key! kind:text! at:big! body:bytes!"),
    "webhook_deliveries": (
        "endpoint_key event_key",
        "endpoint_key:key! event_key:key! state:text! attempts:int! due_at:big! claimed_by:text beat_at:big "
        "status:int problem:text last_at:big ended_at:big",
    ),
}
WITHOUT_ROWID = ("proposal_events",)
INDEXES = (
    ("uq_proposal_links_token_sha256", "proposal_links", "token_sha256"),
    ("ix_proposal_links_proposal_key", "proposal_links", "proposal_key version"),
    ("ix_mail_outbox_state", "mail_outbox", "state due_at"),
    ("ix_mail_outbox_proposal_key", "mail_outbox", "proposal_key version"),
    ("ix_mail_outbox_message_id", "mail_outbox", "message_id"),
    ("ix_proposal_answers_seal_state", "proposal_answers", "seal_state due_at"),
    ("ix_proposal_answers_final_sha256", "proposal_answers", "final_sha256"),
    ("ix_proposal_answers_certificate_sha256", "proposal_answers", "certificate_sha256"),
    ("ix_proposal_opens_proposal_key", "proposal_opens", "proposal_key version"),
    ("ix_proposal_opens_last_at", "proposal_opens", "last_at"),
    ("ix_proposal_versions_sent_at", "proposal_versions", "sent_at"),
    ("ix_webhook_events_at", "webhook_events", "at"),
    ("ix_webhook_deliveries_endpoint_key", "webhook_deliveries", "endpoint_key state due_at"),
    ("ix_webhook_deliveries_event_key", "webhook_deliveries", "event_key"),
)
ROW_TABLES = {
    "proposal_recipients": (
        "proposal_key:text! contact_key:text name:text! email:text! language:text role:text position:big state:text "
        "problem:text mailed_at:big opened_at:big last_opened_at:big opens:big answered_at:big opted_out_at:big",
        ("proposal_key", "contact_key"),
    ),
    "proposal_questions": (
        "proposal_key:text! version:big! recipient_key:text place:text asked_by:text! asked_at:big! text:text! "
        "answer:text answered_at:big answered_by:text",
        ("proposal_key",),
    ),
}
ADDED = {
    "proposals": "opened_at:big last_opened_at:big opens:big outcome:json final_key:text certificate_key:text",
    "proposal_versions": "offer:bytes products:bytes",
    "proposal_templates": "remind_after_days:json remind_before_days:big",
}


def _columns(said: str) -> list[sa.Column[Any]]:
    """`name:kind name:kind!`, the mark for what is never null."""
    found = (each.split(":") for each in said.split())
    return [sa.Column(name, KINDS[kind.rstrip("!")], nullable=not kind.endswith("!")) for name, kind in found]


def upgrade() -> None:
    for name, (said, indexed) in ROW_TABLES.items():
        op.create_table(
            name,
            *_columns("key:key! rev:big! gone:flag! aged:flag!"),
            sa.Column("stamps", sa.JSON(), nullable=False),
            sa.Column("buckets", sa.JSON(), nullable=False),
            *_columns("layers:text created_at:big created_by:text"),
            *_columns(said),
            sa.ForeignKeyConstraint(["proposal_key"], ["proposals.key"], name=op.f(f"fk_{name}_proposal_key")),
            sa.PrimaryKeyConstraint("key", name=op.f(f"pk_{name}")),
        )
        for field in indexed:
            op.create_index(op.f(f"ix_{name}_{field}"), name, [field], unique=False)
    for table, said in ADDED.items():
        for column in _columns(said):
            op.add_column(table, column)
    proposals, templates = (sa.table(n, *_columns(ADDED[n])) for n in ("proposals", "proposal_templates"))
    op.execute(proposals.update().values(opens=0))
    op.execute(templates.update().values(remind_before_days=2))
    for name, (keys, said) in TABLES.items():
        more = {"sqlite_with_rowid": False} if name in WITHOUT_ROWID else {}
        op.create_table(name, *_columns(said), sa.PrimaryKeyConstraint(*keys.split(), name=op.f(f"pk_{name}")), **more)
    for name, table, names in INDEXES:
        op.create_index(name, table, names.split(), unique=name.startswith("uq_"))


def downgrade() -> None:
    op.drop_index("ix_proposal_versions_sent_at", "proposal_versions")
    for name in (*reversed(TABLES), *reversed(ROW_TABLES)):
        op.drop_table(name)
    for table, said in ADDED.items():
        for column in _columns(said):
            op.drop_column(table, str(column.name))
