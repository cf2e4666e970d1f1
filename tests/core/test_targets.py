"""R11, R33: a target as people write it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.core.targets import format_target, parse_target, with_unit

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


_said = st.fixed_dictionaries(
    {},
    optional={
        "measure": st.sampled_from(["quantity", "total_contacts"]),
        "unit": st.sampled_from([None, "box"]),
        "product_key": st.sampled_from([None, "pump"]),
    },
)
_row = st.fixed_dictionaries({"measure": st.sampled_from(["quantity", "total_contacts"])}).flatmap(
    lambda row: st.fixed_dictionaries(
        {
            **{key: st.just(value) for key, value in row.items()},
            "unit": st.just("box" if row["measure"] == "quantity" else None),
            "product_key": st.none(),
        }
    )
)


@given(_row, _said)
def test_a_quantity_always_says_what_it_counts_and_what_was_said_stands(
    row: dict[str, Any], said: dict[str, Any]
) -> None:
    values = with_unit(row, said)
    after = {**row, **values}
    if after["measure"] == "quantity":
        assert after["unit"] is not None or after["product_key"] is not None
    elif not said.keys() & {"unit", "product_key"}:
        assert (after["unit"], after["product_key"]) == (None, None)
    assert all(values[field] == value for field, value in said.items() if value is not None)
    assert with_unit(after, values) == values
