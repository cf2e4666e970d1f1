"""Names as people type them (R53's search): accents, case and script do not matter, the beginnings of words do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.names import ASKED_WORDS_MAX, WORD_CHARACTERS_MAX, WORDS_MAX, asked, fits, plain, rank, words


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("mull", "Müller & Söhne GmbH"),
        ("MÜLL", "Mu\u0308ller"),
        ("sohne mul", "Müller & Söhne GmbH"),
        ("strasse", "Straße 5"),
        ("ecole", "École d’Été"),
        ("ete", "École d’Été"),
        ("αθη", "ΑΘΗΝΑΪΚΗ"),
        ("привет", "Привет"),
        ("山田", "株式会社山田製作所"),
        ("ソニー", "ソニー株式会社"),
        ("กรุง", "ธนาคารกรุงเทพ"),
        ("हिन्दुस्तान", "हिन्दुस्तान यूनिलीवर"),
        ("김", "김철수"),
        ("o'br", "O’Brien"),
        ("3m", "3M Company"),
    ],
)
def test_a_name_is_found_by_what_people_type_of_it(typed: str, name: str) -> None:
    assert fits(asked(typed), name)


@pytest.mark.parametrize(("typed", "name"), [("uller", "Müller"), ("ab", "Acme"), ("acme x", "Acme")])
def test_the_middle_of_a_word_and_other_words_do_not_find_it(typed: str, name: str) -> None:
    assert not fits(asked(typed), name)


@given(st.text(max_size=60))
def test_every_name_is_found_by_itself_and_by_the_beginning_of_any_of_its_words(name: str) -> None:
    assert fits(asked(name), name) or len(plain(name).split()) > WORDS_MAX or len(words(name)) == WORDS_MAX
    assert plain(plain(name)) == plain(name)
    for word in words(name):
        assert 0 < len(word) <= WORD_CHARACTERS_MAX
    assert len(words(name)) <= WORDS_MAX
    assert len(asked(name)) <= ASKED_WORDS_MAX


@given(st.text(max_size=60))
def test_plain_is_the_same_for_any_case_of_ascii_and_for_both_forms_of_accents(name: str) -> None:
    from unicodedata import normalize

    assert plain(normalize("NFC", name)) == plain(normalize("NFD", name))
    ascii_ = name.encode("ascii", "ignore").decode()
    assert plain(ascii_.upper()) == plain(ascii_.lower())


def test_what_begins_as_it_is_typed_comes_first() -> None:
    known = ["Zeta Ana", "Anabel", "Ana Ruiz", "Ana", "Diana Ana"]
    assert sorted(known, key=lambda name: rank(asked("ana"), name)) == [
        "Ana",
        "Ana Ruiz",
        "Anabel",
        "Zeta Ana",
        "Diana Ana",
    ]
