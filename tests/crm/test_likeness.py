"""S30: how alike two rows are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.crm.likeness import SUGGESTED_FROM_BP, Face, blocks, face_of, likeness, national_number, plain_name

words = st.lists(st.sampled_from(["acme", "pumps", "northern", "bilbao", "石油", "ação"]), min_size=1, max_size=3)
some = st.frozensets(st.sampled_from("123"), max_size=2)
faces = st.builds(
    Face, words.map(" ".join), some, some, some, st.sampled_from(["", "bilbao", "48001"]), st.sampled_from(["", "a"])
)


@given(faces, faces)
def test_likeness_is_the_same_both_ways_and_within_its_bounds(one: Face, two: Face) -> None:
    assert likeness(one, two).score_bp == likeness(two, one).score_bp
    assert 0 <= likeness(one, two).score_bp <= 10_000


@given(faces)
def test_a_row_is_entirely_like_itself_and_shares_its_blocks(face: Face) -> None:
    assert likeness(face, face).score_bp == 10_000
    assert blocks(face)


@given(faces, faces, st.sampled_from(["7", "8"]))
def test_a_shared_number_never_makes_two_rows_less_alike(one: Face, two: Face, number: str) -> None:
    def with_number(face: Face) -> Face:
        return Face(face.name, face.phones | {number}, face.emails, face.domains, face.place, face.account)

    assert likeness(with_number(one), with_number(two)).score_bp >= likeness(one, two).score_bp


@given(faces, faces)
def test_what_is_suggested_shares_a_block_or_at_least_no_whole_word(one: Face, two: Face) -> None:
    """Blocks lose no pair that has a long word or a number in common."""
    long = {w for w in one.name.split() if len(w) >= 4} & {w for w in two.name.split() if len(w) >= 4}
    if long or one.phones & two.phones:
        assert blocks(one) & blocks(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"name": "Bäckerei Müller GmbH"}, {"name": "Backerei Muller"}),
        ({"name": "Acme Pumps, S.L.", "city": "Bilbao"}, {"name": "ACME PUMPS", "city": "bilbao"}),
        ({"name": "Maria Silva", "phone": "+351 912 345 678"}, {"name": "Maria Silva", "phone": "912345678"}),
        ({"name": "Pumps Acme", "website": "https://www.acme.es/x"}, {"name": "Acme Pumps", "email": "info@acme.es"}),
        ({"name": "Acme Pumsp", "phone": "944 123 456"}, {"name": "Acme Pumps", "phone": "+34 944 12 34 56"}),
    ],
)
def test_the_same_customer_written_twice_is_suggested(one: dict[str, str], two: dict[str, str]) -> None:
    found = likeness(face_of(one), face_of(two))
    assert found.score_bp >= SUGGESTED_FROM_BP
    assert blocks(face_of(one)) & blocks(face_of(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"name": "Acme Pumps", "phone": "944123456"}, {"name": "Northern Oil", "phone": "944123456"}),
        ({"name": "Maria Silva", "email": "m@gmail.com"}, {"name": "Mario Salvo", "email": "s@gmail.com"}),
        ({"name": "Hotel Central", "city": "Bilbao"}, {"name": "Hotel Central", "city": "Cadiz", "phone": ""}),
    ],
)
def test_different_customers_are_not_suggested(one: dict[str, str], two: dict[str, str]) -> None:
    if one["name"] == two["name"]:
        one, two = {**one, "phone": "944123456"}, {**two, "phone": "956123456"}
    assert likeness(face_of(one), face_of(two)).score_bp < SUGGESTED_FROM_BP


def test_numbers_and_names_are_compared_without_what_does_not_matter() -> None:
    assert national_number("0049 30 123456", "DE") == national_number("(030) 123456", "DE") == "30123456"
    assert (national_number("no number", None), national_number("12", "ES")) == ("", "")
    assert (plain_name("S.L."), plain_name("Café  Ágora, S.A.")) == ("sl", "cafe agora")
