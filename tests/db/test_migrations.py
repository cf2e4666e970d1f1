"""The migrations make exactly the tables that the code describes."""

import warnings

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from sfa.db.database import Database
from sfa.db.migrations import is_current, upgrade_database
from sfa.db.tables import METADATA
from sfa.db.tables.rows import KEY


def _differences(connection: Connection) -> list[object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Alembic cannot compare an index on an expression; it is looked at below
        compared = {"compare_type": True, "include_object": lambda _, name, *__: name != "ix_visits_counted"}
        context = MigrationContext.configure(connection, opts=compared)
        return list(compare_metadata(context, METADATA))


def test_a_migrated_database_has_exactly_the_tables_of_the_code(database: Database) -> None:
    assert database.read(_differences) == []


def _definition(connection: Connection, index: str) -> str:
    if connection.dialect.name == "sqlite":
        query = "SELECT sql FROM sqlite_master WHERE name = :index"
    else:
        query = "SELECT indexdef FROM pg_indexes WHERE indexname = :index"
    return str(connection.execute(text(query), {"index": index}).scalar_one()).lower()


def test_one_living_user_for_each_address_is_an_index_of_the_database(database: Database) -> None:
    found = database.read(_definition, "uq_users_email")
    assert "unique" in found
    assert "lower(email)" in found
    assert "not gone" in found


def test_an_index_holds_all_that_is_counted_of_a_visit_in_the_order_of_the_count(database: Database) -> None:
    found = database.read(_definition, "ix_visits_counted")
    columns = [name.strip() for name in found[found.index("(") + 1 : found.rindex(")")].split(",")]
    assert (columns[:2], columns[-2:]) == (["owner_key", "status"], ["verdict", "gone"])
    moments = ("case", "no_show", "cancelled", "then coalesce(planned_at, created_at)", "else checked_in_at")
    assert [found.index(word) for word in moments] == sorted(found.index(word) for word in moments)


def test_an_upgrade_of_a_current_database_changes_nothing(database: Database) -> None:
    def epoch(connection: Connection) -> str:
        return str(connection.execute(text("SELECT epoch FROM clock")).scalar_one())

    before = database.read(epoch)
    upgrade_database(database)
    assert database.read(is_current)
    assert database.read(epoch) == before


def test_the_feed_has_the_index_without_which_a_delta_scans_its_bucket(database: Database) -> None:
    indexes = database.read(lambda connection: inspect(connection).get_indexes("feed"))
    assert ["bucket", "seq"] in [index["column_names"] for index in indexes]


def test_every_key_of_what_figures_are_made_of_is_ordered_as_python_orders_it(database: Database) -> None:
    """Pages go on where a key left off; a server of another collation would skip some and repeat others."""
    tables = ["credits", "credited_quantities", "kept_credits", "kept_quantities"]
    tables += ["closed_figures", "closed_contributions"]
    for table in tables:
        keys = {column.name: column.type for column in METADATA.tables[table].columns if column.name.endswith("_key")}
        assert set(keys.values()) == {KEY}, table

    def collations(connection: Connection) -> set[str | None]:
        query = "SELECT collation_name FROM information_schema.columns WHERE column_name LIKE '%_key' AND table_name = "
        return {name for table in tables for name in connection.execute(text(f"{query}'{table}'")).scalars()}

    if database.dialect == "postgresql":
        assert database.read(collations) == {"C"}
