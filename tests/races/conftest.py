"""The company of `tests.builders` on databases where transactions really meet.

On PostgreSQL a deadlock is looked for early, so that a test that wants many does not wait for them.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sfa.db.database import Database, open_database
from tests.builders import company
from tests.postgres import Postgres

DEADLOCK_TIMEOUT = "30ms"


def fill(url: str) -> None:
    opened = open_database(url, durable=False)
    company(opened)
    opened.close()


@pytest.fixture(scope="session")
def filled_postgres(postgres: Postgres, postgres_template: str) -> str:
    fill(postgres.create("races-filled", template=postgres_template))
    return "races-filled"


@pytest.fixture
def postgres_company_url(postgres: Postgres, filled_postgres: str) -> Iterator[str]:
    """The company on PostgreSQL, for this test alone."""
    url = postgres.create("races", template=filled_postgres)
    with closing(open_database(url)) as opened:
        opened.write(lambda c: c.exec_driver_sql(f"ALTER DATABASE races SET deadlock_timeout = '{DEADLOCK_TIMEOUT}'"))
    yield url
    postgres.drop("races")


@pytest.fixture
def postgres_company(postgres_company_url: str) -> Iterator[Database]:
    opened = open_database(postgres_company_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def filled_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("races") / "filled.db"
    shutil.copy(sqlite_template, path)
    fill(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_company_url(filled_sqlite: Path, tmp_path: Path) -> str:
    """The company on SQLite, for this test alone."""
    return f"sqlite:///{shutil.copy(filled_sqlite, tmp_path / 'sfa.db')}"


@pytest.fixture
def sqlite_company(sqlite_company_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_company_url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def company_url(request: pytest.FixtureRequest) -> str:
    """The company on each database."""
    url: str = request.getfixturevalue(
        {"sqlite": "sqlite_company_url", "postgresql": "postgres_company_url"}[request.param]
    )
    return url
