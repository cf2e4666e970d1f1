"""The real set, where it is at hand: SFA_SAMPLE_DATA names the folder that holds `crm_sales_opportunities`."""

import csv
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from sqlalchemy import func, select

from sfa.crm.imports.load import load
from sfa.crm.imports.opportunities import read_opportunities
from sfa.crm.imports.plan import plan_rows
from sfa.db.database import Database
from sfa.db.tables import ROWS, clock, feed
from tests.builders import NOW

FOLDER = Path(os.environ.get("SFA_SAMPLE_DATA", "")) / "crm_sales_opportunities"

pytestmark = pytest.mark.skipif(
    not os.environ.get("SFA_SAMPLE_DATA") or not FOLDER.is_dir(),
    reason="SFA_SAMPLE_DATA does not name a folder with the public set crm_sales_opportunities",
)


def pipeline() -> list[dict[str, str]]:
    with (FOLDER / "sales_pipeline.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_real_set_reads_without_an_error_and_does_not_fit_a_naive_scope() -> None:
    found = read_opportunities(FOLDER)
    assert found.faults == ()
    office = {agent.name: agent.office for agent in found.agents}
    offices: dict[str, set[str]] = defaultdict(set)
    for deal in found.deals:
        if deal.customer is not None:
            offices[deal.customer].add(office[deal.agent])
    assert Counter(len(places) for places in offices.values())[3] == 71
    assert sum(deal.customer is None for deal in found.deals) == 1_425


def test_the_real_set_arrives_whole_and_a_second_run_changes_nothing(database: Database) -> None:
    found = read_opportunities(FOLDER)
    plan = plan_rows(found)
    report = load(database, plan, NOW)
    assert report.faults == ()
    assert (report.total("created"), report.total("updated")) == (len(plan), 0)

    deals = ROWS["deals"].c
    query = select(deals.stage_key, func.count(), func.sum(deals.amount_minor)).group_by(deals.stage_key)
    stored = {stage: (count, int(amount)) for stage, count, amount in database.read(lambda c: c.execute(query).all())}
    source = pipeline()
    assert {stage: count for stage, (count, _) in stored.items()} == {
        key.lower(): count for key, count in Counter(line["deal_stage"] for line in source).items()
    }
    assert stored["won"][1] == 100 * sum(int(line["close_value"]) for line in source if line["deal_stage"] == "Won")

    def state() -> tuple[int, int]:
        counts = select(func.count()).select_from(feed)
        return database.read(lambda c: (c.execute(select(clock.c.seq)).scalar_one(), c.execute(counts).scalar_one()))

    before = state()
    again = load(database, plan, NOW + 1)
    assert again.total("unchanged") == len(plan)
    assert state() == before
