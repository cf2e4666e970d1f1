from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.crm.imports.opportunities import ACCOUNTS, DEALS, PRODUCTS, TEAMS, read_opportunities
from sfa.crm.imports.record import Record
from sfa.crm.imports.table import Fault, Line
from tests.crm.imports.csv_files import SMALL, write_small


def faults(folder: Path) -> list[tuple[str, int, str | None, str]]:
    return [(f.file, f.line, f.field, f.code) for f in read_opportunities(folder).faults]


def test_a_good_set_has_no_faults_and_its_misspellings_are_put_right(tmp_path: Path) -> None:
    found = read_opportunities(write_small(tmp_path))
    assert found.faults == ()
    assert (len(found.agents), len(found.products), len(found.customers), len(found.deals)) == (3, 2, 2, 5)
    assert [(c.sector, c.country) for c in found.customers] == [
        ("technology", "United States"),
        ("medical", "Philippines"),
    ]
    assert [deal.product for deal in found.deals[:2]] == ["GTX Pro", "MG Special"]


def test_amounts_are_exact_and_the_zero_of_a_lost_deal_is_no_price(tmp_path: Path) -> None:
    found = read_opportunities(write_small(tmp_path))
    assert found.customers[0].revenue_minor == 110_004_000_000
    assert [deal.value_minor for deal in found.deals] == [500_000, None, None, None, 6_025]
    assert found.products[1].price_minor == 5_550


@pytest.mark.parametrize(
    ("file", "text", "field", "code"),
    [
        (TEAMS, ",Mia Moor,North", "sales_agent", "field_required"),
        (TEAMS, "Dora Dunn,,North", "manager", "field_required"),
        (TEAMS, "Dora Dunn,Mia Moor,", "regional_office", "field_required"),
        (TEAMS, "Ana Alba,Mia Moor,North", "sales_agent", "duplicate_external_id"),
        (TEAMS, "Dora Dunn,Mia Moor,South", "regional_office", "hierarchy_overlap"),
        (TEAMS, "Dora Dunn,Dora Dunn,South", "manager", "hierarchy_cycle"),
        (TEAMS, "D" * 101 + ",Mia Moor,North", "sales_agent", "field_invalid"),
        (PRODUCTS, "GTX Pro,GTX,1", "product", "duplicate_external_id"),
        (PRODUCTS, "New,GTX,", "sales_price", "field_required"),
        (PRODUCTS, "New,GTX,1.005", "sales_price", "amount_invalid"),
        (PRODUCTS, "New,GTX,-1", "sales_price", "amount_invalid"),
        (PRODUCTS, "New,GTX,$5", "sales_price", "amount_invalid"),
        (ACCOUNTS, "Zeta,x,2000,1,1,Spain,", "account", "duplicate_external_id"),
        (ACCOUNTS, ",x,2000,1,1,Spain,", "account", "field_required"),
        (ACCOUNTS, "New,x,MMXX,1,1,Spain,", "year_established", "field_invalid"),
        (ACCOUNTS, "New,x,2000,1e3,1,Spain,", "revenue", "amount_invalid"),
        (ACCOUNTS, "New,x,2000,1.123456789,1,Spain,", "revenue", "amount_invalid"),
        (ACCOUNTS, "New,x,2000,99999999999,1,Spain,", "revenue", "amount_invalid"),
        (ACCOUNTS, "New,x,2000,1,-1,Spain,", "employees", "field_invalid"),
        (ACCOUNTS, "New,x,2000,1,1,Spain,Nobody", "subsidiary_of", "reference_unknown"),
        (ACCOUNTS, "New,x,2000,1,1,Spain,New", "subsidiary_of", "hierarchy_cycle"),
        (DEALS, "D1,Ana Alba,GTX Pro,Zeta,Prospecting,,,", "opportunity_id", "duplicate_external_id"),
        (DEALS, "D9,Nobody,GTX Pro,Zeta,Prospecting,,,", "sales_agent", "reference_unknown"),
        (DEALS, "D9,Ana Alba,GTX,Zeta,Prospecting,,,", "product", "reference_unknown"),
        (DEALS, "D9,Ana Alba,GTX Pro,Nobody,Prospecting,,,", "account", "reference_unknown"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Dreaming,,,", "deal_stage", "field_invalid"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Engaging,2017-02-30,,", "engage_date", "field_invalid"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Engaging,01/02/2017,,", "engage_date", "field_invalid"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Engaging,20170201,,", "engage_date", "field_invalid"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Lost,2017-02-01,,0", "close_date", "field_required"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Won,2017-02-01,2017-03-01,", "close_value", "field_required"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Won,2017-02-01,2017-03-01,5 000", "close_value", "amount_invalid"),
        (DEALS, "D9,Ana Alba,GTX Pro,Zeta,Won,2017-02-01,2017-01-01,5", "close_date", "invariant_failed"),
        (DEALS, "D9,Ana Alba,GTX Pro", None, "field_invalid"),
        (DEALS, "D9,Ana \udcff,GTX Pro,Zeta,Prospecting,,,", "sales_agent", "field_invalid"),
    ],
)
def test_a_bad_line_is_named_with_its_field_and_code(
    tmp_path: Path, file: str, text: str, field: str | None, code: str
) -> None:
    good = read_opportunities(write_small(tmp_path))
    assert faults(write_small(tmp_path, {(file, 90): text})) == [(file, len(SMALL[file]) + 1, field, code)]
    with_bad = read_opportunities(tmp_path)
    assert (with_bad.agents, with_bad.products, with_bad.customers) == (good.agents, good.products, good.customers)
    assert with_bad.deals == good.deals


def test_what_depends_on_a_bad_line_is_bad_too(tmp_path: Path) -> None:
    write_small(tmp_path, {(ACCOUNTS, 2): "Acme & Co,technolgy,1996,lots,2822,United States,"})
    assert faults(tmp_path) == [
        (ACCOUNTS, 2, "revenue", "amount_invalid"),
        (ACCOUNTS, 3, "subsidiary_of", "reference_unknown"),
        (DEALS, 2, "account", "reference_unknown"),
        (DEALS, 3, "account", "reference_unknown"),
        (DEALS, 4, "account", "reference_unknown"),
        (DEALS, 6, "account", "reference_unknown"),
    ]


def test_subsidiaries_in_a_circle_are_refused_and_a_late_parent_is_not(tmp_path: Path) -> None:
    lines = ["P,x,2000,1,1,Spain,Q", "Q,x,2000,1,1,Spain,R", "R,x,2000,1,1,Spain,P", "S,x,2000,1,1,Spain,T", "T,,,,,,"]
    added = {(ACCOUNTS, 90 + place): line for place, line in enumerate(lines)}
    found = read_opportunities(write_small(tmp_path, dict(added)))
    assert {f.code for f in found.faults if f.field == "subsidiary_of"} == {"hierarchy_cycle", "reference_unknown"}
    assert [c.name for c in found.customers] == ["Acme & Co", "Zeta", "T", "S"]


def test_a_wrong_header_makes_the_whole_set_unusable(tmp_path: Path) -> None:
    found = read_opportunities(write_small(tmp_path, {(PRODUCTS, 1): "product,series,price"}))
    assert not found.usable
    assert {(f.file, f.line) for f in found.faults} == {(PRODUCTS, 1)}


@given(st.decimals(min_value=0, max_value=9_999_999, places=2))
def test_millions_become_minor_units_without_loss(amount: Decimal) -> None:
    faults: list[Fault] = []
    found = Record("a.csv", Line(2, {"revenue": str(amount)}), faults).millions("revenue", "USD")
    assert faults == []
    assert found == amount * 100_000_000


@given(st.text(max_size=20))
def test_no_text_whatever_breaks_the_reading_of_a_field(text: str) -> None:
    faults: list[Fault] = []
    record = Record("a.csv", Line(2, {"x": text}), faults)
    readings = (record.day("x"), record.whole("x"), record.money("x", "USD"), record.millions("x", "USD"))
    assert record.good == (faults == [])
    assert len(faults) == (sum(reading is None for reading in readings) if text else 0)
