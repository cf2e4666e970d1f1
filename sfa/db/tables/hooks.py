"""What other systems are told (Standard Webhooks): endpoints, events in the order in which they happened, deliveries.

An event is added by the transaction in which it happened, with a delivery for each endpoint that wants it; sending
comes after, claimed by a process that beats while it works, as printing does.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from sfa.db.tables.rows import KEY, METADATA

# `secret` is sealed with the server's secret; `before` are those that are still signed with, the last until
# `before_until`. `kinds` is a list of kinds of events, empty for all. Nothing is sent until `paused_until`.
webhook_endpoints = Table(
    "webhook_endpoints",
    METADATA,
    Column("endpoint_key", KEY, primary_key=True),
    Column("url", Text, nullable=False),
    Column("about", Text),
    Column("kinds", JSON(none_as_null=True), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("before", LargeBinary),
    Column("before_until", BigInteger),
    Column("active", Boolean, nullable=False),
    Column("problem", Text),
    Column("failing_since", BigInteger),
    Column("paused_until", BigInteger),
    Column("made_at", BigInteger, nullable=False),
    Column("made_by", KEY),
)

# `body` is the JSON that is sent, byte by byte the same each time.
webhook_events = Table(
    "webhook_events",
    METADATA,
    Column("event_key", KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_webhook_events_at", "at"),
)

# `state` is queued, sending, delivered, dead or dropped.
webhook_deliveries = Table(
    "webhook_deliveries",
    METADATA,
    Column("endpoint_key", KEY, primary_key=True),
    Column("event_key", KEY, primary_key=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_by", Text),
    Column("beat_at", BigInteger),
    Column("status", Integer),
    Column("problem", Text),
    Column("last_at", BigInteger),
    Column("ended_at", BigInteger),
    Index("ix_webhook_deliveries_endpoint_key", "endpoint_key", "state", "due_at"),
    Index("ix_webhook_deliveries_event_key", "event_key"),
)
