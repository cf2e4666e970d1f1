"""What the database sums of plain deals is, to the byte, what is made of each deal (R16, R23, R24, R34)."""

import random
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from forecasting.facts import basis_of
from forecasting.ledger import ledger
from forecasting.plain import AMOUNT_MAX
from forecasting.reading import find_period, read_raw, read_world
from forecasting.rollup import Asked, rolled
from tests.crm.desk import Desk
from tests.forecasting.telling import Row, deal, rollup
from tests.office import Office

CATEGORIES = ("commit", "likely", "best_case", "pipeline", "omitted", None)
STAGES = ("lead", "offer", "odd", "shut", "mute")
DAYS = (None, "2025-11-30", "2026-01-01", "2026-01-04", "2026-01-05", "2026-02-10", "2026-03-31", "2026-04-01")
AMOUNTS = (None, 0, 1, 5, 49, 50, 9_999, AMOUNT_MAX, AMOUNT_MAX + 1)
PEOPLE = ("ana", "bob", "cleo", "mia", "dirk", "gone")
AROUND: list[Row] = [
    ("users", "gone", {"name": "Gone", "email": "gone@example.com", "role": "rep", "active": False}),
    ("currencies", "USD", {"code": "USD", "name": "US dollar", "minor_digits": 2}),
    ("stages", "odd", {"name": "Odd", "position": 3, "probability_bp": 3_333, "category": "commit"}),
    ("stages", "shut", {"name": "Shut", "position": 4, "probability_bp": 10_000, "category": "closed"}),
    ("stages", "mute", {"name": "Mute", "position": 5, "probability_bp": 0, "category": "omitted"}),
]


def deals(seed: int, count: int = 120) -> list[Row]:
    chance, found = random.Random(seed), []
    for n in range(count):
        owner, other, third = chance.sample(PEOPLE, 3)
        halves = [{"user_key": owner, "share_bp": 6_667}, {"user_key": other, "share_bp": 3_333}]
        amount = chance.choice((*AMOUNTS, *(chance.randint(0, 10**6) for _ in range(9))))
        more: dict[str, Any] = {
            "stage_key": chance.choice(STAGES),
            "category": chance.choice(CATEGORIES),
            "splits": chance.choice(([], [], [], halves)),
            "overlays": chance.choice(([], [], [], [{"user_key": third, "share_bp": 2_500}])),
        }
        if amount is not None:
            more["currency"] = chance.choice(("EUR", "EUR", "EUR", "USD"))
        found.append(deal(f"d{n:03}", owner, amount, chance.choice(DAYS), **more))
    return found


def told(connection: Connection, now_ms: int, period_key: str, *, summed: bool) -> tuple[bytes, int]:
    """-> (the roll-up of a period, how many deals of it came summed)."""
    world = read_world(connection, now_ms=now_ms)
    period = find_period(connection, period_key, world.today, world.period_kind)
    raw = read_raw(connection, world, period, summed_in=world.currency if summed else None)
    basis = basis_of(raw, world, period)
    assert basis.is_whole is not bool(raw.summed)
    found = rolled(basis, ledger(basis.facts, sums=basis.sums), Asked())
    return msgspec.json.encode(found), sum(of.deals for of in basis.sums)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_summed_is_what_is_made_of_each_deal_r16_r23_r24(quarters: Office, seed: int) -> None:
    quarters.put(*AROUND)
    quarters.put(*deals(seed))
    summed = dict[str, int]()
    for period in ("q0", "q1", "q2"):
        one, none = quarters.database.read(told, quarters.clock.now_ms(), period, summed=False)
        other, summed[period] = quarters.database.read(told, quarters.clock.now_ms(), period, summed=True)
        assert (other, none) == (one, 0)
    assert summed["q1"] > 20
    assert summed["q2"] > 0
    assert summed["q0"] == 0


def test_the_largest_amounts_are_summed_without_leaving_their_numbers_r23(quarters: Office) -> None:
    quarters.put(*(deal(f"d{n}", "ana", AMOUNT_MAX + n - 2, "2026-02-01", stage_key="offer") for n in range(4)))
    now = quarters.clock.now_ms()
    other, count = quarters.database.read(told, now, "q1", summed=True)
    assert (other, count) == (quarters.database.read(told, now, "q1", summed=False)[0], 4)


def test_a_base_whose_deals_are_listed_says_the_same_as_before(desk: Desk) -> None:
    desk.office.put(*AROUND)
    desk.office.put(*deals(7))
    forecasts = desk.client.app.state.services.forecasts
    before = rollup(desk)
    ((_, base),) = forecasts._bases.items()
    assert not base.basis.is_whole
    page = desk.get("root", "/api/forecast/deals?period=q1&limit=1000").json()
    ((_, base),) = forecasts._bases.items()
    assert base.basis.is_whole
    buckets = before["nodes"][0]["buckets"].values()
    items = [item for item in page["items"] if not item["overlay"]]
    assert sum(item["amount_minor"] or 0 for item in items) == sum(bucket["amount_minor"] for bucket in buckets)
    forecasts._answers = type(forecasts._answers)(lambda of: of[0], 1)
    assert rollup(desk) == before


def test_what_was_listed_lately_is_made_whole_ahead(desk: Desk) -> None:
    forecasts = desk.client.app.state.services.forecasts
    desk.get("ana", "/api/forecast/deals?period=q1")
    desk.office.put(("deals", "deal-a", {"amount_minor": 1}))
    with desk.client.portal() as portal:
        assert portal.call(forecasts.warm) == 1
    ((_, base),) = forecasts._bases.items()
    assert base.basis.is_whole
