"""A server that is killed again and again, and a phone that loses nothing over it.

`MortalServer` runs `tests.races.serve` as a process of its own, so SIGKILL ends it at any instruction. `Courier` makes
units of mutations under rising numbers, keeps them until they are acknowledged, and sends again from there; it is the
only one that knows what was promised, and `broken_promises` compares that with the tables.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy import Connection, select

from sfa.core.clock import SystemClock
from sfa.db.tables import ROWS, history, receipts
from sync.protocol import Receipt, SyncAnswer
from tests.races.truth import findings

START_S = 30.0
SECRET = "a secret of the tests that is long enough"
PASSWORD = "correct horse"
UNITS_A_PUSH = 6


class MortalServer:
    """The server's process; `start` begins a new one on the same database."""

    def __init__(self, url: str, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "SFA_DATABASE_URL": url,
            "SFA_SECRET": SECRET,
            "SFA_ACCESS_TTL_S": "86400",
            "PYTHONWARNINGS": "ignore",
        }
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.address = ""

    def start(self, die_at: str = "never") -> None:
        self.starts += 1
        port_file = self._folder / f"port-{self.starts}"
        command = [sys.executable, "-m", "tests.races.serve", str(port_file), die_at]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not (port_file.exists() and port_file.read_text()):
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.005)
        self.address = f"http://127.0.0.1:{port_file.read_text()}"

    def join(self) -> None:
        """Wait until it is dead."""
        assert self._process is not None
        assert self._process.wait(timeout=10) == -signal.SIGKILL

    def kill(self) -> None:
        """SIGKILL; nothing where it is dead already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)


class Courier:
    """One phone over HTTP. `acknowledged` maps a number to the receipt that came; `made` to what was sent."""

    def __init__(self, user: str, seed: int) -> None:
        self.user, self._rng = user, random.Random(seed)
        self.made: dict[int, dict[str, Any]] = {}
        self.acknowledged: dict[int, Receipt] = {}
        self.token = self.device = ""
        self.expected_n = 1
        self.unanswered = self.found_done = 0
        self.codes: dict[str, int] = {}

    def login(self, client: httpx.Client) -> None:
        device = {"name": "phone", "platform": "test", "app_version": "1"}
        body = {"email": f"{self.user}@example.com", "password": PASSWORD, "device": device}
        answer = client.post("/auth/login", json=body)
        assert answer.status_code in (200, 201), answer.text
        self.token, self.device = answer.json()["access_token"], answer.json()["device_id"]

    # -- what the phone makes ---------------------------------------------------------------------------------------

    def make_units(self, count: int) -> None:
        """A unit is a contact with a visit and its note; between two units the customer's phone number changes."""
        for _ in range(count):
            n = max(self.made, default=0) + 1
            acme = {"account_key": "acme"}
            name = f"{self.user}-{n}"
            self._make("contacts", f"c-{name}", {**acme, "name": "New"}, {"id": name, "size": 3})
            self._make("visits", f"v-{name}", {**acme, "owner_key": self.user}, {"id": name, "size": 3})
            self._make("notes", f"n-{name}", {**acme, "body": "Words"}, {"id": name, "size": 3})
            self._make("tasks", f"t-{name}", {"owner_key": self.user, "title": "Call"}, None)

    def _make(self, entity: str, key: str, values: dict[str, Any], unit: dict[str, Any] | None) -> None:
        n, now = max(self.made, default=0) + 1, SystemClock().now_ms()
        mutation = {"n": n, "entity": entity, "key": key, "kind": "create", "at": now, "set": values}
        self.made[n] = {**mutation, "unit": unit} if unit else mutation

    # -- what it sends ----------------------------------------------------------------------------------------------

    def push(self, client: httpx.Client) -> bool:
        """Send what is not acknowledged yet, or make more; -> whether an answer came."""
        if self.expected_n > max(self.made, default=0):
            self.make_units(self._rng.randint(1, UNITS_A_PUSH))
        waiting = [mutation for n, mutation in self.made.items() if n >= self.expected_n]
        found = self.send(client, waiting)
        if found is None:
            return False
        self._keep(found)
        return True

    def send(self, client: httpx.Client, mutations: list[dict[str, Any]]) -> SyncAnswer | None:
        body = {"user": self.user, "now": SystemClock().now_ms(), "mutations": mutations, "pull": False}
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            answer = client.post("/sync", content=msgspec.json.encode(body), headers=headers)
        except httpx.TransportError:
            self.unanswered += 1
            return None
        if answer.status_code != 200:
            code = str(answer.json()["code"])
            self.codes[code] = self.codes.get(code, 0) + 1
            return None
        return msgspec.json.decode(answer.content, type=SyncAnswer)

    def _keep(self, answer: SyncAnswer) -> None:
        assert answer.push is not None
        assert answer.push.stopped is None
        for receipt in answer.push.receipts:
            assert self.acknowledged.get(receipt.n, receipt) == receipt, f"another receipt for {receipt.n}"
            self.acknowledged[receipt.n] = receipt
        self.expected_n = answer.push.expected_n

    def ask_again(self, client: httpx.Client) -> None:
        """Send everything once more: every receipt must be the one that was given."""
        numbers = sorted(self.made)
        before = dict(self.acknowledged)
        for start in range(0, len(numbers), 400):
            answer = self.send(client, [self.made[n] for n in numbers[start : start + 400]])
            assert answer is not None
            self._keep(answer)
        assert self.acknowledged == before


def broken_promises(connection: Connection, courier: Courier) -> list[str]:
    """What was acknowledged and is not there, what is there and was not, what is there twice, and all of `truth`."""
    found = findings(connection, SystemClock().now_ms())
    query = select(history.c.n, history.c.entity, history.c.key).where(history.c.device_key == courier.device)
    landed = sorted(tuple(row) for row in connection.execute(query))
    wanted = sorted((n, courier.made[n]["entity"], courier.made[n]["key"]) for n in courier.acknowledged)
    found += [f"lost: {row}" for row in wanted if row not in set(landed)]
    found += [f"of nobody, or twice: {row}" for row in landed if landed.count(row) > 1 or row not in set(wanted)]
    found += [f"{r.n} was {r.outcome} {r.code}" for r in courier.acknowledged.values() if r.outcome != "applied"]
    for n, entity, key in wanted:
        if connection.execute(select(ROWS[entity].c.rev).where(ROWS[entity].c.key == key)).scalar() != 1:
            found.append(f"the row of {n} is not as it was sent")
    kept = select(receipts.c.first_n, receipts.c.last_n).where(receipts.c.device_key == courier.device)
    spans = sorted(tuple(row) for row in connection.execute(kept))
    ends = [0, *(last for _, last in spans)]
    found += [f"receipts {span} after {end}" for span, end in zip(spans, ends, strict=False) if span[0] != end + 1]
    return found if ends[-1] == max(courier.acknowledged, default=0) else [*found, f"receipts end at {ends[-1]}"]
