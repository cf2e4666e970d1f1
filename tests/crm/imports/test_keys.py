import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.ids import check_key
from sfa.crm.imports.keys import external_key

NAMES = st.text(st.characters(codec="utf-8"), max_size=90)


@given(NAMES)
def test_any_name_gives_a_valid_key(name: str) -> None:
    assert check_key(external_key("account", name)).startswith("account-")


@given(NAMES, NAMES)
def test_different_names_give_different_keys(one: str, other: str) -> None:
    assert (external_key("user", one) == external_key("user", other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a b", "a_b"), ("a.b", "a b"), (".20", " "), ("é", ".C3.A9"), ("x" * 90, "x" * 91), ("Acme", "acme")],
)
def test_names_that_could_be_confused_are_not(one: str, other: str) -> None:
    assert external_key("user", one) != external_key("user", other)


def test_a_key_can_be_read_by_people() -> None:
    assert external_key("account", "Gekko & Co") == "account-Gekko_.26_Co"
    assert external_key("deal", "1C1I7A6R") == "deal-1C1I7A6R"
