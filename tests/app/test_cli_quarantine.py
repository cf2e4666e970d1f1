"""`sfa quarantine …`: the review of a drain in the terminal, by a named person with that person's rights (S31)."""

from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from sfa.app.cli import main
from sfa.core.registrations import END, REVOKED
from sync import quarantine, registrations
from tests.builders import NOW
from tests.office import Office


class Terminal:
    def __init__(self, office: Office) -> None:
        self.office = office

    def run(self, *args: str, who: str = "mia") -> Result:
        given = ["quarantine", *args, "--as", f"{who}@example.com"]
        return CliRunner().invoke(main, given, env={"SFA_DATABASE_URL": self.office.database.url})


@pytest.fixture
def terminal(office: Office) -> Terminal:
    """Ana's phone was revoked and has drained two tasks."""
    made = [
        {"n": n, "entity": "tasks", "key": f"t-{n}", "kind": "create", "at": NOW, "set": {"title": f"Task {n}"}}
        for n in (1, 2)
    ]
    body = msgspec.json.encode({"user": "ana", "now": NOW, "mutations": made, "drain": "queue-1"})
    office.database.write(registrations.end, "root", "d-ana", REVOKED, END, NOW)
    office.database.write(quarantine.drain, "ana", "d-ana", body, NOW)
    return Terminal(office)


def titles(office: Office) -> set[Any]:
    return {row["title"] for row in office.rows("tasks")}


def test_a_drain_is_listed_shown_and_applied_but_for_what_is_left_out(terminal: Terminal) -> None:
    listed = terminal.run("list").output
    assert listed.startswith("d-ana  queue-1  ana  2026-")
    assert "2 changes, 2 waiting" in listed
    shown = [msgspec.json.decode(line) for line in terminal.run("show", "d-ana", "que").output.splitlines()]
    assert [m["set"]["title"] for m in shown] == ["Task 1", "Task 2"]
    assert "Task 1" not in titles(terminal.office)
    done = terminal.run("apply", "d-ana", "queue", "--leave-out", "2", "--reason", "made up")
    assert done.output == "part 1: apply by mia: 1 applied, 1 refused\n"
    assert {"Task 1"} == titles(terminal.office) & {"Task 1", "Task 2"}
    assert terminal.run("apply", "d-ana", "queue").output == done.output
    assert terminal.run("list").output == ""
    assert "apply by mia" in terminal.run("list", "--all").output
    refused = terminal.run("discard", "d-ana", "queue", "--reason", "no")
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
    assert "already_reviewed" in refused.output


def test_a_drain_is_discarded_with_a_reason(terminal: Terminal) -> None:
    assert terminal.run("discard", "d-ana", "queue").exit_code == 2
    assert "request_invalid" in terminal.run("discard", "d-ana", "queue", "--reason", "").output
    done = terminal.run("discard", "d-ana", "queue", "--reason", "made up")
    assert done.output == "part 1: discard by mia: nothing applied\n"
    assert not {"Task 1", "Task 2"} & titles(terminal.office)
    assert len(terminal.run("show", "d-ana", "queue").output.splitlines()) == 2


@pytest.mark.parametrize(
    ("who", "code"), [("cleo", "not_found"), ("ana", "not_permitted"), ("nobody", "row_unknown"), ("fay", "not_found")]
)
def test_who_may_not_review_sees_nothing_and_decides_nothing(terminal: Terminal, who: str, code: str) -> None:
    assert "queue-1" not in terminal.run("list", who=who).output
    for order in (("show", "d-ana", "queue"), ("apply", "d-ana", "queue")):
        refused = terminal.run(*order, who=who)
        assert refused.exit_code == 1
        assert refused.output.endswith(f"({code})\n")
    assert not {"Task 1", "Task 2"} & titles(terminal.office)


def test_an_unknown_drain_is_told_in_one_line(terminal: Terminal) -> None:
    assert "0 drains of this device begin with 'x' (not_found)" in terminal.run("apply", "d-ana", "x").output
