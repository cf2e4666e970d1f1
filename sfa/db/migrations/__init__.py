"""Alembic migrations: `upgrade` brings a database to this version's schema, `is_current` says whether it is there.

Rows that lie where the rules of this version do not let them lie move in the same transaction (`sfa.db.reissue`).
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from sfa.core.clock import Clock, SystemClock
from sfa.db.database import Database, open_database
from sfa.db.reissue import move_receipts, withdraw_figures


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade_database(database: Database, clock: Clock | None = None) -> None:
    """Run every migration that is missing, in one transaction; safe to call at each start."""

    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        now_ms = (clock or SystemClock()).now_ms()
        move_receipts(connection, now_ms)
        withdraw_figures(connection, now_ms)

    database.write(run)


def upgrade(url: str) -> None:
    """The same by URL."""
    database = open_database(url)
    try:
        upgrade_database(database)
    finally:
        database.close()


def is_current(connection: Connection) -> bool:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head
