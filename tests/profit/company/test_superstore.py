"""Profit over the real order lines: customers, products and regions equal an independent recount of the file.

SFA_SAMPLE_DATA names the folder that holds `superstore`. Each order becomes a won deal of its customer in the region of
the order, with its lines: a line's price is its sales, its cost is sales less profit, in hundredths of a cent, rounded
to cents for the deal as a whole, as the product does; so the file is recounted in whole cents for each order and line.
"""

import csv
import os
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, text

from sfa.app.cli import main
from sfa.core.days import day_start_ms
from sfa.db.bulk import inserting
from sfa.db.credits import rebuild
from sfa.db.database import Database
from sfa.db.tables import ROWS
from sfa.profit.company.by import Profits, profits, span_of
from sfa.profit.company.whale import whale

FILE = Path(os.environ.get("SFA_SAMPLE_DATA", "")) / "superstore" / "superstore_orders.csv"
YEARS = span_of("2014-01-01", "2018-01-01")
SYSTEM: dict[str, Any] = {"rev": 1, "gone": False, "aged": False, "stamps": {}, "buckets": ["all"], "created_at": 0}
Cents = dict[str, tuple[int, int]]  # (sales, profit)

pytestmark = pytest.mark.skipif(
    not os.environ.get("SFA_SAMPLE_DATA") or not FILE.is_file(),
    reason="SFA_SAMPLE_DATA does not name a folder with the public set superstore",
)


def read() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cents(text: str) -> int:
    return int((Decimal(text) * 100).quantize(Decimal(1), ROUND_HALF_UP))


def cost_of(line: dict[str, str]) -> int:
    """Sales less profit, each in whole cents."""
    return cents(line["Sales"]) - cents(line["Profit"])


def product_of(line: dict[str, str]) -> str:
    return line["Product ID"]


def load(database: Database) -> None:
    """Every order as a deal, on the fast path of a seed. A line sells one piece of an article of its own, whose cost is
    the line's; the products of the file are told apart by `article_of`."""
    lines = read()
    orders: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in lines:
        orders[line["Order ID"]].append(line)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rows["organisations"] = [
        {"key": "org", "name": "Superstore", "zone": "UTC", "currency": "USD", "attribution": "linear"}
    ]
    rows["stages"] = [{"key": "won", "name": "Won", "kind": "won", "position": 1}]
    rows["users"] = [{"key": "rep", "name": "Rep", "email": "rep@example.com", "role": "rep", "active": True}]
    regions = sorted({line["Region"] for line in lines})
    rows["territories"] = [{"key": region, "name": region} for region in regions]
    customers = {line["Customer ID"]: line for line in lines}
    rows["accounts"] = [
        {"key": key, "name": line["Customer Name"], "status": "customer", "tags": []}
        for key, line in sorted(customers.items())
    ]
    for line in lines:
        article = {"key": f"a{line['Row ID']}", "name": line["Product Name"][:200], "family": line["Category"]}
        rows["products"].append({**article, "unit": "piece", "external_id": line["Product ID"], "active": True})
        cost = {"product_key": article["key"], "amount_minor": cost_of(line), "currency": "USD"}
        rows["unit_costs"].append({**cost, "key": f"c{line['Row ID']}", "valid_from": "2010-01-01"})
    for order, of in sorted(orders.items()):
        rows["deals"].append(
            {
                "key": order,
                "name": order,
                "owner_key": "rep",
                "account_key": of[0]["Customer ID"],
                "stage_key": "won",
                "amount_minor": sum(cents(line["Sales"]) for line in of),
                "currency": "USD",
                "closed_at": day_start_ms(of[0]["Order Date"], "UTC") + 12 * 3_600_000,
                "splits": [],
                "overlays": [],
                "closings": [],
            }
        )
        for line in of:
            place = {"key": f"l{line['Row ID']}", "deal_key": order, "product_key": f"a{line['Row ID']}"}
            money = {"quantity": "1", "unit_price_minor": cents(line["Sales"]), "discount_bp": 0}
            rows["deal_lines"].append({**place, **money, "position": int(line["Row ID"])})

    def work(connection: Connection) -> None:
        for entity, of in rows.items():
            blank = {column.name: None for column in ROWS[entity].c}
            inserting(ROWS[entity]).run(connection, [{**blank, **SYSTEM, **row} for row in of])
        rebuild(connection)
        places = []
        for order, of in orders.items():  # the region is that of the order, and a customer buys in several
            places.append({"region": of[0]["Region"], "deal": order})
        connection.execute(text("UPDATE credits SET territory_key = :region WHERE deal_key = :deal"), places)

    database.write(work)


def recount(field: str) -> Cents:
    """Sales and profit in cents, off the file."""
    found: dict[str, tuple[int, int]] = {}
    for line in read():
        sales, profit = found.get(line[field], (0, 0))
        found[line[field]] = sales + cents(line["Sales"]), profit + cents(line["Profit"])
    return found


def told(found: Profits) -> Cents:
    said: Cents = {}
    for key, tally in found.by_key.items():
        earned = tally.earned()
        assert key is not None
        assert earned.invoice_minor is not None
        assert earned.profit_minor is not None
        said[key] = earned.invoice_minor, earned.profit_minor
    return said


def test_customers_products_and_regions_of_the_real_set_equal_a_recount_of_the_file(database: Database) -> None:
    load(database)
    by = {d: database.read(profits, d, YEARS) for d in ("customer", "product", "territory", "total")}
    assert told(by["customer"]) == recount("Customer ID")
    assert told(by["territory"]) == recount("Region")
    articles: Cents = {}
    names = {f"a{line['Row ID']}": product_of(line) for line in read()}
    for article, (sales, profit) in told(by["product"]).items():
        before = articles.get(names[article], (0, 0))
        articles[names[article]] = before[0] + sales, before[1] + profit
    assert articles == recount("Product ID")
    total = by["total"].total.earned()
    assert (total.invoice_minor, total.profit_minor) == (sum(s for s, _ in articles.values()), sum_of(articles))
    assert round((total.invoice_minor or 0) / 100) == 2_297_201  # what the set's own README says: 2,297,200.86
    check_by_sql(database, by["customer"])


def sum_of(found: Cents) -> int:
    return sum(profit for _, profit in found.values())


def check_by_sql(database: Database, found: Profits) -> None:
    """Customers by plain SQL over lines and unit costs."""
    query = text(
        "SELECT d.account_key, sum(l.unit_price_minor), sum(c.amount_minor) FROM deals d "
        "JOIN deal_lines l ON l.deal_key = d.key JOIN unit_costs c ON c.product_key = l.product_key GROUP BY 1"
    )
    rows = database.read(lambda connection: connection.execute(query).all())
    assert told(found) == {key: (int(sales), int(sales) - int(cost)) for key, sales, cost in rows}


def test_the_whale_curve_of_the_real_set_is_printed_and_ends_at_its_profit(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sfa.db.database import open_database

    opened = open_database(sqlite_url, durable=False)
    load(opened)
    found = opened.read(profits, "customer", YEARS)
    opened.close()
    curve = whale({key: tally.earned().profit_minor for key, tally in found.by_key.items()})
    assert curve.total_minor == sum_of(recount("Customer ID"))
    assert len(curve.points) == 793
    assert curve.peak_minor > curve.total_minor
    assert curve.lost_minor < 0
    monkeypatch.setenv("SFA_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("COLUMNS", "200")
    span = ["--from", "2014-01-01", "--to", "2018-01-01"]
    printed = CliRunner().invoke(main, ["profit", "whales", *span])
    assert printed.exit_code == 0, printed.output
    assert "793 customers earn" in printed.output
    assert "Tamara Chand" in printed.output
    best = CliRunner().invoke(main, ["profit", "by", "territory", *span, "--csv"])
    lines = list(csv.DictReader(best.output.splitlines()))
    assert [line["key"] for line in lines][:1] == ["West"]
    assert sum(cents(line["profit"]) for line in lines[:-1]) == cents(lines[-1]["profit"]) == curve.total_minor
