"""Promises 1 and 2 under `kill -9`: what a phone was told has landed is there, and nothing is there twice.

The server is killed at commit boundaries (between commit and answer too) and at moments of chance while a phone pushes;
on PostgreSQL the database server as well. The phone sends again from the number after the last acknowledged one.
"""

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from sfa.core.clock import SystemClock
from sfa.db.database import open_database
from sfa.db.migrations import upgrade
from sfa.db.tables import devices
from sfa.web.auth import set_password_hash
from tests.builders import company
from tests.postgres import Postgres, durable_postgres
from tests.races.mortal import PASSWORD, Courier, MortalServer, broken_promises

pytestmark = pytest.mark.xdist_group("waiting")  # for processes and clocks, while other workers compute

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
KILLS = 3
DATABASE_KILLS = 2
KILLS_OF_THE_LONG_PROOF = 100
DATABASE_KILLS_OF_THE_LONG_PROOF = 25
PUSHES_MAX = 1_000
LONGEST_LIFE_S = 0.2
BACK_S = 20


def prepare(url: str) -> None:
    """The company, with a password for Ana."""
    with closing(open_database(url)) as database:
        company(database)
        database.write(set_password_hash, "ana", CHEAP.hash(PASSWORD), SystemClock().now_ms())


@pytest.fixture
def sqlite_of_disk(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'company.db'}"
    upgrade(url)
    prepare(url)
    return url


@pytest.fixture(scope="module")
def lasting_postgres() -> Iterator[Postgres]:
    """Outside of pytest's own folder, which every other run of it closes to the user that PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="sfa-pg-"))
    try:
        with durable_postgres(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_of_disk(lasting_postgres: Postgres) -> Iterator[str]:
    url = lasting_postgres.create("lasting")
    upgrade(url)
    prepare(url)
    yield url
    lasting_postgres.drop("lasting")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url_of_disk(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue({"sqlite": "sqlite_of_disk", "postgresql": "postgres_of_disk"}[request.param])
    return url


class Ordeal:
    """One phone, one server, many deaths."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        self.url, self.rng = url, random.Random(seed)
        self.server = MortalServer(url, folder)
        self.courier = Courier("ana", seed)
        self.done_without_answer = 0

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.server.address, timeout=20, trust_env=False)

    def live(self, number: int) -> None:
        """One life of the server, from its start to its death: by chance, or around a commit."""
        way = (None, "after_commit", "before_commit")[number % 3]
        self.server.start("never" if way is None else f"{way}:{self.rng.randint(1, 4)}")
        with self.client() as client:
            if not self.courier.token:
                self.courier.login(client)
            if way is not None:
                self.push_until_death(client)
            else:
                assert self.courier.push(client), self.courier.codes
                killer = threading.Timer(self.rng.uniform(0, LONGEST_LIFE_S), self.server.kill)
                killer.start()
                self.push_until_death(client)
                killer.join()
        self.done_without_answer += self.landed() >= self.courier.expected_n

    def push_until_death(self, client: httpx.Client) -> None:
        pushes = 0
        while self.courier.push(client):
            pushes += 1
            assert pushes < PUSHES_MAX, "the server does not die"
        self.server.join()

    def push_until_refused(self, client: httpx.Client) -> None:
        while self.courier.push(client):
            pass

    def push_until_answered(self, client: httpx.Client) -> None:
        deadline = time.monotonic() + BACK_S
        while not self.courier.push(client):
            assert time.monotonic() < deadline, self.courier.codes
            time.sleep(0.05)

    def landed(self) -> int:
        with closing(open_database(self.url)) as database:
            query = select(devices.c.last_n).where(devices.c.key == self.courier.device)
            return int(database.read(lambda c: c.execute(query).scalar_one()))

    def finish(self) -> None:
        self.server.start()
        with self.client() as client:
            assert self.courier.push(client)
            self.courier.ask_again(client)
        self.server.kill()
        with closing(open_database(self.url)) as database:
            assert database.read(broken_promises, self.courier) == []


def suffer(url: str, folder: Path, kills: int, seed: int) -> Ordeal:
    ordeal = Ordeal(url, folder, seed)
    try:
        for number in range(kills):
            ordeal.live(number)
        ordeal.finish()
    finally:
        ordeal.server.kill()
    return ordeal


def lose_the_database(url: str, postgres: Postgres, folder: Path, kills: int, seed: int) -> Ordeal:
    ordeal = Ordeal(url, folder, seed)
    try:
        ordeal.server.start()
        with ordeal.client() as client:
            ordeal.courier.login(client)
            for _ in range(kills):
                assert ordeal.courier.push(client), ordeal.courier.codes
                pushing = threading.Thread(target=ordeal.push_until_refused, args=(client,))
                pushing.start()
                time.sleep(ordeal.rng.uniform(0, LONGEST_LIFE_S))
                postgres.kill()
                pushing.join()
                postgres.restart()
                ordeal.push_until_answered(client)
        ordeal.server.kill()
        ordeal.finish()
    finally:
        ordeal.server.kill()
    return ordeal


def test_a_server_killed_in_mid_push_loses_nothing_and_doubles_nothing(url_of_disk: str, tmp_path: Path) -> None:
    ordeal = suffer(url_of_disk, tmp_path, KILLS, 1)
    assert ordeal.done_without_answer >= 1, "no push was killed between its commit and its answer"
    assert ordeal.courier.unanswered == KILLS


@pytest.mark.postgresql
def test_a_database_server_killed_in_mid_push_loses_nothing_and_doubles_nothing(
    postgres_of_disk: str, lasting_postgres: Postgres, tmp_path: Path
) -> None:
    """The application's server lives on, answers `server_busy` meanwhile, and finds its way back by itself."""
    ordeal = lose_the_database(postgres_of_disk, lasting_postgres, tmp_path, DATABASE_KILLS, 3)
    assert set(ordeal.courier.codes) == {"server_busy"}
    assert ordeal.courier.unanswered == 0


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.timeout(1_800)
def test_many_deaths_of_the_database_server_lose_nothing_and_double_nothing(
    postgres_of_disk: str, lasting_postgres: Postgres, tmp_path: Path
) -> None:
    ordeal = lose_the_database(postgres_of_disk, lasting_postgres, tmp_path, DATABASE_KILLS_OF_THE_LONG_PROOF, 4)
    assert set(ordeal.courier.codes) == {"server_busy"}
    print(f"{len(ordeal.courier.acknowledged)} mutations, {ordeal.courier.codes}")


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_hundred_kills_lose_nothing_and_double_nothing(url_of_disk: str, tmp_path: Path) -> None:
    ordeal = suffer(url_of_disk, tmp_path, KILLS_OF_THE_LONG_PROOF, 2)
    assert ordeal.done_without_answer >= KILLS_OF_THE_LONG_PROOF / 4
    print(f"{len(ordeal.courier.acknowledged)} mutations, {ordeal.done_without_answer} pushes landed without an answer")
