"""R46: the PDF, the preview and the JSON of a proposal say the same amounts.

What JSON says is read back from its bytes and written as people of the language write it; what HTML and the PDF say is
every number in the text that a reader sees. Nothing of the product puts the three side by side.
"""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any, Literal

import msgspec
import pypdfium2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proposals.document import Document, Item, Section, canonical
from proposals.pdf.printing import print_pdf
from proposals.templates.formats import amount, money
from proposals.templates.html import html_of
from proposals.templates.template import BUILT_IN
from sfa.core.pricing import price
from sfa.core.pricing.values import Offer
from tests.core.pricing.offers import offers
from tests.proposals import builders

pytestmark = pytest.mark.xdist_group("printed proposals")
ITS_OWN = (
    "key", "section", "unit_price_minor", "discounts", "tax", "optional", "group", "quantity_min", "quantity_max",
    "quantity_step",
)  # fmt: skip
SIGNS = re.compile(r"[€$¥£]|R\$|\b(?:JPY|KWD|CLF|EUR)\b|[\s\u200b\u2066-\u2069]+")
NUMBER = re.compile(r"-?\d(?:[\d.,]*\d)?")
UNSEEN = ("style", "title", "desc")
forms = st.tuples(st.sampled_from(sorted(BUILT_IN)), st.sampled_from(("en", "es", "pt-BR")))


class Shown(HTMLParser):
    """The text of a body, with a line end where an element begins or ends."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in UNSEEN
        self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in UNSEEN
        self.text += "\n"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data


def document_of(offer: Offer, template: str, language: str) -> Document:
    """The offer as a document, with the two sections that its lines name."""
    named = [
        msgspec.convert({"name": f"Line {line.key}"} | {field: getattr(line, field) for field in ITS_OWN}, Item)
        for line in offer.lines
    ]
    sections = tuple(Section(key=key, title=f"Part {key}") for key in ("s1", "s2"))
    kept = {field: getattr(offer, field) for field in ("currency", "tax_inclusive", "rounding", "rounding_per")}
    bare = {"summary": "", "terms": "", "closing": "", "priced": price(offer), **kept}
    return builders.document(template=template, language=language, items=tuple(named), sections=sections, **bare)


def numbers(text: str) -> Counter[str]:
    plain = SIGNS.sub(" ", text.replace("\u2212", "-"))
    return Counter(NUMBER.findall(re.sub(r"-\s+(?=\d)", "-", plain)))


def said_in_json(document: bytes) -> Counter[str]:
    """Every amount of the priced part that is printed: of lines, of tax groups, of what is due, the total."""
    told: dict[str, Any] = msgspec.json.decode(document)
    priced, currency, language = told["priced"], told["currency"], told["language"]
    found: Counter[str] = Counter()
    for line in priced["lines"]:
        found += numbers(amount(line["amount_minor"], currency, language))
    for minor in (
        *(group["tax_minor"] for group in priced["taxes"]),
        *(due["amount_minor"] for due in priced["dues"]),
        priced["total_minor"],
    ):
        found += numbers(money(minor, currency, language))
    return found


def said_in_html(document: Document, mode: Literal["print", "screen"]) -> Counter[str]:
    return numbers(Shown(html_of(document, BUILT_IN[document.template.key], mode)).text)


def said_in_pdf(document: Document) -> Counter[str]:
    html = html_of(document, BUILT_IN[document.template.key], "print")
    pdf = print_pdf(html, document_json=canonical(document), title="Offer", language=document.language, made_at=0)
    opened = pypdfium2.PdfDocument(pdf)
    try:
        return numbers("\n".join(page.get_textpage().get_text_range() for page in opened))
    finally:
        opened.close()


def alike(document: Document) -> Counter[str]:
    """What paper says, when the preview says the same and all of the JSON's amounts are in it."""
    paper = said_in_html(document, "print")
    assert said_in_html(document, "screen") == paper
    assert said_in_json(canonical(document)) - paper == Counter()
    return paper


@settings(max_examples=120)
@given(offers(), forms)
def test_preview_and_json_say_the_same_amounts(offer: Offer, form: tuple[str, str]) -> None:
    """R46"""
    alike(document_of(offer, *form))


@pytest.mark.slow
@settings(max_examples=10_000)
@given(offers(), forms)
def test_preview_and_json_say_the_same_amounts_ten_thousand_times(offer: Offer, form: tuple[str, str]) -> None:
    """R46"""
    alike(document_of(offer, *form))


@settings(max_examples=50, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(offers(), forms)
def test_fifty_real_pdfs_say_the_same_amounts_as_their_json(offer: Offer, form: tuple[str, str]) -> None:
    """R46: every number of the HTML is in the text that a reader copies out of the PDF, as often."""
    document = document_of(offer, *form)
    assert alike(document) - said_in_pdf(document) == Counter()


def test_another_amount_anywhere_is_noticed() -> None:
    """The comparison does find a difference: one cent in one line of the JSON, or in the total."""
    document = builders.document()
    alike(document)
    priced = document.priced
    first, *others = priced.lines
    for wrong in (
        msgspec.structs.replace(priced, total_minor=priced.total_minor + 1),
        msgspec.structs.replace(
            priced, lines=(msgspec.structs.replace(first, amount_minor=first.amount_minor + 1), *others)
        ),
    ):
        told = canonical(msgspec.structs.replace(document, priced=wrong))
        assert said_in_json(told) - said_in_html(document, "print") != Counter()
