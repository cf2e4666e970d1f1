"""The demo's stage: a fresh database with a seeded company, and the server as a child process."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
from msgspec import Struct
from sqlalchemy import Connection, null, select

from sfa.core.errors import Refused
from sfa.core.layers import places
from sfa.db.tables import ROWS, scope_intervals

START_S = 30.0
STOP_S = 15.0


class Cast(Struct, frozen=True):
    """Who plays: `ana` and `ben` are reps of different territories in one team, `eva` manages them."""

    ana: tuple[str, str, str]  # key, name, e-mail
    ben: tuple[str, str, str]
    eva: tuple[str, str, str]


def cast(connection: Connection) -> Cast:
    """The first team that has a manager and two reps with territories of their own, both with customers and deals."""
    users, members, accounts = ROWS["users"], ROWS["team_members"], ROWS["accounts"]
    territories, deals = ROWS["territory_members"], ROWS["deals"]
    people = {
        row[0]: (row[0], row[1], row[2]) for row in connection.execute(select(users.c.key, users.c.name, users.c.email))
    }
    territory_of = dict(connection.execute(select(territories.c.user_key, territories.c.territory_key)).all())
    busy = set(connection.execute(select(accounts.c.territory_key).distinct()).scalars())
    owners = set(connection.execute(select(deals.c.owner_key).where(deals.c.closed_at.is_(None))).scalars())
    teams: dict[str, dict[str, list[str]]] = {}
    for team, user, role in connection.execute(
        select(members.c.team_key, members.c.user_key, members.c.role).order_by(members.c.team_key, members.c.user_key)
    ):
        teams.setdefault(team, {}).setdefault(role, []).append(user)
    for team in teams.values():
        reps = [u for u in team.get("member", []) if territory_of.get(u) in busy and u in owners]
        other = next((u for u in reps[1:] if territory_of[u] != territory_of[reps[0]]), None)
        if team.get("manager") and other is not None:
            return Cast(people[reps[0]], people[other], people[team["manager"][0]])
    raise Refused("row_unknown", "the seeded company has no team with two reps in two territories: take more reps")


def expected_rows(connection: Connection, user_key: str) -> dict[tuple[str, str], int]:
    """(entity, key) -> revision of every row that the server would show this user: from the tables and the scope,
    not from the feed, so that the two are held against each other."""
    held = set(
        connection.execute(
            select(scope_intervals.c.bucket).where(
                scope_intervals.c.user_key == user_key, scope_intervals.c.until_seq.is_(None)
            )
        ).scalars()
    )
    found: dict[tuple[str, str], int] = {}
    for entity, table in ROWS.items():
        layers = table.c.layers if "layers" in table.c else null()
        query = select(table.c.key, table.c.rev, table.c.buckets, layers).where(~table.c.gone, ~table.c.aged)
        for key, rev, buckets, found_in in connection.execute(query):
            if not held.isdisjoint(places(buckets, tuple(found_in.split(",")) if found_in else None)):
                found[entity, key] = rev
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(url: str, port: int, log: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """`sfa serve` in a process of its own; -> its address. Ended when the block ends."""
    settings = {**environment, "SFA_DATABASE_URL": url, "SFA_HOST": "127.0.0.1", "SFA_PORT": str(port)}
    settings["SFA_FILES_URL"] = (log.parent / "company.files").absolute().as_uri()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from sfa.app.cli import main; main()", "serve"],
            env=settings,
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise Refused("server_busy", f"the server did not start: see {log}")
