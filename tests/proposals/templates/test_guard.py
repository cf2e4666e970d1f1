"""What a company's template may and may not do; whatever it tries ends in a code, soon and small."""

import re
import time
import tracemalloc

import msgspec
import pytest

from proposals.document import Document
from proposals.templates import guard, sandbox, styles
from proposals.templates.gaps import missing, problems_of
from proposals.templates.html import html_of
from proposals.templates.kinds import merge_fields
from proposals.templates.template import BASES, BUILT_IN, CSS_MAX, Template
from sfa.core.errors import CATALOGUE, Refused
from tests.proposals import builders
from tests.proposals.templates import breakers
from tests.proposals.templates.breakers import summary

SECOND, MEGABYTES = 1.0, 64 << 20
BREAKERS = tuple(breakers.all_of_them())
DOCUMENT = builders.document()


def company(source: str = "", css: str = "", base: str = "classic") -> Template:
    return Template(key="own", base=base, source=source, css=css)


def refused(template: Template, document: Document = DOCUMENT) -> Refused:
    with pytest.raises(Refused) as caught:
        html_of(document, template, "screen")
    return caught.value


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """What is compiled once in a process is no template's own time."""
    html_of(DOCUMENT, company(summary("{{ super() }}")), "print")


@pytest.mark.parametrize("place", range(len(BREAKERS)), ids=lambda place: f"{place} {BREAKERS[place][0][19:60]}")
def test_a_template_that_breaks_out_ends_in_a_code_at_once(place: int) -> None:
    source, code = BREAKERS[place]
    begun = time.process_time()
    found = refused(company(source))
    assert time.process_time() - begun < SECOND
    assert (found.code, found.code in CATALOGUE) == (code, True)
    assert len(found.text) <= 400


def test_there_are_plenty_of_them() -> None:
    assert len(set(BREAKERS)) == len(BREAKERS) >= 120
    assert len(set(breakers.STYLES)) == len(breakers.STYLES) >= 60


@pytest.mark.parametrize("said", [*breakers.LARGER[1::2], "{{ 'a' * 10 ** 9 }}", "{{ 'a'|center(10 ** 9) }}"])
def test_what_would_be_gigabytes_is_refused_before_it_is_made(said: str) -> None:
    tracemalloc.start()
    try:
        refused(company(summary(said)))
        assert tracemalloc.get_traced_memory()[1] < MEGABYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("place", range(len(breakers.STYLES)), ids=lambda place: breakers.STYLES[place][:40])
def test_css_that_hides_shows_or_loads_is_refused(place: int) -> None:
    begun = time.process_time()
    found = refused(company(css=breakers.STYLES[place]))
    assert time.process_time() - begun < SECOND
    assert (found.code, found.details["reason"]) == ("template_invalid", "css")


@pytest.mark.parametrize("name", ["long.html.j2", "classic.html.j2", "one_page.html.j2"])
def test_the_layouts_that_ship_say_nothing_that_a_company_may_not(name: str) -> None:
    """So whatever they do a company's template can do too, and the rules are rules that one can work with."""
    source = (BASES / name).read_text("utf-8")
    own = re.sub(r"^\{% extends .*? %\}\n?", "", source)
    assert guard.checked(own).problems == ()
    made = html_of(DOCUMENT, company(own, base=name.partition(".")[0]), "screen")
    assert re.sub(r"\s+", " ", made) == re.sub(
        r"\s+", " ", html_of(DOCUMENT, BUILT_IN[name.partition(".")[0]], "screen")
    )


def test_a_company_puts_its_own_blocks_and_colours_on_a_layout() -> None:
    source = summary("<p class='hello'>{{ sheet.buyer.name }}, {{ _('Valid until') }} {{ sheet.valid_until }}</p>")
    css = ".hello { color: #8c1d18; font-size: 1.2em; margin-top: 4mm } .totals { background: var(--wash) }"
    made = html_of(DOCUMENT, company(source, css), "print")
    assert "<p class='hello'>Molino del Sur Bakeries S.A., Valid until April 15, 2026</p>" in made
    assert css in made
    assert "Sevilla bakery</strong>" not in made  # the base's summary is not there
    assert DOCUMENT.title in made


@pytest.mark.parametrize(
    "css",
    [
        "h1 { color: #102030; letter-spacing: -0.02em }",
        "thead th { color: #ffffff; background: #102030; padding: 2mm 3mm }",
        ".lines tr:nth-child(even) th { background: #f4f5f7 }",
        ".logo { height: 18mm } .shown { max-height: 12em }",
        "@page { size: letter; margin: 22mm 20mm } @media print { h2 { font-size: 13pt } }",
        ".totals tr.total td { border-top: 2pt solid var(--accent); color: var(--accent) }",
        ".terms .rich { columns: 2; column-gap: 8mm; text-align: left }",
    ],
)
def test_plain_css_passes(css: str) -> None:
    assert styles.checked(css) == ()


def test_css_as_large_as_it_may_be_is_read_soon() -> None:
    rule = ".a .b { color: #102030; margin: 1mm 2mm; border-bottom: 1pt solid #102030 }\n"
    begun = time.process_time()
    assert styles.checked(rule * (CSS_MAX // len(rule))) != ()  # of so many rules
    assert styles.checked(rule * 500) == ()
    assert time.process_time() - begun < SECOND


def test_a_source_as_large_as_it_may_be_is_read_soon() -> None:
    begun = time.process_time()
    for piece in ("{{ sheet.title }}", "{% if sheet.draft %}a{% endif %}", "a{#b#}", "{{", "\n", "<p>a</p>"):
        guard.checked(summary(piece * (99_000 // len(piece))))
    assert time.process_time() - begun < 3 * SECOND


def test_a_long_document_is_within_the_limits_of_a_company_too() -> None:
    document = builders.document(builders.many_lines(500), sections=())
    made = html_of(document, company(summary("{{ super() }}")), "print")
    assert made.count('scope="row" class="what"') >= 500


def test_every_turn_of_a_loop_is_counted_those_of_the_base_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "STEPS_MAX", 20)
    assert refused(company(summary("a"))).code == "template_too_large"
    html_of(DOCUMENT, BUILT_IN["classic"], "screen")


def test_what_is_wrong_is_listed_with_its_lines_before_anything_is_made() -> None:
    source = "{% block summary %}\n{{ sheet.margin }}\n{{ sheet.seller.bank|safe }}\n{% set a = 1 %}{% endblock %}"
    found = missing(DOCUMENT, company(source, css="p { x: y }\n.a { content: 'b' }"))
    assert [(each.reason, each.line, each.field) for each in found] == [
        ("unknown_field", 2, "sheet.margin"),
        ("unknown_field", 3, "sheet.seller.bank"),
        ("not_allowed", 4, ""),
        ("css", 1, ""),
        ("css", 2, ""),
    ]
    assert refused(company(source)).details["problems"][0]["line"] == 2


def test_a_field_without_a_value_is_missing_where_nobody_asks_for_it() -> None:
    bare = "{{ sheet.buyer.tax_id }} {% if sheet.buyer.website %}{{ sheet.buyer.website }}{% endif %}"
    template = company(summary(bare + "{{ sheet.buyer.phone or '-' }}"))
    assert problems_of(template) == ()
    assert missing(DOCUMENT, template) == ()
    nobody = msgspec.structs.replace(DOCUMENT, buyer=msgspec.structs.replace(builders.BUYER, tax_id=""), title="")
    assert [each.field for each in missing(nobody, template)] == ["sheet.title", "sheet.buyer.tax_id"]
    assert [each.field for each in missing(nobody, BUILT_IN["long"])] == ["sheet.title"]


def test_no_field_of_a_template_is_of_cost_or_margin() -> None:
    """R45"""
    found = merge_fields()
    assert found["sheet.parts[].blocks[].lines[].amount"] == "text"
    assert not [name for name in found if re.search("cost|margin|profit|floor", name)]


def test_a_template_is_named_by_what_decides_how_it_looks() -> None:
    plain = company(summary("a"))
    others = (company(summary("b")), company(summary("a"), "p { margin: 0 }"), company(summary("a"), base="long"))
    assert len({plain.digest, *(other.digest for other in others)}) == 4
    assert msgspec.structs.replace(plain, key="other", version=7).digest == plain.digest
