"""Quotas over the real set, per agent, manager and region, by quarter: equal to a recount of the file and by plain SQL.

SFA_SAMPLE_DATA names the folder that holds `crm_sales_opportunities`.
"""

import csv
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from sfa.crm.imports.keys import external_key
from sfa.crm.imports.load import load
from sfa.crm.imports.opportunities import read_opportunities
from sfa.crm.imports.plan import ALL_SALES, plan_rows, territory_key, user_key
from sfa.db.credits import rebuild
from sfa.db.database import Database
from sfa.quotas import engine
from sfa.quotas.engine import Figure
from tests.builders import NOW, put_rows

FOLDER = Path(os.environ.get("SFA_SAMPLE_DATA", "")) / "crm_sales_opportunities"
QUARTERS = {
    f"2017.Q{n + 1}": (f"2017-{3 * n + 1:02}-01", f"2017-{3 * n + 4:02}-01" if n < 3 else "2018-01-01")
    for n in range(4)
}

pytestmark = pytest.mark.skipif(
    not os.environ.get("SFA_SAMPLE_DATA") or not FOLDER.is_dir(),
    reason="SFA_SAMPLE_DATA does not name a folder with the public set crm_sales_opportunities",
)


def read(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def set_quotas(database: Database) -> None:
    """Revenue of everybody, every team and every territory, and new customers, for each quarter."""
    teams = read("sales_teams.csv")
    people = sorted({line["sales_agent"] for line in teams} | {line["manager"] for line in teams})
    leaders, offices = ({line[field] for line in teams} for field in ("manager", "regional_office"))
    owners: dict[str, dict[str, str]] = {f"agent {name}": {"user_key": user_key(name)} for name in people}
    owners |= {f"manager {name}": {"team_key": external_key("team", name)} for name in leaders}
    owners |= {f"region {name}": {"team_key": external_key("region", name)} for name in offices}
    owners |= {f"territory {name}": {"territory_key": territory_key(name)} for name in offices}
    owners["company"] = {"team_key": ALL_SALES}
    rows: list[tuple[str, str, dict[str, Any]]] = []
    for quarter, (start_on, end_on) in QUARTERS.items():
        span = {"name": quarter, "kind": "quarter", "start_on": start_on, "end_on": end_on}
        rows.append(("fiscal_periods", quarter, span))
        for name, owner in owners.items():
            said = {"period_key": quarter, "measure": "revenue", "target": 1, "currency": "USD", **owner}
            rows.append(("quotas", key_of(name, quarter), said))
        said = {"period_key": quarter, "measure": "new_accounts", "target": 1, "team_key": ALL_SALES}
        rows.append(("quotas", key_of("new", quarter), said))
    database.write(put_rows, rows, NOW)


def key_of(name: str, quarter: str) -> str:
    return f"{name} {quarter}".replace(" ", "_")


def test_quotas_over_the_real_set_equal_an_independent_recount(database: Database) -> None:
    load(database, plan_rows(read_opportunities(FOLDER)), NOW)
    set_quotas(database)
    figures = database.read(lambda c: engine.figures(c, engine.read_quotas(c), None))
    assert database.write(rebuild) == 0
    counted = 0
    for name, quarter, cents in recount():
        assert figures[key_of(name, quarter)].value == cents, (name, quarter)
        counted += 1
    assert counted == len([key for key in figures if not key.startswith(("territory", "new"))])
    check_by_sql(database, figures)


def recount() -> list[tuple[str, str, int]]:
    """(whose, quarter, cents) off the file itself."""
    team_of = {line["sales_agent"]: line for line in read("sales_teams.csv")}
    found: dict[tuple[str, str], int] = defaultdict(int)
    names = {f"agent {name}" for name in team_of} | {"company"}
    for line in team_of.values():
        names |= {f"agent {line['manager']}", f"manager {line['manager']}", f"region {line['regional_office']}"}
    for deal in read("sales_pipeline.csv"):
        if deal["deal_stage"] == "Won":
            line = team_of[deal["sales_agent"]]
            quarter = f"2017.Q{(int(deal['close_date'][5:7]) + 2) // 3}"
            owners = ("company", f"agent {deal['sales_agent']}", f"manager {line['manager']}")
            for name in (*owners, f"region {line['regional_office']}"):
                found[name, quarter] += 100 * int(deal["close_value"])
    assert all(quarter in QUARTERS for _, quarter in found)
    return [(name, quarter, found[name, quarter]) for name in sorted(names) for quarter in QUARTERS]


def check_by_sql(database: Database, figures: dict[str, Figure]) -> None:
    """Territories and new customers by plain SQL over deals and customers."""
    won = "FROM deals d JOIN accounts a ON a.key = d.account_key WHERE d.stage_key = 'won' AND d.closed_at"
    territories = text(f"SELECT a.territory_key, sum(d.amount_minor) {won} >= :start AND d.closed_at < :end GROUP BY 1")
    firsts = text(
        "SELECT count(*) FROM (SELECT d.account_key, min(d.closed_at) AS first FROM deals d "
        "WHERE d.stage_key = 'won' AND d.account_key IS NOT NULL GROUP BY 1) f WHERE first >= :start AND first < :end"
    )

    def work(connection: Connection) -> None:
        for quarter in QUARTERS:
            (row,) = engine.read_quotas(connection, engine_key() == key_of("company", quarter))
            span = {"start": row.start_at, "end": row.end_at}
            sums = {place: int(amount) for place, amount in connection.execute(territories, span)}
            for office in {line["regional_office"] for line in read("sales_teams.csv")}:
                assert figures[key_of(f"territory {office}", quarter)].value == sums.get(territory_key(office), 0)
            assert figures[key_of("new", quarter)].value == connection.execute(firsts, span).scalar()

    database.read(work)


def engine_key() -> Any:
    from sfa.db.tables import ROWS

    return ROWS["quotas"].c.key
