"""`sfa outlook …`: a run in the terminal, by a real process, and the same answer to the same question."""

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from forecasting.outlook import store
from sfa.app.cli import main
from sfa.db.tables import outlook_runs
from tests.office import Office


def terminal(office: Office, *args: str) -> Result:
    return CliRunner().invoke(main, ["outlook", *args], env={"SFA_DATABASE_URL": office.database.url})


def test_todays_run_is_made_in_the_terminal_and_made_again_with_the_same_bytes(office: Office) -> None:
    made = terminal(office, "run")
    assert made.exit_code == 0, made.output
    assert "0.0 %  reading" in made.stderr
    run = office.database.read(store.numbered, 1)
    assert run.state == store.DONE
    assert made.stdout == f"run 1 of {run.as_of}: done, no_periods, {run.found_digest}\n"
    again = terminal(office, "remake", "1")
    assert again.exit_code == 0, again.output
    assert "the same answer" in again.stdout
    assert again.stdout.count(str(run.found_digest)) == 2


def test_an_answer_that_is_another_ends_with_exit_code_1(office: Office) -> None:
    terminal(office, "run")
    office.database.write(lambda c: c.execute(update(outlook_runs).values(found_digest="0" * 64)))
    found = terminal(office, "remake", "1")
    assert found.exit_code == 1
    assert "another answer" in found.stdout


@pytest.mark.parametrize(("number", "code"), [("9", "not_found"), ("1", "outlook_missing")])
def test_a_run_that_is_not_there_or_has_no_answer_is_refused_in_one_line(
    office: Office, number: str, code: str
) -> None:
    office.database.write(store.ask, office.clock.now_ms(), "2026-11-22")
    found = terminal(office, "remake", number)
    assert found.exit_code == 1
    assert f"({code})" in found.stderr
