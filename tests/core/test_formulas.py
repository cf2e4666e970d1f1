"""No text that people write is reckoned by a spreadsheet, however it is written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.formulas import is_formula, safe
from tests.house.tree import PRODUCT, python_files

WRITERS = ("csv.writer", "csv.DictWriter", "xlsxwriter.Workbook")
unseen = st.text(st.sampled_from(" \t\r\n\v\f\0\u00a0\u00ad\u200b\u200e\u202e\u2028\u3000\ufeff"), max_size=4)
signs = st.sampled_from("=+-@|\uff1d\uff0b\uff0d\uff20\uff5c\ufe62\ufe63\ufe66\ufe6b\u207a\u208a\u2212")
words = st.text(max_size=20)


@given(unseen, signs, words)
def test_a_sign_is_guarded_behind_what_is_not_seen_and_in_every_width(before: str, sign: str, after: str) -> None:
    text = f"{before}{sign}{after}"
    assert is_formula(text)
    assert safe(text) == f"'{text}"


@given(st.text(st.sampled_from("+-\uff0b\uff0d\u2212"), min_size=1, max_size=3), st.integers(0, 10**9))
def test_signs_before_a_number_are_guarded(before: str, number: int) -> None:
    assert safe(f"{before}{number}") == f"'{before}{number}"


@pytest.mark.parametrize("first", ["\t", "\r", "\n", "\r\n"])
def test_what_begins_with_an_end_of_a_cell_or_line_is_guarded(first: str) -> None:
    assert safe(f"{first}1") == f"'{first}1"


@given(words)
def test_what_is_guarded_is_one_no_more_and_says_the_same(text: str) -> None:
    assert not is_formula(safe(text))
    assert safe(text).removeprefix("'" if is_formula(text) else "") == text


@given(words)
def test_a_text_that_begins_with_a_letter_or_a_digit_is_left_as_it_is(text: str) -> None:
    for first in ("a", "7", "ñ", "م", "漢"):
        assert safe(first + text) == first + text


def test_nothing_is_an_empty_cell() -> None:
    assert (safe(None), safe(""), safe(7)) == ("", "", "7")


def test_every_sign_that_is_read_as_one_of_them_is_known() -> None:
    """Of all letters of Unicode."""
    read = [chr(n) for n in range(0x110000) if unicodedata.normalize("NFKC", chr(n))[:1] in tuple("=+-@|")]
    assert len(read) > 12
    assert all(is_formula(f"{sign}1+1") for sign in read)


def test_whoever_writes_a_file_for_spreadsheets_guards_its_texts_by_this_rule() -> None:
    of = {path: text for path, text in python_files(*PRODUCT).items() if any(name in text for name in WRITERS)}
    assert len(of) >= 6
    assert [path for path, text in of.items() if "from sfa.core.formulas import" not in text] == []
    again = [path for path, text in python_files(*PRODUCT).items() if '"=", "+"' in text]
    assert again == ["sfa/core/formulas.py"]
