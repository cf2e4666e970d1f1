"""The suite's own PostgreSQL keeps its promises: fresh, separate, and durable where a test kills it."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.postgres import Postgres, durable_postgres

pytestmark = pytest.mark.postgresql


def run(url: str, *statements: str) -> Any:
    """The single value that the last statement answers."""

    async def work() -> Any:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(work())


def test_a_copy_of_a_template_has_its_rows_and_does_not_write_back(postgres: Postgres) -> None:
    template = postgres.template(
        "filled", lambda url: run(url, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1) RETURNING id")
    )
    first = postgres.create("first", template)
    run(first, "INSERT INTO t VALUES (2) RETURNING id")
    second = postgres.create("second", template)
    assert run(first, "SELECT count(*) FROM t") == 2
    assert run(second, "SELECT count(*) FROM t") == 1
    for name in ("first", "second", "filled"):
        postgres.drop(name)


def test_the_server_of_the_suite_listens_on_no_network(postgres: Postgres) -> None:
    assert run(postgres.url("postgres"), "SHOW listen_addresses") == ""


def test_a_durable_server_keeps_what_it_acknowledged_over_a_kill() -> None:
    # Not below pytest's own folder: another run of pytest may close that to the user whom PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="sfa-pg-") as folder, durable_postgres(Path(folder)) as server:
        assert run(server.url("postgres"), "SHOW fsync") == "on"
        url = server.create("kept")
        run(url, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1) RETURNING id")
        server.kill()
        server.restart()
        assert run(url, "SELECT count(*) FROM t") == 1
