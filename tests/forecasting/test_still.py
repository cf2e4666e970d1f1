"""What stands still between two snapshots is summed at once: as if each deal had been looked at (R28)."""

import random
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection

from forecasting import bridging, moving, taking
from forecasting.bridging import Bridged
from forecasting.overriding import sight_of
from forecasting.still import Still
from sfa.core.errors import Refused
from sfa.crm.online import person
from tests.builders import DAY_MS, NOW
from tests.forecasting.selling import OFFER, Q1, Q2, shares, take
from tests.forecasting.test_moving import NODES, OTHERS, PEOPLE_NODES, asked, some_day
from tests.office import Office

EUROS = {"currency": "EUR", "amount_minor": 1_000}


@pytest.fixture
def still_selling(selling: Office) -> Office:
    """Deals that are not plain: overlays, nobody's share, somebody who left, no day, no amount, no rate, products."""
    selling.put(
        ("users", "dirk", {"active": False}),
        ("deals", "o", {"name": "Overlaid", **OFFER, **EUROS, "overlays": shares(ana=500)}),
        ("deals", "g", {"name": "Of who left", **OFFER, **EUROS, "owner_key": "dirk"}),
        ("deals", "p", {"name": "Helped by who left", **OFFER, **EUROS, "overlays": shares(dirk=500)}),
        ("deals", "u", {"name": "Some day", **OFFER, **EUROS, "close_on": None}),
        ("deals", "n", {"name": "For nothing", **OFFER}),
        ("deals", "c", {"name": "Francs", **OFFER, "currency": "CHF", "amount_minor": 5}),
        ("deals", "z", {"name": "Zero", **OFFER, "currency": "EUR", "amount_minor": 0}),
        ("deals", "s", {"name": "Slips", **OFFER, **EUROS, "close_on": "2026-01-06"}),
        ("deals", "x", {"name": "Omitted", **OFFER, **EUROS, "category": "omitted"}),
        ("deal_lines", "line-o", {"deal_key": "o", "product_key": "pump", "unit_price_minor": 7}),
    )
    return selling


@pytest.mark.parametrize("period", [Q1, Q2])
def test_what_stands_still_is_what_each_deal_of_it_would_be_r28(
    still_selling: Office, monkeypatch: pytest.MonkeyPatch, period: str
) -> None:
    office, choice = still_selling, random.Random(7)
    for day in range(3):
        with suppress(Refused):
            some_day(choice, office, day)
        if day == 1:
            office.put(
                ("team_members", "m-bob", {"valid_to": "2026-01-07"}), ("accounts", "zeta", {"territory_key": None})
            )
        take(office, day)

    def bridges(connection: Connection) -> dict[tuple[str, int, str], Bridged | str]:
        found: dict[tuple[str, int, str], Bridged | str] = {}
        for user in ("root", "mia", "bob"):
            sight = sight_of(person(connection, user), shown=False)
            for was in (0, 1):
                ends = moving.compared(connection, asked(was, 2, period=period))
                for node in dict.fromkeys((*NODES, *OTHERS, *PEOPLE_NODES)):
                    try:
                        found[user, was, node] = bridging.bridged(connection, ends, node, sight)
                    except Refused as refused:
                        found[user, was, node] = refused.code
        return found

    summed = office.database.read(bridges)
    summed_up: list[int] = []
    sift = Still.sift

    def each(self: Still, rows: Any) -> Any:
        summed_up.append(len(rows) - len(sift(self, rows)))
        self.amounts, self.deals, self._lens.unseen = {}, 0, False
        return rows

    monkeypatch.setattr(Still, "sift", each)
    assert summed == office.database.read(bridges)
    assert max(summed_up) > 3
    told = [found for found in summed.values() if isinstance(found, Bridged)]
    assert told
    if period == Q1:
        assert any(found.unseen for found in told)
        assert any(found.holes for found in told)


def test_of_two_processes_that_take_one_day_the_second_keeps_nothing_r27(selling: Office) -> None:
    looked = [selling.database.read(taking.look, NOW) for _ in range(2)]
    selling.put(("deals", "deal-a", {"amount_minor": 1}))
    looked.append(selling.database.read(taking.look, NOW))
    kept = [selling.database.write(taking.keep, found).split(":")[0] for found in looked]
    assert kept == ["snapshot 1 of 2026-01-05", "none to take", "none to take"]
    assert take(selling, 1).startswith("snapshot 2 of 2026-01-06: 1 versions")
    assert selling.database.read(taking.look, NOW + DAY_MS) is None
