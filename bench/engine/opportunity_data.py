"""The public CRM Sales Opportunities as deals: what its README warns of is heeded here, nothing else is repaired.

`GTXPro` is the product `GTX Pro`. Open deals have no amount, so every deal says its product's list price from its first
day; a won one was won with its closing value. The account is left out (it is missing where a deal is still open, and so
gives the end away); deals that were only prospected have no days and are no deals yet.
"""

import csv
from datetime import date
from pathlib import Path

import numpy as np

from forecasting.engine.values import AMOUNT, NEVER, STAGE, Changes, Deals

FOLDER = "crm_sales_opportunities"
LAST_DAY = date(2017, 12, 31).toordinal()
SPELT = {"GTXPro": "GTX Pro"}


def read_deals(data: Path) -> Deals:
    """All deals with a first day, in whole minor units (cents)."""
    prices = {row["product"]: float(row["sales_price"]) * 100 for row in _rows(data, "products.csv")}
    team = {row["sales_agent"]: row for row in _rows(data, "sales_teams.csv")}
    rows = [row for row in _rows(data, "sales_pipeline.csv") if row["engage_date"]]
    rows.sort(key=lambda row: (row["engage_date"], row["opportunity_id"]))
    products = [SPELT.get(row["product"], row["product"]) for row in rows]
    opened = np.array([_day(row["engage_date"]) for row in rows], dtype=np.int64)
    won = np.array([row["deal_stage"] == "Won" for row in rows])
    listed = np.array([prices[product] for product in products])
    closing = np.array([float(row["close_value"] or 0) * 100 for row in rows])
    count = len(rows)
    told = Changes(
        np.repeat(np.arange(count), 2),
        np.repeat(opened, 2),
        np.tile(np.array([STAGE, AMOUNT], dtype=np.int64), count),
        np.stack([np.zeros(count), listed], axis=1).ravel(),
    )
    return Deals(
        until=LAST_DAY,
        keys=tuple(row["opportunity_id"] for row in rows),
        opened_on=opened,
        ended_on=np.array([_day(row["close_date"]) for row in rows], dtype=np.int64),
        won=won,
        amount=np.where(won, closing, listed),
        features={
            "owner": tuple(row["sales_agent"] for row in rows),
            "team": tuple(team[row["sales_agent"]]["manager"] for row in rows),
            "territory": tuple(team[row["sales_agent"]]["regional_office"] for row in rows),
            "product": tuple(products),
        },
        stages=("Engaging",),
        changes=told,
    )


def _rows(data: Path, name: str) -> list[dict[str, str]]:
    with (data / FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() if text else NEVER
