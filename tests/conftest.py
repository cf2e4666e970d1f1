"""The databases that tests stand on: a fresh, migrated one for each test, on SQLite and on a real PostgreSQL.

Each is migrated once for each worker; then SQLite's file is copied for each test, and PostgreSQL's rows are put back
(`tests.kept`). The PostgreSQL starts with the first test that asks for it; a pure test loads neither server nor schema,
hence the imports inside the fixtures. `database_url` and `database` run a test on both.
"""

import gc
import os
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.postgres import Postgres, running_postgres

if TYPE_CHECKING:
    from sfa.db.database import Database
    from tests.browser import Chromium
    from tests.kept import Kept
    from tests.office import Office

# As the process of a run does: sums of the forecast engine are the same bytes only if one thread makes them.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
# Workers, and the servers and terminals that tests start, read bytecode that was kept: compiling the product anew took
# half of what a process takes to start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The clock of a shared machine says nothing about the code, so no property fails for being slow.
settings.register_profile(
    "house", deadline=None, max_examples=100, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("full", parent=settings.get_profile("house"), max_examples=2_000)
settings.load_profile("house")


gc.disable()  # until everything is imported


def pytest_collection_finish() -> None:
    """What was imported stays to the end: looking through it again and again for garbage took a tenth of a run."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 50)


CHECKOUT = Path(__file__).parents[1]


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Modules that name an `xdist_group` go to one worker as a whole, so that what their tests share is made once.

    As `--dist loadgroup` would do it: pytest-xdist 3.8 writes the group into what pytest 9.2 reads no more.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(nodeid.partition("::")[0]) or nodeid


@cache
def _group_of(path: str) -> str | None:
    found = re.search(r'xdist_group\(\s*"([^"]+)"\s*\)', (CHECKOUT / path).read_text("utf-8"))
    return found.group(1) if found else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for each worker, so that no worker sees another one's transactions."""
    folder = Path(tempfile.mkdtemp(prefix="sfa-pg-"))
    try:
        with running_postgres(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a migrated database without rows."""
    from sfa.db.migrations import upgrade

    return postgres.template("migrated", upgrade)


@pytest.fixture(scope="session")
def postgres_kept(postgres: Postgres) -> Iterator[Callable[[str, str], "Kept"]]:
    """(name, template) -> a database like the template, for whoever asks for that name last."""
    from tests.kept import Kept

    found: dict[str, Kept] = {}

    def kept(name: str, template: str) -> Kept:
        if name not in found:
            found[name] = Kept(postgres, name, template)
        return found[name]

    yield kept
    for database in found.values():
        database.close()


@pytest.fixture
def postgres_url(postgres_kept: Callable[[str, str], "Kept"], postgres_template: str) -> str:
    """A migrated PostgreSQL database without rows, for this test alone."""
    return postgres_kept("test", postgres_template).url()


@pytest.fixture
def bare_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A PostgreSQL database without any table, for tests of the migrations themselves."""
    yield postgres.create("bare")
    postgres.drop("bare")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file without rows."""
    from sfa.db.migrations import upgrade

    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file without rows, for this test alone."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'sfa.db')}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test once on each database: `sqlite:///path` and `postgresql://postgres:@/name?host=/folder`."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture
def database(request: pytest.FixtureRequest, database_url: str) -> "Iterator[Database]":
    """An open database, closed after the test. It does not sync to disk and would not survive a power cut."""
    kept: Kept | None = None
    if not database_url.startswith("sqlite"):
        kept = request.getfixturevalue("postgres_kept")("test", request.getfixturevalue("postgres_template"))
    with _opened(database_url, kept) as opened:
        yield opened


def _opened(url: str, kept: "Kept | None") -> "AbstractContextManager[Database]":
    from sfa.db.database import open_database

    return kept.opened() if kept is not None else closing(open_database(url, durable=False))


@pytest.fixture(scope="session")
def office_templates() -> dict[str, str]:
    """dialect -> a database with the company of `tests.builders` in it: filled by the first test that asks."""
    return {}


def _filled(url: str) -> None:
    from sfa.db.database import open_database
    from tests.builders import company

    opened = open_database(url, durable=False)
    company(opened)
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def office(
    request: pytest.FixtureRequest, office_templates: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Office]":
    """The company of `tests.builders` on each database, for this test alone."""
    yield from _office(request.param, request, office_templates, tmp_path_factory, "office")


@pytest.fixture
def other_office(
    request: pytest.FixtureRequest,
    office: "Office",
    office_templates: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> "Iterator[Office]":
    """The same company once more, on a server of its own."""
    from sfa.db.database import SqliteDatabase

    kind = "sqlite" if isinstance(office.database, SqliteDatabase) else "postgresql"
    yield from _office(kind, request, office_templates, tmp_path_factory, "other")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def shared_office(
    request: pytest.FixtureRequest, office_templates: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Office]":
    """The same for the tests of one module that do not mind each other."""
    yield from _office(request.param, request, office_templates, tmp_path_factory, "shared")


def _office(
    kind: str, request: pytest.FixtureRequest, templates: dict[str, str], folders: pytest.TempPathFactory, name: str
) -> "Iterator[Office]":
    from tests.office import Office

    kept: Kept | None = None
    if kind == "sqlite":
        if "sqlite" not in templates:
            path = folders.mktemp("filled") / "company.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            _filled(f"sqlite:///{path}")
            templates["sqlite"] = str(path)
        url = f"sqlite:///{shutil.copy(templates['sqlite'], folders.mktemp('office') / 'sfa.db')}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        if "postgresql" not in templates:
            _filled(server.create("company", template=request.getfixturevalue("postgres_template")))
            templates["postgresql"] = "company"
        kept = request.getfixturevalue("postgres_kept")(name, templates["postgresql"])
        url = kept.url()
    with _opened(url, kept) as opened:
        yield Office(opened)


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Chromium]":
    """A browser for the tests of one module: see `tests.browser`. Such modules are of one `xdist_group`."""
    from tests.browser import running

    with running() as found:
        yield found
