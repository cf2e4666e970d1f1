"""What people write comes out as text: names, Markdown, brands; and amounts stand as the language writes them."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proposals.document import Brand, Document, Party
from proposals.pdf.checking import check
from proposals.templates import formats
from proposals.templates.branding import colours_css, readable, tones
from proposals.templates.html import html_of
from proposals.templates.rich import NESTING_MAX, clean, plain, rich
from proposals.templates.template import BUILT_IN
from sfa.core.colours import CONTRAST_MIN, PAPER, contrast
from sfa.core.money import minor_digits
from sfa.core.proposal_rows import RULES
from tests.proposals import builders

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='a",
    "{{ 7 * 7 }}",
    "{% for a in b %}",
    "</title></style></body>",
    "<!--styles-->",
    "&lt;b&gt;",
    "%(buyer)s %s %d",
    "\u202e00.1\u202c",
    "a\x00b\x1f",
    "[a](javascript:alert(1))",
    "![a](https://a.example/x.png)",
    "@import 'a'; } * { display: none",
)
colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def everywhere(text: str, base: str) -> Document:
    party = Party(
        name=text, person=text, title=text, address=(text,), email=text, phone=text, tax_id=text, website=text
    )
    said: dict[str, Any] = {
        "title": text,
        "seller": party,
        "buyer": party,
        "author": party,
        "zone": text,
        "number": text[:40],
    }
    return builders.document(
        template=base,
        brand=Brand(footer=text),
        summary=text,
        terms=text,
        closing=text,
        language="es",
        **said,
    )


@pytest.mark.parametrize("base", sorted(BUILT_IN))
@pytest.mark.parametrize("text", HOSTILE)
def test_what_people_write_is_shown_and_never_obeyed(text: str, base: str) -> None:
    for mode in ("print", "screen"):
        made = html_of(everywhere(text, base), BUILT_IN[base], mode)
        check(made, b"{}")
        seen = Elements(made)
        assert not seen.found & {"script", "img", "iframe"}
        assert not [name for name in seen.attributes if name.startswith("on")]
        assert made.count("<style>") == 1
        assert not re.search("[\u202a-\u202e\x00]", made)


def test_a_text_says_only_a_little_markdown() -> None:
    assert rich("**a** *b*\n\n- c") == "<p><strong>a</strong> <em>b</em></p>\n<ul>\n<li>c</li>\n</ul>\n"
    assert rich("# a", 2) == "<h2>a</h2>\n"
    assert rich("<b>a</b>") == "<p>&lt;b&gt;a&lt;/b&gt;</p>\n"
    assert "<img" not in rich("![a](https://a.example/a.png)")


@pytest.mark.parametrize("link", ["https://a.example/b", "mailto:a@b.example", "tel:+4930"])
def test_a_link_leads_to_the_web_to_mail_or_to_a_telephone(link: str) -> None:
    assert f'href="{link}"' in rich(f"[a]({link})")


@pytest.mark.parametrize(
    "link",
    ["http://a.example", "javascript:a", "JaVaScRiPt:a", "data:a", "file:///a", "//a.example", "/a", "#a", "asset:a"],
)
def test_no_other_link_is_one(link: str) -> None:
    assert "href" not in rich(f"[a]({link})")


def test_what_nests_too_deep_is_printed_as_it_was_typed() -> None:
    deep = ">" * 300 + " a"
    assert "<blockquote>" not in rich(deep)
    assert "&gt;" * 300 in rich(deep).replace("\u200b", "")
    shallow = rich("- a\n  - b")
    assert shallow.count("<ul>") == 2
    assert NESTING_MAX < 20


def test_headings_never_skip_a_level() -> None:
    assert re.findall(r"<(h\d)>", rich("# a\n\n#### b\n\n###### c\n\n## d", 3)) == ["h3", "h4", "h5", "h4"]


@given(st.text(max_size=200))
def test_a_long_word_can_break_and_nothing_that_is_seen_is_lost(text: str) -> None:
    kept = clean(text)
    assert all(len(word) < 80 for word in re.split(r"[\s\u200b]", kept))
    assert clean("a" * 1_000).replace("\u200b", "") == "a" * 1_000


def test_a_name_from_right_to_left_keeps_its_direction() -> None:
    assert plain("שלום 12") == '<bdi dir="rtl">שלום 12</bdi>'
    assert 'dir="rtl"' in rich("שלום")
    assert plain("Ana") == "Ana"


@given(colours, colours)
@settings(max_examples=60)
def test_any_brand_is_printed_so_that_it_can_be_read(primary: str, accent: str) -> None:
    for colour in (primary, accent):
        assert contrast(readable(colour), PAPER) >= CONTRAST_MIN
        assert (readable(colour) == colour) == (contrast(colour, PAPER) >= CONTRAST_MIN)
    assert re.fullmatch(r"[#\w\s:;{}.-]+", colours_css(Brand(primary=primary, accent=accent)))
    assert len(tones(Brand(primary=primary, accent=accent))) == 6


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#ff0000", "#ffffff") == pytest.approx(3.998, abs=0.01)


@pytest.mark.parametrize(
    ("brand", "is_taken"),
    [
        ({"primary": "#1f3a5f", "accent": "#b4541a"}, True),
        ({"primary": "#767676"}, True),
        ({"primary": "#777777"}, False),
        ({"accent": "#ffd700"}, False),
        ({"primary": "red"}, False),
        ({"primary": "#1F3A5F"}, False),
        ({"accent": "#000000; } *"}, False),
    ],
)
def test_a_brand_that_cannot_be_read_is_not_written(brand: dict[str, str], is_taken: bool) -> None:
    row = {"source": None, "css": None, "brand": brand, "seller": {}, "texts": {}}
    found = RULES["proposal_templates"](row)
    assert (found is None) == is_taken
    assert found is None or (found.code, found.details) == ("proposal_invalid", {"field": "brand"})


@given(st.integers(-(10**15), 10**15), st.sampled_from(("EUR", "BRL", "JPY", "KWD", "CLF", "CHF")))
@settings(max_examples=150)
def test_an_amount_is_written_with_the_digits_of_its_currency_and_can_be_read_back(minor: int, currency: str) -> None:
    """R33"""
    for language, comma in (("en", "."), ("es", ","), ("pt-BR", ",")):
        for text in (formats.amount(minor, currency, language), formats.money(minor, currency, language)):
            whole, _, digits = re.sub(rf"[^\d{comma}]", "", text).partition(comma)
            assert len(digits) == minor_digits(currency)
            assert int(whole + digits) == abs(minor)
            assert ("-" in text or "\u2212" in text) == (minor < 0)
            assert " " not in text


@pytest.mark.parametrize(
    ("language", "money", "day", "percent", "quantity", "size"),
    [
        ("en", "€1,234,567.50", "March 4, 2026", "21.25%", "2,000.5", "2.4\u00a0MB"),
        ("es", "1.234.567,50\u00a0€", "4 de marzo de 2026", "21,25\u00a0%", "2.000,5", "2,4\u00a0MB"),
        ("pt-BR", "€\u00a01.234.567,50", "4 de março de 2026", "21,25%", "2.000,5", "2,4\u00a0MB"),
    ],
)
def test_numbers_and_days_are_written_as_the_language_does(
    language: str, money: str, day: str, percent: str, quantity: str, size: str
) -> None:
    assert formats.money(123_456_750, "EUR", language) == money
    assert formats.day("2026-03-04", language) == day
    assert formats.percent(2_125, language) == percent
    assert formats.quantity("2000.50", language) == quantity
    assert formats.size(2_400_000, language) == size
