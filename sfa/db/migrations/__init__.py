"""Alembic migrations: `upgrade` brings a database to this version's schema, `is_current` says whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from sfa.db.database import Database, open_database


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade_database(database: Database) -> None:
    """Run every migration that is missing, in one transaction; safe to call at each start."""

    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

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
