"""What is a worsening and who must approve: properties of the pure rules (R49)."""

import re
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from proposals import approving, lifecycle
from proposals.approving import DAY_MS, NOBODY, WORSENINGS, LineTerms, Terms, floors_of, role_for_margin, worsened
from proposals.numbering import Number, gaps, series_of
from sfa.core.access import ROLES
from tests.house.tree import document

units = st.fractions(min_value=0, max_value=10_000)
keys = st.sampled_from("abcde")


@st.composite
def lines(draw: Any) -> tuple[LineTerms, ...]:
    names = sorted(draw(st.sets(keys, min_size=1)))
    return tuple(
        LineTerms(
            key=name,
            product_key=draw(st.sampled_from([None, "pump"])),
            words="Work",
            tax="",
            asked=draw(st.booleans()),
            quantity=str(draw(st.integers(1, 5))),
            unit=str(draw(units)),
            below_list=draw(st.booleans()),
            choice=(draw(st.booleans()), None, None, None, None),
        )
        for name in names
    )


@st.composite
def terms(draw: Any) -> Terms:
    listed = draw(st.integers(0, 1_000))
    return Terms(
        currency=draw(st.sampled_from(["EUR", "USD"])),
        tax_inclusive=draw(st.booleans()),
        rounding="half_up line",
        account_key="acme",
        words="w",
        lines=draw(lines()),
        list_minor=listed,
        net_minor=draw(st.integers(0, listed)),
        wait=(draw(st.integers(0, 1_000)), draw(st.integers(0, 10))),
        last_due=draw(st.integers(0, 90)),
        valid_until=draw(st.sampled_from([None, "2026-02-01", "2026-03-01"])),
        valid_days=draw(st.sampled_from([0, 30])),
        terms=draw(st.sampled_from(["a", "b"])),
        enclosures=draw(st.sampled_from([(), ("x",), ("x", "y")])),
    )


@given(terms())
def test_the_same_values_are_no_worsening(said: Terms) -> None:
    """R49."""
    assert worsened(said, said) == ()
    assert approving.digest_of(said) == approving.digest_of(structs.replace(said))


@given(terms(), st.data())
def test_what_is_better_for_the_company_is_none(said: Terms, data: st.DataObject) -> None:
    """R49: dearer, at once, for a shorter time, with fewer files and fewer lines of those that asked for nothing, as
    long as the whole is no deeper off."""
    dearer = tuple(structs.replace(line, unit=str(Fraction(line.unit) + data.draw(units))) for line in said.lines)
    after = structs.replace(
        said,
        lines=data.draw(st.sampled_from([dearer, dearer[not said.lines[0].asked :]])),
        net_minor=said.net_minor + data.draw(st.integers(0, 100)),
        wait=(0, 1),
        last_due=0,
        valid_until=said.valid_until and "2026-01-31",
        enclosures=said.enclosures[1:],
    )
    assert worsened(said, after) == ()


@given(terms(), st.data())
def test_a_lower_price_of_any_line_is_one(said: Terms, data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(said.lines))
    lower = structs.replace(line, unit=str(Fraction(line.unit) - Fraction(1, 10**9)))
    after = structs.replace(said, lines=tuple(lower if each is line else each for each in said.lines))
    assert worsened(said, after) == ("price",)
    assert worsened(after, said) == ()


def test_every_kind_is_reached_and_told() -> None:
    """docs/proposals.md lists them."""
    line = LineTerms(
        key="a",
        product_key="p",
        words="",
        quantity="2",
        unit="10",
        tax="",
        below_list=True,
        asked=True,
        choice=(False,),
    )
    before = Terms(
        currency="EUR",
        tax_inclusive=False,
        rounding="half_up line",
        account_key="acme",
        words="w",
        lines=(line,),
        list_minor=100,
        net_minor=90,
        wait=(30, 1),
        last_due=30,
        valid_until="2026-02-01",
        valid_days=0,
        terms="t",
        enclosures=("x",),
    )

    def with_line(**said: Any) -> Terms:
        return structs.replace(before, lines=(structs.replace(line, **said),))

    changed = {
        "currency": structs.replace(before, tax_inclusive=True),
        "rounding": structs.replace(before, rounding="half_even line"),
        "customer": structs.replace(before, account_key="zeta"),
        "line": with_line(words="another"),
        "dropped": structs.replace(before, lines=()),
        "price": with_line(unit="9"),
        "tax": with_line(tax="2100 VAT"),
        "quantity": with_line(quantity="1"),
        "choice": with_line(choice=(True,)),
        "discount": structs.replace(before, net_minor=89),
        "payment": structs.replace(before, wait=(31, 1)),
        "validity": structs.replace(before, valid_until=None, valid_days=1),
        "terms": structs.replace(before, terms="u"),
        "words": structs.replace(before, words="v"),
        "enclosures": structs.replace(before, enclosures=("x", "y")),
    }
    assert {name: worsened(before, after) for name, after in changed.items()} == {n: (n,) for n in changed}
    assert tuple(changed) == WORSENINGS
    told = document("docs/proposals.md").split("\n## Approval\n", 1)[1].split("\n## ", 1)[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == WORSENINGS


def test_quantities_of_what_asked_for_an_approval_are_bound_and_of_what_did_not_are_not() -> None:
    """R49: at the list price, but below a floor; the digest that people are told does not say which (R45)."""
    line = LineTerms(
        key="a", product_key="p", words="", quantity="3", unit="1", tax="", below_list=False, asked=True, choice=()
    )
    more = structs.replace(line, quantity="100000")
    said = {"currency": "EUR", "tax_inclusive": False, "rounding": "", "account_key": None, "list_minor": 0}
    said |= {"net_minor": 0, "wait": (0, 0), "last_due": 0, "valid_until": None, "valid_days": 9, "terms": ""}
    rest: Any = {**said, "words": "", "enclosures": ()}
    before, after = Terms(lines=(line,), **rest), Terms(lines=(more,), **rest)
    assert worsened(before, after) == ("quantity",)
    open_ = Terms(lines=(structs.replace(line, asked=False),), **rest)
    assert worsened(open_, after) == ()
    assert approving.digest_of(open_) == approving.digest_of(before)
    assert not approving.aged(before, 0, 9 * DAY_MS - 1)
    assert approving.aged(before, 0, 9 * DAY_MS)
    assert approving.aged(structs.replace(before, valid_days=90), 0, 30 * DAY_MS)
    assert not approving.aged(structs.replace(before, valid_until="2030-01-01"), 0, 30 * DAY_MS - 1)


@given(
    st.lists(st.tuples(st.sampled_from(ROLES), st.integers(-1_000, 10_000)), max_size=6),
    st.sampled_from(ROLES),
    units.filter(bool),
    st.one_of(st.none(), units),
    units,
)
def test_a_higher_price_asks_for_no_higher_role(
    said: list[tuple[str, int]], role: str, unit: Fraction, cost: Fraction | None, more: Fraction
) -> None:
    """R49: and who is above every floor may do anything."""
    rows = [{"role": r, "floor_bp": bp, "family": None, "valid_from": "2025-01-01", "valid_to": None} for r, bp in said]
    floors = floors_of(rows, None, "2026-01-01")
    found, other = (role_for_margin(price, cost, floors, role) for price in (unit, unit + more))
    if cost is not None:
        assert _rank(other) <= _rank(found)
    if role not in floors:
        assert found is None
    if found not in (None, NOBODY):
        assert ROLES.index(str(found)) > ROLES.index(role)
    assert floors_of(rows, "family", "2026-01-01") == floors
    assert floors_of(rows, None, "2024-01-01") == {}


def _rank(role: str | None) -> int:
    return -1 if role is None else approving.rank(role)


@given(st.lists(st.one_of(st.none(), st.sampled_from([*ROLES, NOBODY]))), st.sampled_from(ROLES))
def test_a_chain_goes_up_and_whoever_approves_stands_for_those_below(roles: list[str | None], role: str) -> None:
    chain = approving.chain_of(roles)
    assert list(chain) == sorted(set(chain), key=approving.rank)
    left = approving.left_after(chain, role)
    assert all(approving.rank(each) > approving.rank(role) for each in left)
    assert chain[len(chain) - len(left) :] == left


@given(st.lists(st.integers(1, 30)), st.integers(0, 30))
def test_numbers_without_a_gap_are_those_from_one_to_the_last(ordinals: list[int], last: int) -> None:
    """R52."""
    assert (gaps(last, ordinals) == []) == (set(ordinals) == set(range(1, last + 1)))


def test_a_number_says_its_series() -> None:
    assert Number(series_of("Q", "2026-12-31"), 42).text == "Q-2026-00042"
    assert Number("Q-2026", 123_456).text == "Q-2026-123456"


def test_states_lead_where_they_may_and_nowhere_else() -> None:
    every = {*lifecycle.OPEN, *lifecycle.WITH_BUYER, *lifecycle.OVER}
    for act, froms in lifecycle.FROM.items():
        assert set(froms).isdisjoint(lifecycle.ALREADY[act])
        assert {*froms, *lifecycle.ALREADY[act]} < every
    assert not {lifecycle.ACCEPTED} & {s for froms in lifecycle.FROM.values() for s in froms}
