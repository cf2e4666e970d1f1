"""The databases that the seeds of one worker are played on."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.postgres import Postgres

if TYPE_CHECKING:
    from tests.simulation.databases import Worlds


@pytest.fixture(scope="session")
def sqlite_worlds() -> "Iterator[Worlds]":
    from tests.simulation.databases import worlds_of

    with worlds_of("sqlite") as worlds:
        yield worlds


@pytest.fixture(scope="session")
def postgres_worlds(postgres: Postgres) -> "Iterator[Worlds]":
    from tests.simulation.databases import PostgresWorlds

    with closing(PostgresWorlds(postgres.create("simulation"))) as worlds:
        yield worlds
    postgres.drop("simulation")
