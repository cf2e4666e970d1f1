"""S6: numbers follow the order of commits, so a cursor never passes a change that is still on its way.

Eight phones push at once, with pauses between work and commit, while three people poll as fast as they can. At the end
each must hold what the tables say, by deltas alone.
"""

import asyncio
from typing import Any

import pytest

from sfa.db import feed
from sfa.db.database import Database, open_database
from tests.builders import NOW, put_rows
from tests.office import Office, Phone
from tests.races.crowd import LONGEST_PAUSE_S, Pauses, Watcher, paused, run, send, slow_office, watched
from tests.races.truth import findings, visible

WRITERS = (("ana", "acme"), ("bob", "acme"), ("cleo", "zeta"), ("dirk", "zeta"))
WATCHING = ("ana", "cleo", "dirk")
ROUNDS = 6
RESERVED = 64  # numbers that the planted fault takes before it knows how many it needs


class NumbersTakenEarly(Pauses):
    """The planted fault: numbers come from a transaction of their own, before the work."""

    async def write_async(self, work: Any, /, *args: Any) -> Any:
        last = await self.database.write_async(_TAKE, RESERVED)

        def early(connection: Any, *given: Any) -> Any:
            connection.info["early"] = last
            return work(connection, *given)

        return await super().write_async(early, *args)


_TAKE = feed.take


def two_phones_each(office: Office) -> list[tuple[Phone, str]]:
    return [
        (office.phone(user, device), account) for user, account in WRITERS for device in (f"d-{user}-1", f"d-{user}-2")
    ]


def watchers(office: Office) -> list[Watcher]:
    return [Watcher(office.phone(user, f"d-{user}-eyes")) for user in WATCHING]


async def one_round(writers: list[tuple[Phone, str]], number: int) -> None:
    """Everybody pushes at once: a new contact, and words about a customer that others change too."""
    await asyncio.gather(
        *(
            send(
                phone,
                phone.mutation(
                    "create", "contacts", f"c-{phone.device}-{number}", set={"account_key": account, "name": "New"}
                ),
                phone.mutation("update", "accounts", account, base=1, set={"phone": f"{phone.device} {number}"}),
            )
            for phone, account in writers
        )
    )


async def lost_rows(office: Office, watching: list[Watcher]) -> list[str]:
    """What the watchers do not hold as the tables have it."""
    lost: list[str] = []
    for watcher in watching:
        wanted = await office.database.read_async(visible, office.clock.now_ms(), watcher.phone.user)
        seen = watcher.sees()
        places = sorted(wanted.keys() | seen.keys())
        lost += [f"{watcher.phone.user} {place}" for place in places if wanted.get(place) != seen.get(place)]
    return lost


async def work_and_watch(
    office: Office, writers: list[tuple[Phone, str]], watching: list[Watcher], rounds: int = ROUNDS
) -> list[str]:
    """What was lost in the first round that lost something."""
    for number in range(rounds):
        await watched(watching, one_round(writers, number))
        lost = await lost_rows(office, watching)
        if lost:
            return lost
    return []


@pytest.mark.postgresql
def test_a_polling_reader_never_misses_what_eight_writers_commit_at_once(postgres_company: Database) -> None:
    office = slow_office(postgres_company)
    writers, watching = two_phones_each(office), watchers(office)
    assert run(postgres_company, lambda: work_and_watch(office, writers, watching)) == []
    assert all(watcher.polls > ROUNDS for watcher in watching)
    assert len(office.rows("contacts")) == 2 + 2 * len(WRITERS) * ROUNDS
    assert postgres_company.read(findings, office.clock.now_ms()) == []


@pytest.mark.postgresql
def test_numbers_taken_before_the_work_are_found_out(
    postgres_company: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checker bites."""
    monkeypatch.setattr(feed, "take", lambda connection, _count: connection.info["early"])
    office = slow_office(postgres_company, kind=NumbersTakenEarly)
    writers, watching = two_phones_each(office), watchers(office)
    assert run(postgres_company, lambda: work_and_watch(office, writers, watching, 4 * ROUNDS)) != []


def test_on_sqlite_a_second_process_loses_nothing_and_its_readers_miss_nothing(sqlite_company: Database) -> None:
    """One server on an event loop, and an import or a tool that writes into the same file beside it."""
    office = slow_office(sqlite_company)
    writers, watching = two_phones_each(office), watchers(office)
    beside = open_database(sqlite_company.url)

    def import_beside() -> None:
        for number in range(4 * ROUNDS):
            rows = [("contacts", f"file-{number}", {"account_key": "acme", "name": "From a file"})]
            beside.write(paused, 0.0, LONGEST_PAUSE_S, put_rows, (rows, NOW))

    async def everybody() -> list[str]:
        importing = asyncio.create_task(asyncio.to_thread(import_beside))
        for number in range(ROUNDS):
            await watched(watching, one_round(writers, number))
        await importing
        await asyncio.gather(*(watcher.until_caught_up() for watcher in watching))
        return await lost_rows(office, watching)

    try:
        assert run(sqlite_company, everybody) == []
    finally:
        beside.close()
    assert len(office.rows("contacts")) == 2 + (2 * len(WRITERS) + 4) * ROUNDS
    assert sqlite_company.read(findings, office.clock.now_ms()) == []
