"""What a push asks of the database, and how much it computes, by its length."""

import cProfile
import pstats
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.office import Office, Phone

Made = dict[str, Any]


def months(office: Office, names: list[str], year: int) -> None:
    office.put(
        *(
            ("fiscal_periods", f"p-{name}", {"name": name, "kind": "month", "start_on": start, "end_on": end})
            for n, name in enumerate(names)
            for start, end in [(f"{year + n}-01-01", f"{year + n}-02-01")]
        )
    )


def quotas(office: Office, names: list[str], year: int) -> tuple[str, list[Made]]:
    months(office, names, year)
    said = {"user_key": "ana", "measure": "total_contacts", "target": 5}
    return "quotas", [{**said, "period_key": f"p-{name}"} for name in names]


def members(office: Office, names: list[str], year: int) -> tuple[str, list[Made]]:
    office.put(*(("users", f"u-{n}", {"name": n, "email": f"{n}@x.example", "role": "rep"}) for n in names))
    return "team_members", [{"team_key": "north", "user_key": f"u-{n}", "valid_from": "2025-01-01"} for n in names]


def rates(office: Office, names: list[str], year: int) -> tuple[str, list[Made]]:
    said = {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.1"}
    return "rates", [{**said, "valid_from": f"{year + n}-01-01"} for n in range(len(names))]


@pytest.mark.parametrize("make", [quotas, members, rates])
def test_what_is_compared_with_other_rows_asks_as_often_for_sixty_as_for_five(office: Office, make: Any) -> None:
    phone = office.phone("dirk")

    def asked(prefix: str, count: int, year: int) -> int:
        names = [f"{prefix}{n}" for n in range(count)]
        entity, rows = make(office, names, year)
        told: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
            told.append(statement)

        made = [phone.mutation("create", entity, f"k-{n}", set=row) for n, row in zip(names, rows, strict=True)]
        event.listen(Engine, "before_cursor_execute", note)
        try:
            answer = phone.push(*made)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert {receipt.outcome for receipt in answer.receipts} == {"applied"}, answer.receipts[:2]
        return len(told)

    asked("w", 5, 1900)
    few = asked("a", 5, 2000)
    assert asked("b", 60, 2100) <= few + 1


def _calls(phone: Phone, mutations: list[Made]) -> int:
    with cProfile.Profile() as profile:
        answer = phone.push(*mutations)
    assert {receipt.outcome for receipt in answer.receipts} == {"applied"}
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def test_four_times_as_many_moves_are_about_four_times_the_work(office: Office) -> None:
    """Stages that ask of a deal's lines look at that deal's, not at those of all deals in the push."""
    office.put(("stages", "lead", {"exit_criteria": [{"kind": "lines", "at_least": 1}]}))
    phone = office.phone("ana")
    deal = {"name": "D", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}

    def work(prefix: str, count: int) -> int:
        names = [f"{prefix}{n}" for n in range(count)]
        office.put(*(("deals", name, deal) for name in names))
        lines = [(name, n) for name in names for n in range(5)]
        office.put(*(("deal_lines", f"{name}-{n}", {"deal_key": name, "product_key": "pump"}) for name, n in lines))
        moves = [phone.mutation("deal.move", "deals", name, base=1, set={"stage_key": "offer"}) for name in names]
        return _calls(phone, moves)

    work("w", 5)
    few = work("a", 40)
    assert work("b", 160) < 5 * few


def test_four_times_as_many_quotas_are_about_four_times_the_work(office: Office) -> None:
    phone = office.phone("dirk")

    def work(prefix: str, count: int, year: int) -> int:
        names = [f"{prefix}{n}" for n in range(count)]
        entity, rows = quotas(office, names, year)
        made = [phone.mutation("create", entity, f"k-{n}", set=row) for n, row in zip(names, rows, strict=True)]
        return _calls(phone, made)

    work("w", 5, 1900)
    few = work("a", 40, 2000)
    assert work("b", 160, 2100) < 5 * few
