"""Who may throw copies of files away: nobody while a copy is being made whose row does not stand yet.

Two apps or threads with a store of their own may share a device. `attaching` lets in as many as come; `tidying` says
whether it is alone with the folder, and keeps it so. The locks are those of SQLite on an empty file beside the folder:
they go with their holder, so a device that is killed leaves none.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WAIT_S = 30.0  # tidying is soon over


def _lock(folder: Path, wait_s: float) -> sqlite3.Connection:
    place = folder.with_name(f"{folder.name}-lock")
    place.touch(mode=0o600)
    return sqlite3.connect(str(place), isolation_level=None, timeout=wait_s)


@contextmanager
def attaching(folder: Path) -> Iterator[None]:
    """Until this ends no copy in the folder is thrown away."""
    with closing(_lock(folder, WAIT_S)) as lock:
        lock.execute("BEGIN")
        lock.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the lock that readers share
        yield


@contextmanager
def tidying(folder: Path) -> Iterator[bool]:
    """-> whether nobody is attaching, nor will before this ends."""
    with closing(_lock(folder, 0.0)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            yield False
            return
        yield True
