"""The database that commands of the terminal work on, and who they act as."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, func, select

from sfa.app.settings import Settings
from sfa.core.errors import Refused
from sfa.db.database import Database, open_database
from sfa.db.migrations import is_current
from sfa.db.tables import ROWS


def database_url(url: str | None = None) -> str:
    """This one, or that of the settings."""
    return url if url is not None else Settings.from_environment(os.environ).database_url


@contextmanager
def current_database(url: str | None = None) -> Iterator[Database]:
    """Open until the block ends; refuses schema_outdated."""
    opened = open_database(database_url(url))
    try:
        if not opened.read(is_current):
            raise Refused("schema_outdated")
        yield opened
    finally:
        opened.close()


def user_key_of(connection: Connection, email: str) -> str:
    """Whoever has this address, or `row_unknown`."""
    users = ROWS["users"].c
    query = select(users.key).where(func.lower(users.email) == email.lower(), ~users.gone)
    found = connection.execute(query).scalar()
    if found is None:
        raise Refused("row_unknown", f"nobody has the e-mail address {email}")
    return str(found)
