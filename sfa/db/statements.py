"""Statements in the words of a database, kept for the whole process: each is put into words once, not once an engine.

A process has several engines (readers and a writer, one for each isolation level), a test or a simulation hundreds one
after the other, and all of one kind of database say the same: their dialects are set up alike in `sfa.db.database`,
the only place that makes engines. So the dialect's name stands in the key, where SQLAlchemy has the engine's own.
"""

from typing import Any

from sqlalchemy.util import LRUCache

CAPACITY = 2_000  # some 22 KiB each; beyond half as many again, those used longest ago are dropped


class _Statements(LRUCache[Any, Any]):
    """(dialect, statement, ...) -> compiled."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__((key[0].name, *key[1:]), value)


STATEMENTS = _Statements(CAPACITY)
