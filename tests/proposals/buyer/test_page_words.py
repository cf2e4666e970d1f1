"""The page's catalogues hold every text that its templates and code say, in all languages, with the same places."""

import ast
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from proposals import buyer
from proposals.buyer.changes import KINDS
from proposals.buyer.page import said as page_said
from proposals.buyer.page import words as page_words
from proposals.buyer.page.words import FOLDER, language_of
from proposals.templates.formats import LOCALES
from proposals.templates.words import PLACES

HOUSE = Path(buyer.__file__).parent
SAME = {"Total", "Subtotal", "Items", "Sobre"}


def said() -> set[str]:
    trees = [Environment().parse(path.read_text("utf-8")) for path in (HOUSE / "pages").glob("*.j2")]
    texts = [text for tree in trees for _, _, text in extract_from_ast(tree)]
    found = {str(text[0]) if isinstance(text, tuple) else str(text) for text in texts}
    for path in (HOUSE / "page").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "id", None)
                if name == "say" or isinstance(node.func, ast.Call):
                    found.add(str(node.args[0].value))
    return found


def read(language: str) -> Catalog:
    with (FOLDER / LOCALES[language] / "LC_MESSAGES" / "page.po").open("rb") as stream:
        return read_po(stream, locale=LOCALES[language], abort_invalid=True)


@pytest.mark.parametrize("language", LOCALES)
def test_a_catalogue_of_the_page_holds_what_is_said_and_nothing_else(language: str) -> None:
    messages = [message for message in read(language) if message.id]
    texts = said()
    assert {"Accept this offer", "The total is %(total)s now. Please check it and accept again."} < texts
    assert {str(message.id) for message in messages} == texts
    for message in messages:
        text = str(message.string)
        assert (message.fuzzy, text.strip() == text != "") == (False, True), message.id
        assert set(PLACES.findall(text)) == set(PLACES.findall(str(message.id))), message.id
        if language == "en":
            assert text == message.id
        elif text == message.id:
            assert message.id in SAME, message.id


@pytest.mark.parametrize(
    ("said", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("de-DE, pt;q=0.7, en;q=0.3", "pt-BR"),
        ("pt-BR", "pt-BR"),
        ("de", "en"),
        ("es;q=0, en;q=0.1", "en"),
        ("es;q=x,;,,", "en"),
        ("x" * 5_000, "en"),
    ],
)
def test_a_stranger_is_told_in_the_language_that_his_browser_likes_best(said: str | None, language: str) -> None:
    assert language_of(said) == language


@pytest.mark.parametrize("language", LOCALES)
def test_every_kind_of_change_has_a_name(language: str) -> None:
    assert set(KINDS) <= page_said.labels(page_words.page_words(language)).keys()
