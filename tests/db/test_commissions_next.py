"""A win that comes last is added to the ledger without reading it row by row; the ledger is that of a rebuild (R41)."""

from contextlib import suppress
from random import Random
from typing import Any

import pytest

from sfa.core.errors import Refused
from sfa.db import commissions
from tests.db.test_commissions import check, has, ledger, plan, reopened, told
from tests.office import Office
from tests.quotas.ledger import Q1, Q2, line, rate, shares, won, write

PLANS: dict[str, dict[str, Any]] = {
    "bands": {},
    "whole": {"mode": "whole"},
    "capped": {"cap_minor": 20_00},
    "anew": {"retier": True},
    "margin": {"measure": "margin"},
    "dollars": {"currency": "USD"},
}


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The units whose whole period was read."""
    seen: list[Any] = []
    right = commissions._ledger

    def noted(connection: Any, units: Any) -> Any:
        seen.extend(units)
        return right(connection, units)

    monkeypatch.setattr(commissions, "_ledger", noted)
    return seen


@pytest.mark.parametrize("kind", sorted(PLANS))
def test_r41_wins_in_their_order_play_no_period_again(office: Office, played: list[Any], kind: str) -> None:
    rates = rate("EUR", "USD", "1.0937", "2026-01-01")
    write(office, Q1, plan(**{**PLANS[kind], "tiers": [{"from_minor": 0, "rate_bp": 777}]}), has(), has("bob"), rates)
    played.clear()
    for n in range(6):
        row = won(f"d{n}", f"2026-01-{n + 10}", 41_37 + n, splits=shares(ana=3_333, bob=6_667) if n % 2 else [])
        write(office, row, line(f"l{n}", f"d{n}", "0.1"))
    assert len({row["deal_key"] for row in ledger(office)} - {None}) == 6
    assert [unit for unit in played if unit.user_key == "ana"] == []
    check(office)


def test_r41_what_lies_before_or_changes_what_was_paid_is_played(office: Office, played: list[Any]) -> None:
    write(office, Q1, Q2, plan(), has(), won("a", "2026-01-10", 60_00), won("b", "2026-01-12", 60_00))
    for row in (
        won("early", "2026-01-11", 10_00),
        ("deals", "b", {"amount_minor": 70_00}),
        reopened("b", "2026-01-12", "2026-04-10", amount_minor=70_00),
        won("after-a-reversal", "2026-01-20", 10_00),
    ):
        played.clear()
        write(office, row)
        assert {unit.user_key for unit in played} == {"ana"}, row
        check(office)


def test_r41_a_tier_on_the_whole_amount_lifts_what_stands_and_the_next_win_is_added(
    office: Office, played: list[Any]
) -> None:
    write(office, Q1, plan(mode="whole"), has(), won("a", "2026-01-10", 60_00))
    played.clear()
    write(office, won("b", "2026-01-11", 60_00))
    assert played
    played.clear()
    write(office, won("c", "2026-01-12", 1_00))
    assert played == []
    assert told(office)[-1] == ("Q1", "accrual", "c", 1_000, 10)
    check(office)


@pytest.mark.parametrize("seed", range(4))
def test_r41_wins_and_corrections_in_any_order_leave_what_a_rebuild_makes(office: Office, seed: int) -> None:
    """Mostly in order, so that most are added; two plans at once, one of overlays."""
    random = Random(seed)
    said = {**PLANS[random.choice(sorted(PLANS))], "overlay": False}
    over = plan("over", overlay=True, mode="whole")
    write(
        office,
        Q1,
        Q2,
        plan(**said),
        over,
        has(),
        has("bob"),
        has("bob", "over"),
        rate("EUR", "USD", "1.1", "2026-01-01"),
    )
    done = 0
    for n in range(14):
        day = f"2026-01-{n + 10}" if random.random() < 0.8 else f"2026-01-{random.randint(10, 27)}"
        amount = random.choice((1, 333, 25_00, 150_00, 0))
        splits = random.choice(([], shares(ana=2_500, bob=7_500)))
        overlays = [{"user_key": "bob", "share_bp": 5_000}] if not splits and random.random() < 0.5 else []
        rows = [won(f"d{n}", day, amount, splits=splits, overlays=overlays), line(f"l{n}", f"d{n}", "0.1")]
        if n and random.random() < 0.2:
            rows = [("deals", f"d{random.randrange(n)}", {"amount_minor": random.choice((5, 80_00))})]
        elif n and random.random() < 0.2:
            rows.append(reopened(f"d{random.randrange(n)}", day, "2026-04-12"))
        with suppress(Refused):  # a row of a deal that an earlier turn did not make
            write(office, *rows)
            done += 1
    assert done >= 8
    check(office)
