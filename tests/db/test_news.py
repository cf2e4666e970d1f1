"""Alarms come after commits, from whatever process, and again after the connection was lost (S9)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, text

from sfa.db import feed, news
from sfa.db.database import Database, open_database
from tests.builders import put_rows
from tests.office import Office

NORTH = ("contacts", "carl", {"phone": "9"})
PATIENCE_S = 10.0


async def hearing(database: Database, story: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    heard = asyncio.Event()
    task = asyncio.create_task(news.hear(database, heard.set))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()  # it listens
            heard.clear()
            await story(heard)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.close_async()


def test_a_commit_that_changes_the_feed_is_heard_and_a_rollback_is_not(office: Office) -> None:
    opened = open_database(office.database.url)

    def fails(connection: Connection) -> None:
        put_rows(connection, [NORTH])
        raise RuntimeError

    async def story(heard: asyncio.Event) -> None:
        with pytest.raises(RuntimeError):
            await opened.write_async(fails)
        await asyncio.sleep(0.1)
        assert not heard.is_set()
        await opened.write_async(put_rows, [NORTH])
        await heard.wait()

    asyncio.run(hearing(opened, story))


@pytest.mark.postgresql
def test_a_listener_whose_connection_is_cut_listens_again_and_looks_at_what_it_missed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "RECONNECT_S", 0.05)
    opened = open_database(postgres_url)
    cut = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")

    async def story(heard: asyncio.Event) -> None:
        assert await opened.write_async(lambda c: c.execute(cut).scalar()) == 1
        await heard.wait()  # connected anew: whoever listens now looks once
        heard.clear()
        await opened.write_async(lambda c: feed.take(c, 1))
        await heard.wait()

    asyncio.run(hearing(opened, story))


def test_news_are_the_buckets_and_the_people_after_a_number(office: Office) -> None:
    before = office.seq()
    assert office.database.read(news.since, before) == (before, [], [])
    office.put(NORTH)
    assert office.database.read(news.since, before).buckets == ["territory:t-north"]
    here = office.seq()
    member = {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}
    office.put(("territory_members", "tm-new", member))
    found = office.database.read(news.since, here)
    assert (found.buckets, found.users) == (["all"], ["ana", "mia"]), "her manager holds it too"
    stood = office.database.read(news.standing, "ana", before)
    assert stood.news
    assert "territory:t-south" in stood.held
    assert not office.database.read(news.standing, "ana", found.seq).news
