"""Imports and made-up companies from the terminal."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sfa.app.cli import main
from sfa.crm.imports.opportunities import DEALS, PRODUCTS
from tests.crm.imports.csv_files import write_small


def sfa(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def opportunities(folder: Path, url: str, *options: str) -> Result:
    return sfa("import", "opportunities", str(folder), "--database", url, *options)


def all_line(result: Result) -> list[str]:
    return next(line.split()[1:] for line in result.stdout.splitlines() if line.startswith("all "))


def test_an_import_counts_what_it_did_and_a_second_run_does_nothing(sqlite_url: str, tmp_path: Path) -> None:
    folder = write_small(tmp_path / "csv")
    dry = opportunities(folder, sqlite_url, "--dry-run")
    first = opportunities(folder, sqlite_url)
    second = opportunities(folder, sqlite_url)
    assert [result.exit_code for result in (dry, first, second)] == [0, 0, 0]
    assert [all_line(result) for result in (dry, first, second)] == [
        ["53", "0", "0", "0"],
        ["53", "0", "0", "0"],
        ["0", "0", "53", "0"],
    ]


def test_every_error_is_told_with_its_place_and_nothing_is_written(sqlite_url: str, tmp_path: Path) -> None:
    folder = write_small(tmp_path / "csv", {(DEALS, 2): "D1,Nobody,GTX Pro,Zeta,Won,2017-01-10,never,5"})
    place = f"{DEALS}:2"
    dry = opportunities(folder, sqlite_url, "--dry-run")
    assert dry.exit_code == 1
    assert dry.stderr.startswith(f"{place} close_date: field_invalid: 'never' is not a day like 2017-03-01\n")
    refused = opportunities(folder, sqlite_url)
    assert refused.exit_code == 1
    assert "1 errors; nothing was written (import_invalid)" in refused.stderr
    skipped = opportunities(folder, sqlite_url, "--skip-errors")
    assert (skipped.exit_code, all_line(skipped)[0]) == (0, "50")
    assert skipped.stderr.count(place) == 1


@pytest.mark.parametrize("options", [(), ("--skip-errors",), ("--dry-run",)])
def test_a_wrong_header_cannot_be_skipped(sqlite_url: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    result = opportunities(write_small(tmp_path / "csv", {(PRODUCTS, 1): "product,price"}), sqlite_url, *options)
    assert result.exit_code == 1
    assert "import_invalid" in result.stderr
    assert f"{PRODUCTS}:1 sales_price: field_required" in result.stderr


def test_a_missing_file_is_named(sqlite_url: str, tmp_path: Path) -> None:
    result = opportunities(tmp_path, sqlite_url)
    assert result.exit_code == 1
    assert "sales_teams.csv is not in" in result.stderr
    assert "import_file_missing" in result.stderr


def test_a_database_without_a_schema_is_refused(tmp_path: Path) -> None:
    result = opportunities(write_small(tmp_path / "csv"), f"sqlite:///{tmp_path}/new.db")
    assert result.exit_code == 1
    assert "schema_outdated" in result.stderr


def test_a_seeded_company_shows_its_logins_and_a_second_one_is_refused(tmp_path: Path) -> None:
    arguments = ("seed", "--reps", "2", "--accounts", "4", "--database", f"sqlite:///{tmp_path}/new.db")
    first = sfa(*arguments)
    assert first.exit_code == 0, first.output
    assert "accounts                      4" in first.stdout
    assert [line.split()[0] for line in first.stdout.splitlines()[-6:]] == [
        *("director-1", "finance-1", "admin-1", "manager-001", "rep-0001", "rep-0002")
    ]
    second = sfa(*arguments)
    assert second.exit_code == 1
    assert "key_taken" in second.stderr


@pytest.mark.parametrize("wrong", [("--today", "2026-02-30"), ("--password", "short"), ("--reps", "0")])
def test_arguments_that_make_no_company_are_refused(tmp_path: Path, wrong: tuple[str, str]) -> None:
    result = sfa("seed", "--database", f"sqlite:///{tmp_path}/new.db", *wrong)
    assert result.exit_code != 0
    assert not (tmp_path / "new.db").exists()
