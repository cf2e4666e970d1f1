"""`sfa periods`: a period closed in the terminal by somebody who may, and what differs since."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from sfa.app.cli import main
from tests.office import Office
from tests.quotas.books import Q1, quota, visited, win

Run = Callable[..., Result]
LAST_YEAR = {**Q1, "name": "FY2025.Q4", "start_on": "2025-10-01", "end_on": "2026-01-01"}


@pytest.fixture
def run(office: Office, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SFA_DATABASE_URL", office.database.url)
    office.put(
        ("fiscal_periods", "q4", LAST_YEAR),
        quota("q-visits", "total_contacts", period="q4", user_key="ana", target=4),
        quota("q-money", period="q4", user_key="ana"),
    )
    visited(office.phone("ana"), "v-1", office.clock.now_ms() - 10 * 24 * 3_600_000)
    win(office.phone("ana"), "now", 5)

    def called(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["periods", *arguments])

    return called


def test_a_period_is_closed_and_shown_with_what_differs(office: Office, run: Run) -> None:
    closed = run("close", "q4", "--as", "fay@example.com", "--grace-days", "5", "--again", "dirk@example.com")
    assert closed.exit_code == 0, closed.output
    assert "FY2025.Q4: closing 1 keeps 2 figures, 0 not computable" in closed.output
    (row,) = office.rows("period_closings")
    assert (row["closed_by"], row["again_key"]) == ("fay", "dirk")
    visited(office.phone("ana"), "v-2", office.clock.now_ms() - 9 * 24 * 3_600_000)
    shown = run("show", "q4", "--as", "FAY@example.com")
    assert "1 differ" in shown.output
    assert "q-visits" in shown.output
    one = run("show", "q4", "--as", "ana@example.com", "--quota", "q-visits")
    assert "closed 1, restated 2, delta 1" in one.output
    assert "late" in one.output


def test_who_may_not_is_told_in_one_line(run: Run) -> None:
    for email, code in (("ana@example.com", "not_permitted"), ("nobody@example.com", "row_unknown")):
        refused = run("close", "q4", "--as", email)
        assert refused.exit_code == 1
        assert code in refused.output + str(refused.exception)


def test_a_second_closing_says_when_the_first_was(run: Run) -> None:
    run("close", "q4", "--as", "fay@example.com")
    again = run("close", "q4", "--as", "fay@example.com")
    assert again.exit_code == 1
    assert "period_closed" in again.output + str(again.exception)
