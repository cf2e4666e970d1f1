"""R26: of two managers who put a figure in one place in one moment, on two servers, one is told that the other did."""

import asyncio
from typing import Any

import pytest

from forecasting.answers import OverrideSet
from forecasting.overriding import Looked, Named
from forecasting.service import Forecasts
from sfa.core.errors import Refused
from sfa.crm.online import Online
from tests.quotas.books import Q1
from tests.races.test_same_moment import TwoServers

NORTH = Named("q1", "team:north", "commit")


@pytest.fixture
def servers(company_url: str) -> Any:
    opened = TwoServers(company_url)
    yield opened
    opened.close()


@pytest.mark.parametrize("stands", [False, True], ids=["no figure yet", "a figure stands"])
def test_two_managers_at_one_cell_at_once_are_one_figure_and_one_refusal(servers: TwoServers, stands: bool) -> None:
    office = servers.office
    office.put(
        ("fiscal_periods", "q1", Q1),
        ("team_members", "m-cleo", {"team_key": "north", "role": "manager"}),
    )
    forecasts = [Forecasts(Online(database, office.clock, {})) for database in servers.databases]
    managers = ("mia", "cleo")

    async def one(n: int, looked: Looked) -> str:
        try:
            await forecasts[n].set(managers[n], NORTH, OverrideSet(amount_minor=n + 1), looked)
        except Refused as refused:
            return refused.code
        return "set"

    async def both() -> list[str]:
        looked = Looked(fresh=True)
        if stands:
            assert await one(0, looked) == "set"
            looked = Looked(rev=1)
        return sorted(await asyncio.gather(one(0, looked), one(1, looked)))

    assert servers.run(both) == ["rev_stale", "set"]
    (row,) = office.rows("forecast_overrides")
    assert (row["number"], row["rev"]) == ((2, 2) if stands else (1, 1))
    assert row["amount_minor"] == managers.index(row["author_key"]) + 1
