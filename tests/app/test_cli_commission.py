"""`sfa commission rebuild` and `verify` in the terminal."""

from click.testing import CliRunner
from sqlalchemy import delete, update

from sfa.app.cli import main
from sfa.db.commissions import rebuild
from sfa.db.tables import commission_entries, credited
from tests.app.test_cli_device import on_sqlite
from tests.builders import NOW
from tests.db.test_commissions import has, ledger, plan, sums
from tests.office import Office
from tests.quotas.ledger import won, write


@on_sqlite
def test_a_ledger_is_proved_and_what_it_lacks_is_appended_once(office: Office) -> None:
    write(office, plan(), has(), won("a", "2026-01-02"), won("b", "2026-01-03"))
    before = [{**row, "written_at": 0} for row in ledger(office)]

    def said(command: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["commission", command], env={"SFA_DATABASE_URL": office.database.url})
        return done.exit_code, done.output

    assert said("verify")[0] == 0
    office.database.write(lambda c: c.execute(delete(commission_entries).where(commission_entries.c.deal_key == "b")))
    code, output = said("verify")
    assert code == 1
    assert "ana plan FY2026.Q1: accrual of b 1000 EUR" in output
    assert "1 rows are lacking" in output
    assert "1 rows were appended" in said("rebuild")[1]
    assert "0 rows were appended" in said("rebuild")[1]
    assert said("verify")[0] == 0
    assert [{**row, "written_at": 0} for row in ledger(office)] == before


@on_sqlite
def test_commission_follows_from_credits_that_are_made_anew(office: Office) -> None:
    write(office, plan(), has(), won("a", "2026-01-02"))
    office.database.write(lambda c: c.execute(update(credited).values(amount_minor=50_00)))
    office.database.write(rebuild, NOW)
    assert sums(office) == {("FY2026.Q1", "a"): 2_50}
    done = CliRunner().invoke(main, ["credits", "rebuild"], env={"SFA_DATABASE_URL": office.database.url})
    assert "1 rows of commission follow from that" in done.output
    assert sums(office) == {("FY2026.Q1", "a"): 5_00}
