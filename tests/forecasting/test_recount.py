"""The roll-up of a company made at random is what plain SQL counts of the same rows (R16, R22-R24, R34, R55).

The recount knows nothing of the product's functions: it adds up amounts by owner and category, shares by JSON, closed
money by local day, and converts with the one rate there is. Amounts are multiples of 20,000, so that no share, no
probability and no rate leaves a rest.
"""

import random
from typing import Any

import pytest
from sqlalchemy import Connection, text

from forecasting.facts import basis_of
from forecasting.ledger import ledger
from forecasting.reading import find_period, read_raw, read_world
from forecasting.rollup import Asked, rolled
from sfa.core.forecast import BUCKETS
from tests.forecasting.telling import Row, deal
from tests.office import Office
from tests.quotas.books import at, until

PEOPLE = ("ana", "bob", "cleo", "mia", "dirk")
DAYS = [f"2026-{month:02}-{day:02}" for month in range(1, 7) for day in (1, 9, 15, 28)]
CATEGORIES = ("commit", "likely", "best_case", "pipeline", "omitted", None)


def deals(seed: int, count: int = 60) -> list[Row]:
    chance, found = random.Random(seed), []
    for n in range(count):
        owner, other, third = chance.sample(PEOPLE, 3)
        share = chance.choice((0, 0, 2_500, 5_000))
        splits = [{"user_key": owner, "share_bp": 10_000 - share}, {"user_key": other, "share_bp": share}]
        more: dict[str, Any] = {
            "stage_key": chance.choice(("lead", "offer")),
            "currency": chance.choice(("EUR", "EUR", "USD")),
            "category": chance.choice(CATEGORIES),
            "splits": splits if share else [],
            "overlays": chance.choice(([], [{"user_key": third, "share_bp": 2_500}])),
        }
        found.append(deal(f"d{n}", owner, 20_000 * chance.randint(1, 50), chance.choice(DAYS), **more))
    return found


RATE = {"base_currency": "EUR", "quote_currency": "USD", "rate": "2", "valid_from": "2025-01-01"}
SHARED = {
    "sqlite": "SELECT deals.key, json_extract(s.value, '$.user_key') AS who, json_extract(s.value, '$.share_bp') AS bp"
    " FROM deals, json_each(deals.splits) AS s",
    "postgresql": "SELECT deals.key, s.value->>'user_key' AS who, CAST(s.value->>'share_bp' AS integer) AS bp"
    " FROM deals, json_array_elements(deals.splits) AS s",
}
OPEN = """
WITH parts AS ({shared} UNION ALL SELECT key, owner_key, 10000 FROM deals WHERE CAST(splits AS text) = '[]')
SELECT parts.who, CASE
    WHEN d.category = 'omitted' THEN 'omitted'
    WHEN d.close_on < '2026-02-10' THEN 'slipped'
    ELSE coalesce(d.category, 'pipeline') END AS bucket,
  CAST(sum(d.amount_minor * parts.bp / 10000 / CASE d.currency WHEN 'USD' THEN 2 ELSE 1 END) AS integer),
  CAST(sum(d.amount_minor * parts.bp / 10000 / CASE d.currency WHEN 'USD' THEN 2 ELSE 1 END
    / 100 * (SELECT probability_bp / 100 FROM stages WHERE stages.key = d.stage_key)) AS integer),
  count(*)
FROM deals d JOIN parts ON parts.key = d.key
WHERE d.closed_at IS NULL AND NOT d.gone AND d.close_on < '2026-04-01' AND parts.bp > 0 GROUP BY 1, 2
"""
CLOSED = """
SELECT user_key, 'closed', CAST(sum(v) AS integer), CAST(sum(v) AS integer), count(DISTINCT deal_key) FROM (
  SELECT user_key, deal_key, CASE WHEN reversal THEN -1 ELSE 1 END * amount_minor
    / CASE currency WHEN 'USD' THEN 2 ELSE 1 END AS v
  FROM credits WHERE NOT overlay AND at >= :start AND at < :until) AS c GROUP BY 1
"""


def recounted(connection: Connection) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(person, bucket) -> amount, weighted, deals of the first quarter on 10 February."""
    query = OPEN.format(shared=SHARED[connection.dialect.name])
    bounds = {"start": at("2025-12-31 23:00"), "until": at("2026-03-31 22:00")}
    rows = [*connection.execute(text(query)), *connection.execute(text(CLOSED), bounds)]
    return {(who, bucket): (amount, weighted, count) for who, bucket, amount, weighted, count in rows}


def told(connection: Connection, now_ms: int) -> dict[str, Any]:
    world = read_world(connection, now_ms=now_ms)
    period = find_period(connection, "q1", world.today, world.period_kind)
    basis = basis_of(read_raw(connection, world, period), world, period)
    found = rolled(basis, ledger(basis.facts), Asked())
    assert not found.partial, found.missing
    return {node.node: node.buckets for node in found.nodes}


@pytest.mark.parametrize("seed", range(3))
def test_a_roll_up_is_what_plain_sql_counts_of_the_same_rows_r24_r55(quarters: Office, seed: int) -> None:
    quarters.delete("deals", "deal-a")
    quarters.put(("rates", "usd", RATE), *deals(seed))
    rows = {row["key"]: row for row in quarters.rows("deals")}
    for n in range(0, 60, 3):
        person = rows[f"d{n}"]["owner_key"]
        if n == 30:
            until(quarters, "2026-02-01 07:00")
        assert quarters.phone(person).do("deal.win", "deals", f"d{n}", base=1).outcome == "applied"
    for n in (0, 9, 30):
        person, rev = rows[f"d{n}"]["owner_key"], quarters.rev("deals", f"d{n}")
        again = quarters.phone(person).do("deal.reopen", "deals", f"d{n}", base=rev, set={"stage_key": "offer"})
        assert again.outcome == "applied", again
    until(quarters, "2026-02-10 08:00")
    expected = quarters.database.read(recounted)
    found = quarters.database.read(told, quarters.clock.now_ms())
    people = {name: buckets for name, buckets in found.items() if name.startswith("user:")}
    here = {
        (name.removeprefix("user:"), bucket): (money.amount_minor, money.weighted_minor, money.deals)
        for name, buckets in people.items()
        for bucket, money in buckets.items()
        if money.deals
    }
    assert here == expected
    assert {bucket for _, bucket in here} == set(BUCKETS)
    for bucket in BUCKETS:
        assert found["company"][bucket].amount_minor == sum(
            amount for (_, of), (amount, _, _) in expected.items() if of == bucket
        )
