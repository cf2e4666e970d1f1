"""The demo is a promise to everybody who tries the product: its whole day runs, on both databases."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from sfa.app.cli import main


def play(folder: Path, *more: str) -> None:
    options = ["--once", "--reps", "8", "--accounts", "60", "--folder", str(folder)]
    result = CliRunner().invoke(main, ["demo", *options, *more])
    assert result.exit_code == 0, result.output
    assert "All 28 steps were as they should be." in result.output


@pytest.mark.postgresql
def test_the_demo_plays_its_whole_day_and_every_step_is_right(tmp_path: Path, postgres_url: str) -> None:
    play(tmp_path / "demo", "--database", postgres_url)


def test_the_demo_plays_it_on_sqlite_again_where_an_earlier_one_left_its_files(tmp_path: Path) -> None:
    for _ in range(2):
        play(tmp_path / "demo")


def test_the_demo_removes_no_other_folder(tmp_path: Path) -> None:
    kept = tmp_path / "letters" / "important.txt"
    kept.parent.mkdir()
    kept.write_text("dear")
    refused = CliRunner().invoke(main, ["demo", "--once", "--folder", str(kept.parent)])
    assert (refused.exit_code, kept.read_text()) == (2, "dear")
