"""The demo is a promise to everybody who tries the product: its whole day runs, on both databases."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import Connection

from forecasting.outlook import store
from forecasting.outlook.values import Answer
from sfa.app.cli import main
from sfa.app.demo.outlook import Outlook
from tests.office import Office


def play(folder: Path, *more: str) -> None:
    options = ["--once", "--reps", "8", "--accounts", "60", "--folder", str(folder)]
    result = CliRunner().invoke(main, ["demo", *options, *more])
    assert result.exit_code == 0, result.output
    assert "All 30 steps were as they should be." in result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("played") / "demo"


@pytest.mark.xdist_group("demo")
def test_the_demo_plays_its_whole_day_and_every_step_is_right(folder: Path) -> None:
    play(folder)


@pytest.mark.xdist_group("demo")
@pytest.mark.postgresql
def test_the_demo_plays_it_on_postgresql_where_an_earlier_one_left_its_files(folder: Path, postgres_url: str) -> None:
    play(folder, "--database", postgres_url)


def test_the_demo_removes_no_other_folder(tmp_path: Path) -> None:
    kept = tmp_path / "letters" / "important.txt"
    kept.parent.mkdir()
    kept.write_text("dear")
    refused = CliRunner().invoke(main, ["demo", "--once", "--folder", str(kept.parent)])
    assert (refused.exit_code, kept.read_text()) == (2, "dear")


def test_an_engine_that_failed_is_none_that_came_to_its_end(office: Office) -> None:
    """Although there is an earlier run that did."""
    now_ms = office.clock.now_ms()

    def runs(connection: Connection) -> None:
        for day, ends in (("2026-01-05", True), ("2026-01-06", False)):
            number = store.ask(connection, now_ms, day)[0].number
            store.claim(connection, now_ms, "me")
            if ends:
                answer = Answer(learnt=None, nodes=[], deals={}, scores=[])
                store.finish(connection, now_ms, number, "me", store.packed_answer(msgspec.json.encode(answer)))
            else:
                store.fail(connection, now_ms, number, "me", "timed_out")

    office.database.write(runs)
    said: list[bool] = []
    day: Any = SimpleNamespace(database=office.database, check=lambda _, truth: said.append(truth))
    monday: Any = SimpleNamespace(day=day)
    Outlook(monday)._run(office.clock)
    assert said == [False]
