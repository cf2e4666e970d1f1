"""Alembic's entry: runs on the connection that `upgrade_database` opened, never on one of its own."""

from alembic import context

from sfa.db.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
    render_as_batch=True,
)
context.run_migrations()
