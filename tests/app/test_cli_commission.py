"""`sfa commission rebuild` and `verify` in the terminal."""

from click.testing import CliRunner
from sqlalchemy import delete

from sfa.app.cli import main
from sfa.db.tables import commission_entries
from tests.app.test_cli_device import on_sqlite
from tests.db.test_commissions import has, ledger, plan
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
