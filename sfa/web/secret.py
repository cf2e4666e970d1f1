"""The server's secret: given by the settings, or made once and kept in the database, the same for every process.

What signs something takes a key of its own by `derive`, so that a token of one kind is never a valid one of another.
"""

import hashlib
import hmac
import secrets

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from sfa.db.database import Database
from sfa.db.tables import server_state

SECRET_BYTES = 32
SECRET_NAME = "secret"


class Secret:
    """Ready at once where it is given as text; otherwise after `load`, when the server starts."""

    def __init__(self, given: str | None = None) -> None:
        self._value = hashlib.sha256(given.encode()).digest() if given else None
        self._derived: dict[str, bytes] = {}

    async def load(self, database: Database) -> None:
        if self._value is None:
            self._value = await database.write_async(kept_secret)

    def read(self, connection: Connection) -> None:
        """As `load`, for the terminal."""
        if self._value is None:
            self._value = kept_secret(connection)

    def derive(self, purpose: str) -> bytes:
        """32 bytes that are good for one purpose only ("access-token", "cursor", …)."""
        key = self._derived.get(purpose)
        if key is None:
            if self._value is None:
                raise RuntimeError("the secret is read when the server starts")
            key = self._derived[purpose] = hmac.digest(self._value, purpose.encode(), "sha256")
        return key


def kept_secret(connection: Connection) -> bytes:
    """The secret of this database, made by whoever asks first; two processes at once get the same one."""
    query = select(server_state.c.value).where(server_state.c.name == SECRET_NAME)
    found = connection.execute(query).scalar()
    if found is None:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        row = {"name": SECRET_NAME, "value": secrets.token_bytes(SECRET_BYTES)}
        connection.execute(dialect.insert(server_state).values(row).on_conflict_do_nothing())
        found = connection.execute(query).scalar_one()
    return bytes(found)
