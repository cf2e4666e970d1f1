"""A bulk load leaves the database as the migrations made it."""

import warnings

import pytest
from sqlalchemy import Connection, inspect

from sfa.db.database import Database
from sfa.db.loading import GROWING, unhindered


def named(connection: Connection) -> set[str]:
    looked = inspect(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy does not read indexes on expressions from SQLite
        return {str(index["name"]) for table in GROWING for index in looked.get_indexes(table)}


def indexes(database: Database) -> set[str]:
    return database.read(named)


def test_indexes_are_away_while_a_load_lasts_and_stand_again_after_it(database: Database) -> None:
    before = indexes(database)
    assert {"ix_accounts_name_key", "ix_feed_bucket_seq"} <= before

    def work(connection: Connection) -> set[str]:
        with unhindered(connection):
            return named(connection)

    assert database.write(work) == set()
    assert indexes(database) == before


def test_a_load_that_fails_leaves_the_indexes_too(database: Database) -> None:
    before = indexes(database)

    def work(connection: Connection) -> None:
        with unhindered(connection):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(work)
    assert indexes(database) == before
