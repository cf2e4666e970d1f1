from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sfa.core.errors import Refused
from sfa.crm.imports import load as loading
from sfa.crm.imports.load import Report, load, rehearse
from sfa.crm.imports.opportunities import ACCOUNTS, DEALS, PRODUCTS, TEAMS, read_opportunities
from sfa.crm.imports.plan import Planned, plan_rows
from sfa.db.database import Database
from sfa.db.tables import ROWS, clock, feed, history
from tests.builders import NOW, company, delete_row, put_rows
from tests.crm.imports.csv_files import write_small

ALL = 53  # rows of the small set
Changed = dict[tuple[str, int], str | None]


def planned(folder: Path, changed: Changed | None = None) -> Sequence[Planned]:
    return plan_rows(read_opportunities(write_small(folder / "csv", changed)))


def run(database: Database, folder: Path, changed: Changed | None = None, **options: Any) -> Report:
    return load(database, planned(folder, changed), NOW, **options)


def rows(database: Database, entity: str) -> dict[str, dict[str, Any]]:
    found = database.read(lambda c: c.execute(select(ROWS[entity])).mappings().all())
    return {row["key"]: dict(row) for row in found}


def written(database: Database) -> tuple[int, Any, Any]:
    """The clock, the feed and the history: what changes if anything is written."""
    return database.read(
        lambda c: (
            c.execute(select(clock.c.seq)).scalar_one(),
            c.execute(select(feed).order_by(feed.c.bucket, feed.c.entity, feed.c.key)).all(),
            c.execute(select(history.c.entity, history.c.key, history.c.rev)).all(),
        )
    )


def test_a_second_run_changes_nothing(database: Database, tmp_path: Path) -> None:
    first = run(database, tmp_path)
    assert (first.total("created"), first.total("updated", "unchanged", "deleted"), first.faults) == (ALL, 0, ())
    before = written(database)
    second = run(database, tmp_path)
    assert (second.total("unchanged"), second.total("created", "updated")) == (ALL, 0)
    assert written(database) == before


def test_a_dry_run_says_what_a_run_would_do_and_writes_nothing(database: Database, tmp_path: Path) -> None:
    before = written(database)
    foreseen = rehearse(database, planned(tmp_path), NOW)
    assert written(database) == before
    assert run(database, tmp_path).counts == foreseen.counts


def test_a_changed_line_updates_its_own_row_only(database: Database, tmp_path: Path) -> None:
    run(database, tmp_path)
    before = {entity: rows(database, entity) for entity in ("deals", "accounts", "prices", "deal_lines")}
    report = run(database, tmp_path, {(ACCOUNTS, 3): "Zeta,medical,2001,12,31,Philipines,Acme & Co"})
    assert (report.total("updated"), report.counts["accounts"]["updated"]) == (1, 1)
    after = {entity: rows(database, entity) for entity in before}
    zeta = after["accounts"]["account-Zeta"]
    assert (zeta["employees"], zeta["rev"]) == (31, 2)
    before["accounts"]["account-Zeta"] = zeta
    assert after == before


def test_a_deal_that_was_won_since_is_closed_by_the_next_run(database: Database, tmp_path: Path) -> None:
    run(database, tmp_path)
    run(database, tmp_path, {(DEALS, 4): "D3,Cleo Cole,MG Special,Zeta,Won,2016-12-30,2017-04-01,70"})
    deal = rows(database, "deals")["deal-D3"]
    assert (deal["stage_key"], deal["amount_minor"], deal["close_on"]) == ("won", 7_000, "2017-04-01")
    assert deal["closed_at"] is not None


def test_what_people_changed_beside_the_file_stays(database: Database, tmp_path: Path) -> None:
    run(database, tmp_path)
    mine = {"name": "Zeta Ltd", "territory_key": "territory-South", "phone": "1"}
    database.write(put_rows, [("accounts", "account-Zeta", mine)])
    assert run(database, tmp_path).total("created", "updated") == 0
    zeta = rows(database, "accounts")["account-Zeta"]
    assert {field: zeta[field] for field in mine} == mine


def test_what_people_deleted_is_not_brought_back(database: Database, tmp_path: Path) -> None:
    run(database, tmp_path)
    database.write(delete_row, "deals", "deal-D2")
    database.write(delete_row, "users", "user-Bob_Bell")
    report = run(database, tmp_path)
    assert (report.total("created", "updated"), report.total("deleted")) == (0, 2)
    assert report.faults == ()


def test_each_row_lies_in_the_buckets_that_the_documents_promise(database: Database, tmp_path: Path) -> None:
    run(database, tmp_path)
    team = ["user:user-Ana_Alba", "user:user-Cleo_Cole"]
    assert sorted(rows(database, "accounts")["account-Zeta"]["buckets"]) == ["territory:territory-North", *team]
    assert sorted(rows(database, "deals")["deal-D3"]["buckets"]) == [
        "book:user-Cleo_Cole",
        "territory:territory-North",
    ]
    assert rows(database, "deals")["deal-D4"]["buckets"] == ["book:user-Ana_Alba"]
    assert rows(database, "deal_lines")["line-D4"]["buckets"] == ["book:user-Ana_Alba"]


def test_old_deals_stay_on_devices_because_the_imported_company_keeps_its_history(
    database: Database, tmp_path: Path
) -> None:
    run(database, tmp_path)
    assert {deal["aged"] for deal in rows(database, "deals").values()} == {False}


def test_a_row_with_an_error_writes_nothing_at_all(database: Database, tmp_path: Path) -> None:
    before = written(database)
    clash = [("users", "somebody", {"name": "Other Ana", "email": "ana.alba@example.com"})]
    database.write(put_rows, clash)
    before = written(database)
    with pytest.raises(Refused) as refused:
        run(database, tmp_path)
    assert refused.value.code == "import_invalid"
    errors = refused.value.details["errors"]
    assert {(e["file"], e["code"]) for e in errors[:1]} == {(TEAMS, "duplicate_email")}
    assert {e["code"] for e in errors[1:]} == {"reference_unknown"}, "what depends on it is named as well"
    assert written(database) == before


def test_errors_of_the_reading_stop_a_run_too_unless_they_are_skipped(database: Database, tmp_path: Path) -> None:
    found = read_opportunities(write_small(tmp_path / "csv", {(DEALS, 2): "D1,Nobody,GTX Pro,Zeta,Prospecting,,,"}))
    before = written(database)
    with pytest.raises(Refused):
        load(database, plan_rows(found), NOW, faults=found.faults)
    assert written(database) == before
    report = load(database, plan_rows(found), NOW, faults=found.faults, skip_errors=True)
    assert report.faults == found.faults
    assert set(rows(database, "deals")) == {"deal-D2", "deal-D3", "deal-D4", "deal-D5"}


def test_skipping_errors_imports_what_does_not_depend_on_the_bad_row(database: Database, tmp_path: Path) -> None:
    database.write(put_rows, [("users", "somebody", {"name": "Other", "email": "bob.bell@example.com"})])
    report = run(database, tmp_path, skip_errors=True)
    assert "duplicate_email" in {fault.code for fault in report.faults}
    assert set(rows(database, "deals")) == {"deal-D1", "deal-D3", "deal-D4", "deal-D5"}


def test_rows_that_the_company_knows_by_external_id_are_used(database: Database, tmp_path: Path) -> None:
    company(database)
    known = [
        ("products", "pump-pro", {"name": "Professional", "external_id": "GTX Pro"}),
        ("teams", "miasteam", {"name": "Mia's", "external_id": "Mia Moor"}),
        ("team_edges", "e-mias", {"team_key": "miasteam", "parent_key": "north", "valid_from": "2025-01-01"}),
    ]
    database.write(put_rows, known)
    report = run(database, tmp_path)
    assert report.faults == ()
    products, lines = rows(database, "products"), rows(database, "deal_lines")
    assert (products["pump-pro"]["family"], "product-GTX_Pro" in products) == ("GTX", False)
    assert lines["line-D1"]["product_key"] == "pump-pro"
    assert rows(database, "team_members")["member-Ana_Alba"]["team_key"] == "miasteam"
    assert list(rows(database, "organisations")) == ["org"]
    assert run(database, tmp_path).total("created", "updated") == 0


def test_an_external_id_that_two_rows_have_is_an_error(database: Database, tmp_path: Path) -> None:
    twice = [("products", key, {"name": key, "external_id": "GTX Pro"}) for key in ("one", "two")]
    database.write(put_rows, twice)
    faults = rehearse(database, planned(tmp_path), NOW).faults
    assert (faults[0].file, faults[0].line, faults[0].code) == (PRODUCTS, 2, "duplicate_external_id")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCH_ROWS", 3)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("batches", [1, 5, 12, 15])
def test_an_import_that_was_killed_goes_on_where_it_stopped(database: Database, tmp_path: Path, batches: int) -> None:
    def killed(done: int, total: int) -> None:
        nonlocal batches
        batches -= 1
        if not batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(database, tmp_path, after_batch=killed)
    deals, lines = rows(database, "deals"), rows(database, "deal_lines")
    assert set(deals) == {line["deal_key"] for line in lines.values()}
    second = run(database, tmp_path)
    assert 0 < second.total("created") < ALL
    assert second.total("created", "unchanged") == ALL
    assert run(database, tmp_path).total("created", "updated") == 0
