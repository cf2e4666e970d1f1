"""The demo is a promise to everybody who tries the product: its whole day runs, on both databases."""

from pathlib import Path

from click.testing import CliRunner

from sfa.app.cli import main


def test_the_demo_plays_its_whole_day_and_every_step_is_right(tmp_path: Path, database_url: str) -> None:
    options = ["--once", "--reps", "8", "--accounts", "60", "--folder", str(tmp_path / "demo"), "--database"]
    result = CliRunner().invoke(main, ["demo", *options, database_url])
    assert result.exit_code == 0, result.output
    assert "All 9 steps were as they should be." in result.output
