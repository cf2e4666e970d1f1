"""R2: a period that two servers close in one moment is closed once, and nothing commits while it is frozen."""

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import select

from sfa.db.tables import closed_contributions, closed_figures
from sfa.quotas import engine
from tests.builders import DAY_MS, NOW
from tests.office import Office
from tests.quotas.books import quarter, until
from tests.races.test_same_moment import TwoServers
from tests.races.truth import findings

MEANWHILE_S = 1.0


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


def test_a_deal_that_is_won_while_a_period_is_closed_is_in_every_figure_or_in_none(
    servers: TwoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the figures and their contributions the other server takes a deal: it commits when the closing has."""
    office, other = (Office(database) for database in servers.databases)
    quarter(office)
    until(office, "2026-04-01 08:00")
    other.clock.advance(office.clock.now_ms() - NOW)
    phone = other.phone("ana")
    deal = {"name": "x", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}
    made = phone.mutation("create", "deals", "meanwhile", set={**deal, "amount_minor": 1_000, "currency": "EUR"})
    won = {**phone.mutation("deal.win", "deals", "meanwhile", base=1), "at": office.clock.now_ms() - DAY_MS}
    body = phone.body([made, won])
    sellers: list[threading.Thread] = []
    figures = engine.figures

    def slow_figures(*asked: Any) -> Any:
        found = figures(*asked)
        sellers.append(threading.Thread(target=phone.answer, args=(body,)))
        sellers[0].start()
        sellers[0].join(MEANWHILE_S)
        return found

    monkeypatch.setattr(engine, "figures", slow_figures)
    assert office.phone("fay").do("period.close", "fiscal_periods", "q1").outcome == "applied"
    sellers[0].join()
    assert office.row("deals", "meanwhile")["closed_at"] is not None
    kept = {row["quota_key"]: row["value"] for row in office.all(select(closed_figures))}
    parts = office.all(select(closed_contributions))
    assert kept == {key: sum(p["value"] for p in parts if p["quota_key"] == key) for key in kept}, "R10"
    assert kept["q-team"] == kept["q-ana"] + kept["q-bob"]


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
