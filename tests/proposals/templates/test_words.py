"""The catalogues hold every text that templates and code say, in all languages, with the same named places."""

import ast
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast
from markupsafe import Markup

from proposals.templates import formats
from proposals.templates.words import FOLDER, PLACES, count_in, known, say_in

HOUSE = Path(formats.__file__).parent
LANGUAGES = tuple(formats.LOCALES)
SAME = {"Total", "Subtotal"}
Said = str | tuple[str, str]


def said_in_bases() -> set[Said]:
    trees = [Environment().parse(path.read_text("utf-8")) for path in (HOUSE / "bases").glob("*.j2")]
    texts = [text for tree in trees for _, _, text in extract_from_ast(tree)]
    return {text if isinstance(text, str) else str(text[0]) for text in texts}


def said_in_code() -> set[Said]:
    found: set[Said] = set()
    for path in HOUSE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
                name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
                if name == "say" and texts:
                    found.add(str(texts[0]))
                elif name == "count" and len(texts) >= 2:
                    found.add((str(texts[0]), str(texts[1])))
    return found


def read(language: str) -> Catalog:
    path = FOLDER / formats.LOCALES[language] / "LC_MESSAGES" / "proposals.po"
    with path.open("rb") as stream:
        return read_po(stream, locale=formats.LOCALES[language], abort_invalid=True)


def messages(language: str) -> dict[Said, Message]:
    return {message.id: message for message in read(language) if message.id}


def translated(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_holds_what_is_said_and_nothing_else(language: str) -> None:
    said = said_in_bases() | said_in_code()
    assert {"Prepared for", "Page %(page)s of %(pages)s"} < said
    assert set(messages(language)) == said
    assert not read(language).obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_the_same_places_and_none_is_fuzzy(language: str) -> None:
    for key, message in messages(language).items():
        assert not message.fuzzy, key
        forms = translated(message)
        assert len(forms) == (1 if isinstance(key, str) else read(language).num_plurals), key
        places = set(PLACES.findall(key if isinstance(key, str) else key[1]))
        for form in forms:
            assert form.strip() == form != "", key
            assert set(PLACES.findall(form)) == places, key
            assert "%" not in PLACES.sub("", form), key


def test_english_says_its_keys_and_the_others_do_not() -> None:
    for key, message in messages("en").items():
        assert translated(message) == ((key,) if isinstance(key, str) else key)
    for language in ("es", "pt-BR"):
        assert {key for key, message in messages(language).items() if message.string == key} == SAME


@pytest.mark.parametrize(
    ("language", "one", "more"),
    [
        ("en", "1 day after acceptance", "2 days after acceptance"),
        ("es", "1 día después de la aceptación", "2 días después de la aceptación"),
        ("pt-BR", "1 dia após o aceite", "2 dias após o aceite"),
    ],
)
def test_days_are_counted_as_the_language_counts_them(language: str, one: str, more: str) -> None:
    count = count_in(language)
    forms = [
        count("%(days)s day after acceptance", "%(days)s days after acceptance", days, days=days) for days in (1, 2)
    ]
    assert forms == [one, more]


def test_words_of_an_offer_are_those_of_the_trade() -> None:
    spanish, brazilian = say_in("es"), say_in("pt-BR")
    assert [spanish(text) for text in ("Offer", "Valid until", "Prepared for")] == [
        "Oferta", "Válida hasta", "Preparada para",
    ]  # fmt: skip
    assert [brazilian(text) for text in ("Offer", "Valid until", "Terms")] == ["Proposta", "Válida até", "Condições"]


def test_a_name_inside_a_sentence_is_escaped_and_markup_is_kept() -> None:
    say = say_in("es")
    key = "With this signature %(buyer)s accepts the offer, its total of %(total)s and its terms."
    text = say(key, buyer=Markup("<bdi>A</bdi>"), total="<b>")
    assert text == "Con esta firma, <bdi>A</bdi> acepta la oferta, su total de &lt;b&gt; y sus condiciones."
    assert key in known()


def test_a_catalogue_goes_with_the_package() -> None:
    """What an installed wheel holds follows from package-data, by this folder's form."""
    found = sorted(path.relative_to(HOUSE).as_posix() for path in FOLDER.rglob("*.*"))
    assert found == [f"locales/{locale}/LC_MESSAGES/proposals.po" for locale in ("en", "es", "pt_BR")]
