"""What the page shows of a document and reads of a form: texts of the PDF, fields that lead back to choices. Pure."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from proposals.buyer.page.forms import Visit, chosen_of, drawing_of, fields_of, number
from proposals.buyer.page.html import asset, assets_digest, notice, page
from proposals.buyer.page.limits import MISSES_BURST, Limits, is_crossed
from proposals.buyer.page.reading import fields_chosen
from proposals.buyer.page.view import PICK, QUANTITY, TAKE, number_of, point_of, said_of, typed, view_of
from proposals.document import Brand, Document
from proposals.templates import formats
from proposals.templates.reading import sheet_of
from sfa.core.clock import VirtualClock
from sfa.core.colours import CONTRAST_MIN, PAPER, contrast
from sfa.core.errors import Refused
from sfa.core.pricing.choosing import Choices
from tests.builders import NOW
from tests.proposals.builders import document

TEXTS = st.text(max_size=40)
SHOWN = document()
COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def fields(shown: Document) -> dict[str, list[str]]:
    """What a browser sends of the controls of a page, as it was loaded."""
    found: dict[str, list[str]] = {}
    for part in view_of(shown, "/p/x").parts:
        for line in (line for block in part.blocks for line in block.lines):
            if line.control is not None and line.control.chosen:
                found.setdefault(line.control.name, []).append(line.control.value)
            if line.stepper is not None:
                found[line.stepper.name] = [line.stepper.value]
    return found


def test_a_form_that_was_not_touched_says_what_the_page_shows() -> None:
    shown = document()
    assert fields(shown) == {f"{PICK}ems": ["l6"], f"{QUANTITY}l8": ["4"], TAKE: ["l15"]}
    lines = {"l6": True, "l8": False, "l14": False, "l15": True}
    assert fields_chosen(shown, fields(shown)) == Choices(lines, {"l8": "4"})


def test_every_amount_that_a_script_hears_is_one_of_the_sheet() -> None:
    """R50."""
    shown = document()
    told, sheet = said_of(shown, "I agree", "x"), sheet_of(shown)
    assert (told["total"], told["total_minor"]) == (sheet.total, shown.priced.total_minor)
    assert [row["amount"] for row in told["rows"]] == [row.amount for row in sheet.rows]
    amounts = [line.amount for part in sheet.parts for line in part.lines]
    assert [line["amount"] for line in told["lines"].values()] == amounts


@given(st.dictionaries(TEXTS, st.lists(TEXTS, max_size=3), max_size=5))
def test_whatever_a_form_says_it_becomes_choices_of_lines_of_the_offer(said: dict[str, list[str]]) -> None:
    keys = {item.key for item in SHOWN.items}
    choices = fields_chosen(SHOWN, {**said, TAKE: ["l8", *said.get(TAKE, [])], f"{QUANTITY}l8": ["4"]})
    assert set(choices.lines) | set(choices.quantities) <= keys
    assert choices.lines["l8"] is True


LANGUAGES = st.sampled_from(["en", "es", "pt-BR"])


@given(st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1), st.integers(0, 12), LANGUAGES)
def test_a_quantity_that_the_page_prints_reads_back_as_itself(
    whole: int, rest: int, places: int, language: str
) -> None:
    """In the field, and as the sheet beside it writes it, with groups."""
    decimals = f"{rest:012}"[:places].rstrip("0")
    decimal = f"{whole}.{decimals}" if decimals else str(whole)
    assert number_of(typed(decimal, language), language) == decimal
    assert number_of(formats.quantity(decimal, language), language) == decimal


@given(LANGUAGES, st.text("0123456789.,", max_size=14))
def test_a_number_is_read_in_one_way_or_not_at_all(language: str, said: str) -> None:
    found = number_of(said, language)
    if found is not None:
        point = point_of(language)
        assert Decimal(found) == Decimal(said.replace("," if point == "." else ".", "").replace(point, "."))


@pytest.mark.parametrize(
    ("said", "en", "es"),
    [
        ("1,000", "1000", "1.000"),
        ("1.000", "1.000", "1000"),
        ("1,5", None, "1.5"),
        ("1.5", "1.5", None),
        ("1,000.5", "1000.5", None),
        ("1.000,5", None, "1000.5"),
        ("12,34,567", None, None),
        ("0,500", None, "0.500"),
        ("1,000,00", None, None),
        ("1 000", None, None),
        ("-1", None, None),
        ("+1", None, None),
        ("1e3", None, None),
        ("\u0661", None, None),
        ("4\n", None, None),
        (".", None, None),
        ("", None, None),
        ("4.", None, None),
        (",5", None, None),
    ],
)
def test_numbers_are_read_by_the_language_of_the_document(said: str, en: str | None, es: str | None) -> None:
    assert number_of(said, "en") == en
    assert number_of(said, "es") == number_of(said, "pt-BR") == es


@pytest.mark.parametrize(("language", "said"), [("en", "1,5"), ("es", "1.5"), ("pt-BR", "1.5"), ("en", "x\x00")])
def test_what_is_no_number_in_the_language_is_no_choice(language: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        fields_chosen(document(language=language), {f"{QUANTITY}l8": [said]})
    assert (refused.value.code, refused.value.details) == ("choice_invalid", {"reason": "value", "line": "l8"})


@given(st.binary(max_size=300), st.sampled_from(["application/x-www-form-urlencoded", "application/json", "x", ""]))
def test_any_body_is_read_or_refused(body: bytes, kind: str) -> None:
    try:
        said = chosen_of(body, kind)
    except Refused as refused:
        said = {"status": [str(refused.status)]}
    if isinstance(said, dict) and "status" in said:
        assert said["status"] == ["400"]
    elif not isinstance(said, Choices):
        number(said, "total_minor")
        assert drawing_of(said) is None or isinstance(drawing_of(said), bytes)


def test_too_many_fields_are_no_form() -> None:
    with pytest.raises(Refused) as refused:
        fields_of(b"a=1&" * 7_000, "application/x-www-form-urlencoded")
    assert refused.value.code == "request_invalid"


@given(COLOURS, COLOURS)
def test_colours_of_a_brand_can_be_read_whatever_they_are(primary: str, accent: str) -> None:
    """WCAG 2.2, 1.4.3: text in them on white, and white on them."""
    found = asset(assets_digest(), f"brand-{primary[1:]}-{accent[1:]}.css")
    assert found is not None
    colours = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", found.content.decode()))
    for name in ("primary", "accent", "press"):
        assert contrast(colours[name], PAPER) >= CONTRAST_MIN
    assert contrast(colours["primary"], colours["wash"]) >= 4


@given(TEXTS)
def test_what_a_person_wrote_never_becomes_markup(text: str) -> None:
    shown = structs.replace(SHOWN, title=f"<script>{text}</script>")
    sheet = view_of(shown, "/p/x").sheet
    assert "<script" not in str(sheet.title)


@pytest.mark.parametrize("name", ["nothing", "busy", "printing", "crossed", "too_large", "broken", "failed", "stopped"])
def test_a_notice_names_no_company(name: str) -> None:
    for language in ("en", "es", "pt-BR"):
        text = notice(language, name)
        assert (f'lang="{language}"' in text, "<h1>" in text) == (True, True)


def test_a_template_that_misses_a_value_fails_rather_than_shows_nothing() -> None:
    with pytest.raises(Exception, match="undefined"):
        page("page", "en", Brand(), {})


@pytest.mark.parametrize(
    ("headers", "crossed"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin", "origin": "null", "host": "a.example"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://a.example", "host": "a.example"}, True),
        ({"origin": "https://a.example", "host": "a.example"}, False),
        ({"origin": "https://b.example", "host": "a.example"}, True),
        ({"origin": "http://a.example:81", "host": "a.example"}, True),
    ],
)
def test_a_form_of_another_site_is_known_by_what_the_browser_says(headers: dict[str, str], crossed: bool) -> None:
    assert is_crossed(headers) is crossed


def test_who_guesses_is_held_up_with_his_whole_line_until_he_stops() -> None:
    clock = VirtualClock(NOW)
    limits = Limits(clock)
    for place in range(MISSES_BURST):
        limits.enter(f"2001:db8::{place:x}")
        limits.missed(f"2001:db8::{place:x}")
    with pytest.raises(Refused) as refused:
        limits.enter("2001:db8::ffff")
    assert (refused.value.code, refused.value.details["retry_after_s"]) == ("too_many_requests", 10)
    limits.enter("2001:db8:1::1")
    limits.enter(None)
    clock.advance(10_000)
    limits.enter("2001:db8::ffff")


def test_a_proxy_that_is_not_trusted_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(VirtualClock(NOW))
    limits.hear(None, "192.0.2.1")
    limits.hear("198.51.100.7, 192.0.2.9", "198.51.100.7")  # the server took the buyer's address of it
    assert caplog.records == []
    for _ in range(2):
        limits.hear("198.51.100.7", "192.0.2.1")
    assert [("SFA_TRUSTED_PROXIES" in record.message) for record in caplog.records] == [True]


@given(st.text(max_size=600))
def test_what_a_browser_calls_itself_is_kept_short_and_printable(agent: str) -> None:
    visit = Visit(token="x", headers={"user-agent": agent}, address="192.0.2.1")
    kept = visit.visitor.agent or ""
    assert (len(kept) <= 400, kept.isprintable()) == (True, True)
