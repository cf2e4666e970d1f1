"""`sfa device record` and `replay` in the terminal."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals
from tests.office import Office

__all__ = ["terminals"]
Terminals = Callable[[str], Terminal]


@pytest.fixture
def before(office: Office, tmp_path: Path) -> str:
    """URL of a copy of the database as it was before the session."""
    (path,) = office.database.read(lambda c: [row[2] for row in c.exec_driver_sql("PRAGMA database_list")])
    return f"sqlite:///{shutil.copy(path, tmp_path / 'before.db')}"


def record_a_day(ana: Terminal, trace: Path) -> None:
    assert str(trace) in ana.run("record", str(trace))
    ana.run("sync")
    contact = ana.run("add-contact", "Acme", "Nora", "phone=600 1")
    ana.run("edit", "contacts", "carl", "phone=600 9")
    ana.run("sync")
    ana.run("edit", "contacts", contact, "title=Buyer")
    ana.run("sync")
    ana.run("record", "--stop")
    ana.run("sync")


@on_sqlite
def test_a_recorded_day_comes_out_the_same_on_a_copy(
    office: Office, terminals: Terminals, before: str, tmp_path: Path
) -> None:
    ana, trace = terminals("ana"), tmp_path / "trace.jsonl"
    login(ana, "ana")
    record_a_day(ana, trace)
    rows = office.rows("contacts")
    assert ana.run("replay", str(trace), "--database", before).endswith("3 exchanges, 0 differences")
    assert office.rows("contacts") == rows


@on_sqlite
def test_a_changed_rule_is_told(
    office: Office, terminals: Terminals, before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, trace = terminals("ana"), tmp_path / "trace.jsonl"
    login(ana, "ana")
    record_a_day(ana, trace)
    monkeypatch.setattr("sync.take.check_values", refuse)
    told = ana.run("replay", str(trace), "--database", before, code=1)
    assert "outcome" in told
    found: dict[str, Any] = msgspec.json.decode(ana.run("replay", str(trace), "--database", before, "--json", code=1))
    assert found["exchanges"] == 3
    assert {"mutation 2: outcome", "mutation 3: outcome"} <= {d["what"] for d in found["differences"]}


def refuse(*_: Any) -> None:
    from sfa.core.errors import Refused

    raise Refused("field_invalid")


@on_sqlite
def test_a_trace_is_played_against_a_server_under_a_login_there(
    office: Office, terminals: Terminals, tmp_path: Path
) -> None:
    """The server has the rows already, so what was new is there: creating them again merges."""
    ana, trace = terminals("ana"), tmp_path / "trace.jsonl"
    login(ana, "ana")
    record_a_day(ana, trace)
    there = ("--server", "http://testserver.local", "--email", "ana@example.com", "--password", "correct horse")
    told = ana.run("replay", str(trace), *there, "--yes", code=1)
    assert "3 exchanges" in told
    wrong = ("--server", "http://testserver.local", "--email", "bob@example.com", "--password", "correct horse")
    assert "(wrong_user)" in ana.run("replay", str(trace), *wrong, "--yes", code=1)
    assert "Aborted" in ana.run("replay", str(trace), *there, code=1)


def test_the_terminal_device_starts_without_the_server() -> None:
    """A phone's commands do not wait for a database library that they never use."""
    asked = "import sys, sfa.app.cli_device; print(sorted({'sqlalchemy', 'litestar', 'argon2'} & sys.modules.keys()))"
    told = subprocess.run((sys.executable, "-c", asked), capture_output=True, check=True, text=True)
    assert told.stdout.strip() == "[]"


@on_sqlite
def test_what_cannot_be_played_is_said_in_one_line(terminals: Terminals, tmp_path: Path) -> None:
    ana, trace = terminals("ana"), tmp_path / "trace.jsonl"
    assert "(unauthenticated)" in ana.run("record", str(trace), code=1)
    login(ana, "ana")
    ana.run("record", code=2)
    trace.write_text("no trace\n")
    assert "(trace_invalid)" in ana.run("record", str(trace), code=1)
    assert "(trace_invalid)" in ana.run("replay", str(trace), "--database", "sqlite:///nowhere.db", code=1)
    ana.run("replay", str(trace), code=2)
