"""R2: a period that two servers close in one moment is closed once, and nothing commits while it is frozen."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from sfa.db.tables import closed_contributions, closed_figures
from tests.builders import NOW
from tests.quotas.books import quarter, until
from tests.races.test_same_moment import TwoServers
from tests.races.truth import findings

WINNERS = 6


@pytest.fixture
def servers(company_url: str) -> Any:
    opened = TwoServers(company_url)
    yield opened
    opened.close()


def test_two_who_close_a_period_at_once_on_two_servers_close_it_once(servers: TwoServers) -> None:
    """With a window in which the named person might close again: he does only when he says so."""
    office = servers.office
    quarter(office)
    until(office, "2026-04-01 08:00")
    servers.offices[1].clock.advance(office.clock.now_ms() - NOW)
    phones = [office.phone("fay"), office.phone("dirk"), office.phone("root"), office.phone("fay", "d-fay-2")]

    async def close() -> list[str]:
        bodies = [p.body([p.mutation("period.close", "fiscal_periods", "q1", set={"grace_days": 9})]) for p in phones]
        sent = (servers.send_to(i % 2, phones[i], body) for i, body in enumerate(bodies))
        return sorted(receipts[0].code or receipts[0].outcome for receipts in await asyncio.gather(*sent))

    assert servers.run(close) == ["applied", "period_closed", "period_closed", "period_closed"]
    assert [row["number"] for row in office.rows("period_closings")] == [1]
    assert len(office.all(select(closed_figures))) == 4
    assert office.database.read(findings, NOW) == []


def test_deals_that_are_won_while_a_period_is_closed_are_in_every_figure_or_in_none(servers: TwoServers) -> None:
    """Figures of one closing tell of one state: a team's is the sum of its members', who sell meanwhile."""
    office = servers.office
    quarter(office)
    until(office, "2026-04-01 08:00")
    servers.offices[1].clock.advance(office.clock.now_ms() - NOW)
    sellers = [office.phone(user, f"d-{user}-{i}") for user in ("ana", "bob") for i in range(WINNERS)]
    before = office.clock.now_ms() - 24 * 3_600_000

    def won(phone: Any, number: int) -> bytes:
        deal = {"name": "x", "owner_key": phone.user, "account_key": "acme", "stage_key": "lead"}
        made = phone.mutation("create", "deals", f"w-{number}", set={**deal, "amount_minor": 1_000, "currency": "EUR"})
        win = {**phone.mutation("deal.win", "deals", f"w-{number}", base=1), "at": before}
        return bytes(phone.body([made, win]))

    async def sell_and_close() -> None:
        fay = office.phone("fay")
        shut = fay.body([fay.mutation("period.close", "fiscal_periods", "q1")])
        bodies = [(phone, won(phone, number)) for number, phone in enumerate(sellers)]
        bodies.insert(WINNERS, (fay, shut))
        sent = (servers.send_to(i % 2, phone, body) for i, (phone, body) in enumerate(bodies))
        for receipts in await asyncio.gather(*sent):
            assert {receipt.outcome for receipt in receipts} == {"applied"}

    servers.run(sell_and_close)
    figures = {row["quota_key"]: row["value"] for row in office.all(select(closed_figures))}
    assert figures["q-team"] == figures["q-ana"] + figures["q-bob"]
    parts = office.all(select(closed_contributions))
    for key, value in figures.items():
        assert value == sum(part["value"] for part in parts if part["quota_key"] == key), "R10"


def test_r34_two_who_enter_a_rate_of_one_pair_and_day_at_once_enter_one(servers: TwoServers) -> None:
    office = servers.office
    rate = {"base_currency": "USD", "quote_currency": "AUD", "rate": "1.39", "valid_from": "2026-01-01"}
    phones = [office.phone("fay"), office.phone("dirk"), office.phone("root")]

    async def enter() -> list[str]:
        bodies = [p.body([p.mutation("create", "rates", f"r-{i}", set=rate)]) for i, p in enumerate(phones)]
        sent = (servers.send_to(i % 2, phones[i], body) for i, body in enumerate(bodies))
        return sorted(receipts[0].code or receipts[0].outcome for receipts in await asyncio.gather(*sent))

    assert servers.run(enter) == ["applied", "rate_twice", "rate_twice"]
    assert len(office.rows("rates")) == 1
