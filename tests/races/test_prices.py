"""R39: of two servers that are told a price of one product, currency and day in one moment, one takes it."""

import asyncio
from typing import Any

import pytest

from tests.office import Office
from tests.races.test_same_moment import TwoServers

PRICE = {"product_key": "pump", "amount_minor": 100_00, "currency": "EUR", "valid_from": "2027-01-01"}


@pytest.fixture
def servers(company_url: str) -> Any:
    opened = TwoServers(company_url)
    yield opened
    opened.close()


def test_two_who_enter_a_price_of_one_product_and_day_at_once_enter_one(servers: TwoServers) -> None:
    office = servers.office
    phones = [office.phone("fay"), office.phone("dirk"), office.phone("root")]

    async def enter() -> list[str]:
        prices = [{**PRICE, "amount_minor": 100_00 + n} for n in range(3)]
        bodies = [p.body([p.mutation("create", "prices", f"p-{n}", set=prices[n])]) for n, p in enumerate(phones)]
        sent = (servers.send_to(n % 2, phones[n], body) for n, body in enumerate(bodies))
        return sorted(receipts[0].code or receipts[0].outcome for receipts in await asyncio.gather(*sent))

    assert servers.run(enter) == ["applied", "price_twice", "price_twice"]
    assert len(_of_day(office)) == 1


def test_two_whose_corrections_meet_on_one_day_do_not_both_move_there(servers: TwoServers) -> None:
    office = servers.office
    office.put(*(("prices", f"p-{n}", {**PRICE, "valid_from": f"2027-0{n + 2}-01"}) for n in range(2)))
    phones = [office.phone("fay"), office.phone("dirk")]

    async def move() -> list[str]:
        said = [p.mutation("update", "prices", f"p-{n}", base=1, set={"valid_from": PRICE["valid_from"]})
                for n, p in enumerate(phones)]  # fmt: skip
        sent = (servers.send_to(n, p, p.body([said[n]])) for n, p in enumerate(phones))
        return sorted(receipts[0].code or receipts[0].outcome for receipts in await asyncio.gather(*sent))

    assert servers.run(move) == ["applied", "price_twice"]
    assert len(_of_day(office)) == 1


def _of_day(office: Office) -> list[dict[str, Any]]:
    return [row for row in office.rows("prices") if row["valid_from"] == PRICE["valid_from"]]
