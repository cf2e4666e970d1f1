"""`sfa device attainment` and `sfa credits rebuild` in the terminal."""

from collections.abc import Callable

from click.testing import CliRunner
from sqlalchemy import delete

from sfa.app.cli import main
from sfa.db.tables import credited
from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.office import Office
from tests.quotas.ledger import Q1, quota, stored, won, write


@on_sqlite
def test_a_rep_sees_his_quota_without_signal(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    write(office, Q1, quota("q", target=200_00), quota("m", "margin"), won("a", "2026-01-02"))
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    margin, own = sorted(ana.json("attainment", "--as-of", "2026-01-31"), key=lambda row: str(row["key"]))
    assert (margin["value"], margin["code"]) == (None, "not_on_device")
    assert (own["period"], own["value"], own["pct_bp"], own["word"]) == ("Q1", 100_00, 5_000, "ahead")
    assert "ahead" in ana.run("attainment", "--as-of", "2026-01-31")
    assert "field_invalid" in ana.run("attainment", "--as-of", "soon", code=1)


@on_sqlite
def test_credits_are_made_anew_and_a_second_run_finds_nothing(office: Office) -> None:
    write(office, won("a", "2026-01-02"), won("b", "2026-01-03"))
    before = stored(office)
    office.database.write(lambda c: c.execute(delete(credited).where(credited.c.deal_key == "a")))
    for said in ("1 of 2 deals had other credits", "0 of 2 deals had other credits"):
        done = CliRunner().invoke(main, ["credits", "rebuild"], env={"SFA_DATABASE_URL": office.database.url})
        assert (done.exit_code, said in done.output) == (0, True), done.output
    assert stored(office) == before
