"""A real server process that is asked to stop while devices listen ends at once and in order."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from sfa.web.auth import set_password_hash
from tests.builders import NOW
from tests.office import Office
from tests.sync.live.served import SETTINGS, Heard

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
STOP_S = 8.0  # well below the twenty seconds that a server waits for answers that do not end


@pytest.fixture
def child(office: Office, tmp_path: Path) -> "tuple[subprocess.Popen[bytes], Path]":
    office.database.write(set_password_hash, "ana", CHEAP.hash("correct horse"), NOW)
    port = tmp_path / "port"
    settings = {"SFA_DATABASE_URL": office.database.url, "SFA_SECRET": SETTINGS.secret or ""}
    environment = {"PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[3]), **settings}
    command = [sys.executable, "-m", "tests.races.serve", str(port), "never"]
    return subprocess.Popen(command, env=environment), port


def wait_for(port: Path) -> str:
    for _ in range(1500):
        if port.exists() and port.read_text():
            break
        time.sleep(0.02)
    return port.read_text()


async def story(process: "subprocess.Popen[bytes]", port: Path) -> None:
    url = f"http://127.0.0.1:{await asyncio.to_thread(wait_for, port)}"
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        device = {"name": "phone", "platform": "test", "app_version": "1"}
        login = {"email": "ana@example.com", "password": "correct horse", "device": device}
        token = (await http.post("/auth/login", json=login)).json()["access_token"]
        async with http.stream("GET", "/sync/live", headers={"authorization": f"Bearer {token}"}) as answer:
            heard = Heard(answer)
            assert (await heard.next())[0] == "opened"
            os.kill(process.pid, signal.SIGTERM)
            assert await heard.next() == ("end", '{"code": "server_stopping"}')
    await asyncio.to_thread(process.wait, STOP_S)


def test_a_server_that_is_terminated_does_not_wait_for_its_streams(
    child: "tuple[subprocess.Popen[bytes], Path]",
) -> None:
    process, port = child
    try:
        asyncio.run(story(process, port))
    finally:
        process.kill()
        process.wait()
