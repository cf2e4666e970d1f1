"""The terminal: quick help, one line for what a person did wrong, and people who can then log in."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from sfa.app.cli import COMMANDS, main, without_collecting
from sfa.db.database import open_database
from sfa.db.feed import face
from sfa.db.migrations import is_current
from sfa.web.auth import find_candidate
from sfa.web.passwords import check_password


def run(url: str, *args: str) -> Result:
    return CliRunner().invoke(main, args, env={"SFA_DATABASE_URL": url, "SFA_PORT": ""})


def test_help_names_every_command_and_loads_none() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    assert all(f"  {name}" in shown.output for name in COMMANDS)
    code = (
        "import sys\nfrom sfa.app.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('sqlalchemy', 'litestar', 'uvicorn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_the_collector_rests_while_something_loads_and_is_as_it_was_after_it() -> None:
    def fails() -> None:
        with without_collecting():
            assert not gc.isenabled()
            raise ImportError

    assert gc.isenabled()
    with pytest.raises(ImportError):
        fails()
    assert gc.isenabled()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_the_table_says(name: str) -> None:
    assert main.commands[name].name == name


def test_migrate_brings_the_schema_up_to_date_and_may_run_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/var/new.db"
    for _ in range(2):
        assert run(url, "migrate").exit_code == 0
    database = open_database(url)
    assert database.read(is_current)
    database.close()


def test_people_are_added_listed_and_get_new_passwords(database_url: str) -> None:
    added = run(database_url, "user", "add", "ann@example.com", "--name", "Ann Lee", "--password", "first password")
    assert added.exit_code == 0, added.output
    key = added.output.strip()
    shown = run(database_url, "user", "list").output
    assert all(text in shown for text in (key, "rep", "ann@example.com", "Ann Lee"))
    changed = run(database_url, "user", "set-password", "ANN@example.com", "--password", "second password")
    assert changed.exit_code == 0, changed.output
    database = open_database(database_url)
    candidate = database.read(find_candidate, "ann@example.com")
    database.close()
    assert candidate is not None
    assert candidate.user.key == key
    assert check_password(candidate.password_hash, "second password").right


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("add", "ANN@example.com", "--name", "Ann", "--password", "long enough"), "duplicate_email"),
        (("add", "no-address", "--name", "Ann", "--password", "long enough"), "field_invalid"),
        (("add", "new@example.com", "--name", "Ann", "--password", "short"), "field_invalid"),
        (("add", "new@example.com", "--name", "Ann", "--key", "a/b", "--password", "long enough"), "key_invalid"),
        (("add", "new@example.com", "--name", "Ann", "--key", "ann", "--password", "long enough"), "key_taken"),
        (("set-password", "nobody@example.com", "--password", "long enough"), "row_unknown"),
    ],
)
def test_what_a_person_did_wrong_is_one_line_with_its_code(sqlite_url: str, args: tuple[str, ...], code: str) -> None:
    first = ("add", "ann@example.com", "--name", "Ann", "--key", "ann", "--password", "long enough")
    assert run(sqlite_url, "user", *first).exit_code == 0
    failed = run(sqlite_url, "user", *args)
    assert failed.exit_code == 1
    assert f"({code})" in failed.output
    assert "Traceback" not in failed.output


def test_several_workers_are_refused_on_sqlite(sqlite_url: str) -> None:
    failed = run(sqlite_url, "serve", "--workers", "2")
    assert failed.exit_code == 1
    assert "PostgreSQL" in failed.output


def test_an_outdated_schema_or_a_wrong_setting_is_told_before_the_server_starts(tmp_path: Path) -> None:
    assert "(schema_outdated)" in run(f"sqlite:///{tmp_path}/bare.db", "serve").output
    assert "SFA_DATABASE_URL" in run("oracle://x", "serve").output


def test_a_restored_database_gets_a_new_epoch(database_url: str) -> None:
    """S21: without it devices would wait for numbers that are given to other changes."""

    def epoch() -> str:
        database = open_database(database_url)
        try:
            return database.read(face).epoch
        finally:
            database.close()

    before = epoch()
    result = run(database_url, "restored")
    assert result.exit_code == 0, result.output
    assert epoch() != before


def test_the_sums_of_buckets_are_proved_and_repaired(database_url: str) -> None:
    """S16."""
    assert run(database_url, "user", "add", "a@example.com", "--name", "A", "--password", "a-password-1").exit_code == 0
    assert run(database_url, "check-digests").output == "All sums are right.\n"
    database = open_database(database_url)
    database.write(lambda connection: connection.execute(text("UPDATE bucket_heads SET live = 7 WHERE bucket = 'all'")))
    database.close()
    found = run(database_url, "check-digests")
    assert (found.exit_code, found.output) == (1, "all: wrong\n1 sums wrong.\n")
    assert run(database_url, "check-digests", "--repair").exit_code == 1
    assert run(database_url, "check-digests").exit_code == 0


@pytest.mark.parametrize("command", [["list"], ["add", "a@b.c", "--name", "A", "--password", "long enough"]])
def test_people_of_a_database_without_schema_are_refused_in_one_line(tmp_path: Path, command: list[str]) -> None:
    done = run(f"sqlite:///{tmp_path}/new.db", "user", *command)
    assert (done.exit_code, "schema_outdated" in done.output) == (1, True)
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("command", [["migrate"], ["user", "list"], ["serve"]])
def test_a_database_server_that_does_not_answer_is_told_in_one_line(command: list[str]) -> None:
    done = run("postgresql://nobody@127.0.0.1:1/none", *command)
    assert done.exit_code == 1
    assert done.output.startswith("Error: the database does not answer")
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("command", [["migrate"], ["user", "list"], ["restored"], ["serve"]])
def test_a_database_that_is_none_ends_in_one_line(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "letter.txt").write_text("Dear customer. " * 1_000)
    shown = run(f"sqlite:///{tmp_path}/letter.txt", *command)
    assert (shown.exit_code, shown.output.count("\n")) == (1, 1)
    assert "is not a SQLite database (setting_invalid)" in shown.output
