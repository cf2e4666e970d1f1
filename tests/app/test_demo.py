"""The demo is a promise to everybody who tries the product: its whole day runs, on both databases."""

from pathlib import Path

from click.testing import CliRunner

from sfa.app.cli import main


def test_the_demo_plays_its_whole_day_and_every_step_is_right(tmp_path: Path, database_url: str) -> None:
    options = ["--once", "--reps", "8", "--accounts", "60", "--folder", str(tmp_path / "demo"), "--database"]
    result = CliRunner().invoke(main, ["demo", *options, database_url])
    assert result.exit_code == 0, result.output
    assert "All 26 steps were as they should be." in result.output


def test_the_demo_removes_what_an_earlier_one_left_and_no_other_folder(tmp_path: Path) -> None:
    kept = tmp_path / "letters" / "important.txt"
    kept.parent.mkdir()
    kept.write_text("dear")
    refused = CliRunner().invoke(main, ["demo", "--once", "--folder", str(kept.parent)])
    assert (refused.exit_code, kept.read_text()) == (2, "dear")
    options = ["--once", "--reps", "8", "--accounts", "60", "--folder", str(tmp_path / "demo")]
    for _ in range(2):
        assert CliRunner().invoke(main, ["demo", *options]).exit_code == 0
