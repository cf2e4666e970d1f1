"""`sfa proposal …`: a PDF from the terminal, by a real process, without server or database."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from proposals import typed
from proposals.document import canonical
from proposals.pdf.engine import available
from proposals.templates.template import BUILT_IN
from sfa.app.cli import main
from sfa.core.errors import Refused
from tests.proposals import builders

NOBODY_CHOSEN = json.dumps(
    {"title": "x", "seller": {"name": ""}, "buyer": {"name": ""}, "currency": "EUR",
     "lines": [{"name": "a", "group": "g", "chosen": False}]}
)  # fmt: skip


def terminal(*args: Any) -> Result:
    return CliRunner().invoke(main, ["proposal", *map(str, args)])


@pytest.fixture(scope="module")
def offer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sfa proposal sample` prints, in a file."""
    path = tmp_path_factory.mktemp("offers") / "offer.json"
    path.write_text(terminal("sample").stdout)
    return path


@pytest.mark.skipif(available() is not None, reason="no PDF can be made here")
def test_the_sample_is_printed_and_its_document_gives_the_same_bytes(offer: Path, tmp_path: Path) -> None:
    made = terminal("render", offer)
    assert made.exit_code == 0, made.output
    pdf = offer.with_suffix(".pdf").read_bytes()
    assert pdf[:5] == b"%PDF-"
    document, _ = typed.read(offer.read_bytes(), "2026-01-01")
    paper = tmp_path / "document.json"
    paper.write_bytes(canonical(document))
    again = terminal("render", paper, "-o", tmp_path / "again.pdf")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "again.pdf").read_bytes() == pdf


def test_what_is_printed_can_be_seen_before_it_is_a_pdf(offer: Path) -> None:
    made = terminal("render", offer, "--html", "--template", "classic")
    assert made.exit_code == 0, made.output
    html = offer.with_suffix(".html").read_text()
    assert "Sevilla bakery" in html
    assert "AF-2026-0118" in html


def test_what_is_typed_is_priced_and_dated() -> None:
    lines = [{"name": "Pump", "quantity": "3", "unit_price_minor": 1_000}, {"name": "Hose", "unit_price_minor": 5}]
    said = {"title": "Pumps", "seller": {"name": "A"}, "buyer": {"name": "B"}, "currency": "EUR", "lines": lines}
    document, template = typed.read(json.dumps(said).encode(), "2026-03-01")
    assert template == BUILT_IN["classic"]
    assert (document.issued_on, document.valid_until) == ("2026-03-01", "2026-03-31")
    assert [item.key for item in document.items] == ["line-1", "line-2"]
    assert (document.priced.total_minor, document.number) == (3_005, None)


def test_a_document_that_is_given_is_printed_as_it_stands() -> None:
    paper = builders.document()
    assert typed.read(canonical(paper), "2026-03-01") == (paper, None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "document_invalid"),
        ("[1]", "document_invalid"),
        ('{"priced": {}}', "document_invalid"),
        ('{"title": "x", "colour": "red"}', "document_invalid"),
        (NOBODY_CHOSEN, "offer_invalid"),
    ],
)
def test_what_is_neither_document_nor_offer_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        typed.read(text.encode(), "2026-03-01")
    assert refused.value.code == code


def test_a_template_of_a_company_has_to_be_replaced_by_one_that_ships(tmp_path: Path) -> None:
    paper = builders.document()
    own = msgspec.structs.replace(paper, template=msgspec.structs.replace(paper.template, key="ours"))
    path = tmp_path / "own.json"
    path.write_bytes(canonical(own))
    made = terminal("render", path)
    assert made.exit_code == 1
    assert "say --template" in made.output
