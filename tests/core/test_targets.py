"""R11, R33: a target as people write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.core.targets import format_target, parse_target

UNITS = [("revenue", "EUR"), ("margin", "JPY"), ("revenue", "KWD"), ("quantity", None), ("total_contacts", None)]


@given(st.integers(-(10**15), 10**15), st.sampled_from(UNITS))
def test_a_target_is_read_as_it_is_written(target: int, unit: tuple[str, str | None]) -> None:
    assert parse_target(format_target(target, *unit), *unit) == target


@pytest.mark.parametrize(
    ("text", "measure", "currency", "target"),
    [
        ("1250.5", "revenue", "EUR", 125_050),
        ("-3", "margin", "JPY", -3),
        ("0.000001", "quantity", None, 1),
        ("12", "quantity", None, 12_000_000),
        ("40", "unique_contacts", None, 40),
    ],
)
def test_each_measure_has_its_unit(text: str, measure: str, currency: str | None, target: int) -> None:
    assert parse_target(text, measure, currency) == target


@pytest.mark.parametrize(
    ("text", "measure", "currency", "code"),
    [
        ("1.234", "revenue", "EUR", "amount_invalid"),
        ("5", "revenue", None, "currency_unknown"),
        ("1.5", "new_accounts", None, "amount_invalid"),
        ("0.0000001", "quantity", None, "amount_invalid"),
        ("1,5", "quantity", None, "amount_invalid"),
        ("many", "total_contacts", None, "amount_invalid"),
    ],
)
def test_what_is_no_number_of_that_unit_is_refused(text: str, measure: str, currency: str | None, code: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_target(text, measure, currency)
    assert refused.value.code == code
