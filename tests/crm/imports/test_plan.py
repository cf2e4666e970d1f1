from itertools import pairwise
from pathlib import Path
from typing import Any

from sfa.core.rules import check_required, check_values
from sfa.core.shapes import SHAPES
from sfa.crm.imports.opportunities import DEALS, TEAMS, read_opportunities
from sfa.crm.imports.plan import LOST_REASON, Planned, plan_rows
from tests.crm.imports.csv_files import write_small


def rows_of(folder: Path, changed: dict[tuple[str, int], str | None] | None = None) -> list[Planned]:
    return plan_rows(read_opportunities(write_small(folder, changed)))


def row(rows: list[Planned], entity: str, key: str) -> dict[str, Any]:
    return next({**r.once, **r.values} for r in rows if (r.entity, r.key) == (entity, key))


def test_every_row_is_valid_and_refers_to_rows_before_it(tmp_path: Path) -> None:
    seen: set[tuple[str, str]] = set()
    for planned in rows_of(tmp_path):
        values = {**planned.once, **planned.values}
        check_values(planned.entity, values)
        check_required(planned.entity, values)
        for field, target in SHAPES[planned.entity].references.items():
            assert values.get(field) is None or (target, values[field]) in seen, (planned.key, field)
        assert (planned.entity, planned.key) not in seen
        seen.add((planned.entity, planned.key))


def test_a_line_stands_beside_its_deal(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    for deal, line in pairwise(rows):
        if line.entity == "deal_lines":
            assert (deal.entity, deal.key) == ("deals", line.once["deal_key"])


def test_the_dates_of_the_company_lie_before_its_first_deal(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    assert {r.once["valid_from"] for r in rows if "valid_from" in r.once} == {"2016-01-01"}
    without = rows_of(tmp_path, {(DEALS, n): None for n in range(2, 7)})
    assert {r.once["valid_from"] for r in without if "valid_from" in r.once} == {"2000-01-01"}


def test_amounts_come_from_the_file_or_else_from_the_list_price(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    amounts = [{**r.once, **r.values}["amount_minor"] for r in rows if r.entity == "deals"]
    assert amounts == [500_000, 5_550, 5_550, 482_100, 6_025]
    assert row(rows, "deal_lines", "line-D1")["unit_price_minor"] == 500_000


def test_closed_deals_have_an_instant_at_noon_and_lost_ones_a_reason(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    won, lost, is_open = (row(rows, "deals", key) for key in ("deal-D1", "deal-D2", "deal-D3"))
    assert won["closed_at"] == 1_488_369_600_000  # 2017-03-01T12:00Z
    assert (won["stage_key"], won["lost_reason"]) == ("won", None)
    assert (lost["stage_key"], lost["lost_reason"]) == ("lost", LOST_REASON)
    assert (is_open["stage_key"], is_open["closed_at"], is_open["opened_on"]) == ("engaging", None, "2016-12-30")


def test_an_account_lives_where_most_of_its_deals_are_and_ties_go_by_name(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    assert row(rows, "accounts", "account-Zeta")["territory_key"] == "territory-North"  # one deal in each region
    more = rows_of(tmp_path, {(DEALS, 90): "D9,Cleo Cole,MG Special,Zeta,Engaging,2016-12-30,,"})
    assert row(more, "accounts", "account-Zeta")["territory_key"] == "territory-South"


def test_an_account_without_deals_has_no_territory_and_nobody_sells_there(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {(DEALS, n): None for n in range(2, 7)})
    assert row(rows, "accounts", "account-Zeta")["territory_key"] is None
    assert [r for r in rows if r.entity == "account_members"] == []


def test_the_account_team_is_everybody_with_a_deal_there(tmp_path: Path) -> None:
    team = [r.once for r in rows_of(tmp_path) if r.entity == "account_members"]
    assert sorted((m["account_key"], m["user_key"]) for m in team) == [
        ("account-Acme_.26_Co", "user-Ana_Alba"),
        ("account-Acme_.26_Co", "user-Bob_Bell"),
        ("account-Zeta", "user-Ana_Alba"),
        ("account-Zeta", "user-Cleo_Cole"),
    ]


def test_an_agent_who_leads_a_team_too_is_one_manager(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {(TEAMS, 90): "Mia Moor,Sam Stone,South"})
    assert row(rows, "users", "user-Mia_Moor")["role"] == "manager"
    assert [r.key for r in rows if r.entity == "team_members" and "user-Mia_Moor" in r.once.values()] == [
        "leads-Mia_Moor",
        "member-Mia_Moor",
    ]


def test_names_with_the_same_letters_get_addresses_of_their_own(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {(TEAMS, 90): "ana.alba,Mia Moor,North", (TEAMS, 91): "王芳,Mia Moor,North"})
    emails = [r.once["email"] for r in rows if r.entity == "users"]
    assert len(emails) == len(set(emails)) == 7
    assert "user@example.com" in emails
