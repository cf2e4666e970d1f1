"""A real `sfa serve` with a seeded company, and apps on `node` that reach it through a tunnel each."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Select, select

from sfa.core.layers import places
from sfa.core.shapes import SHAPES
from sfa.db.database import Database
from sfa.db.scope import held_now
from sfa.db.tables import ROWS
from sync.protocol import CONTRACT_MAX
from tests.sync.clients.tunnel import Tunnel

SFA = [sys.executable, "-c", "from sfa.app.cli import main; main()"]
PHONE = Path(__file__).parent / "phone.mjs"
PASSWORD = "demo-password-1"
PATIENCE_S = 90.0
_RUNNING = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


def sfa(url: str, *words: str) -> str:
    """A command of the terminal on this database; -> what it printed."""
    done = subprocess.run(
        [*SFA, *words], env=environment(url), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(url: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    secret = "a secret of the tests that is long enough"
    found = {**os.environ, "SFA_DATABASE_URL": url, "SFA_SECRET": secret, "PYTHONWARNINGS": "ignore"}
    return {**found, **(more or {})}


class Server:
    """`sfa serve` as a process of its own. `more` are variables beside those of every one; it is started again where
    it was, so a `port` that is said is one that others may be told before."""

    def __init__(self, url: str, folder: Path, more: Mapping[str, str] | None = None, port: int = 0) -> None:
        self.url, self._log, self._more = url, folder / "server.log", more
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("wb") as log:
            command = [*SFA, "serve", "--port", str(self.port)]
            self._process = subprocess.Popen(command, env=environment(self.url, self._more), stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while (found := _RUNNING.search(self._log.read_text())) is None:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        self.port = int(found[1])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def said(self) -> str:
        """What it wrote since it was started last."""
        return self._log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)


class App:
    """One installation of the small client. Each `run` is a new start of the app on the same store."""

    def __init__(self, name: str, server: Server, folder: Path, page_rows: int = 50) -> None:
        self.store = folder / f"{name}.json"
        self.tunnel = Tunnel(server.port)
        self.address = self.tunnel.url
        self.page_rows = page_rows

    def start(self, *commands: list[Any]) -> "subprocess.Popen[str]":
        """The app, running: to be killed, or read to its end."""
        numbers = (str(self.page_rows), str(CONTRACT_MAX))
        node = ["node", str(PHONE), str(self.store), self.address, *numbers, json.dumps(commands)]
        return subprocess.Popen(node, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *commands: list[Any]) -> list[Any]:
        """What each command returned; `{"failed": code}` where it failed."""
        process = self.start(*commands)
        said, wrong = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, wrong
        found: list[Any] = json.loads(said)
        return found

    def do(self, *commands: list[Any]) -> Any:
        """The same, where nothing may fail; -> what the last one returned."""
        said = self.run(*commands)
        assert [one for one in said if isinstance(one, dict) and "failed" in one] == []
        return said[-1]

    def stored(self) -> dict[str, Any]:
        """The store as it lies on the disk."""
        found: dict[str, Any] = json.loads(self.store.read_text("utf-8"))
        return found

    def rows(self) -> dict[tuple[str, str], tuple[int, Any]]:
        """(entity, key) -> revision and row, as the server said them last."""
        return {(row["entity"], row["key"]): (row["rev"], row["doc"]) for row in self.stored()["rows"].values()}

    def receipts(self) -> dict[int, Any]:
        return {item["n"]: item["receipt"] for item in self.stored()["outbox"]}


def truth(database: Database, user: str) -> dict[tuple[str, str], tuple[int, Any]]:
    """What a user's device must hold, read off the tables: live rows, not too old, that lie in a held bucket."""
    held = database.read(held_now, user)
    found: dict[tuple[str, str], tuple[int, Any]] = {}
    for entity, table in ROWS.items():
        query = select(table).where(~table.c.gone, ~table.c.aged)
        for row in database.read(_all, query):
            layers = tuple(row["layers"].split(",")) if row.get("layers") else None
            if not held.isdisjoint(places(row["buckets"], layers)):
                found[entity, row["key"]] = (row["rev"], {field: row[field] for field in SHAPES[entity].types})
    return found


def _all(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def equal(held: dict[tuple[str, str], tuple[int, Any]], wanted: dict[tuple[str, str], tuple[int, Any]]) -> list[str]:
    """Where two sets of rows differ, in words."""
    found = [f"{place} is not there" for place in wanted.keys() - held.keys()]
    found += [f"{place} should not be there" for place in held.keys() - wanted.keys()]
    for place in held.keys() & wanted.keys():
        if held[place] != wanted[place]:
            found.append(f"{place}: {held[place]} instead of {wanted[place]}")
    return sorted(found)


def needs_node() -> None:
    """Skip where there is no `node` that brings `fetch` and may flush what it writes (20.10 or later)."""
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("node is not installed: the small client is written in JavaScript")
    major, minor = (int(part) for part in said.stdout.strip().lstrip("v").split(".")[:2])
    if (major, minor) < (20, 10):
        pytest.skip(f"node {said.stdout.strip()} is older than 20.10")
