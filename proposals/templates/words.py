"""The words that templates print, in the document's language: gettext catalogues below `locales/`.

English texts are the keys. `proposals.po` is what translators edit and what is read: what machines read is made of it
when it is first asked for, so that the two cannot differ. A test holds catalogues, templates and code together: nothing
is untranslated, and nothing is translated that nobody says.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from proposals.templates.formats import LOCALES

FOLDER = Path(__file__).parent / "locales"
DOMAIN = "proposals"
PLACES = re.compile(r"%\((\w+)\)s")
Say = Callable[..., str]
Count = Callable[..., str]


@lru_cache(maxsize=16)
def catalogue(language: str, folder: Path = FOLDER, domain: str = DOMAIN) -> GNUTranslations:
    path = folder / LOCALES[language] / "LC_MESSAGES" / f"{domain}.po"
    made = BytesIO()
    with path.open("rb") as stream:
        write_mo(made, read_po(stream, locale=LOCALES[language]))
    made.seek(0)
    return GNUTranslations(made)


@lru_cache(maxsize=1)
def known() -> frozenset[str]:
    """Every text that `say` has in all languages, which is what a template may say by it."""
    with (FOLDER / "en" / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as stream:
        return frozenset(message.id for message in read_po(stream) if isinstance(message.id, str) and message.id)


def say_in(language: str, folder: Path = FOLDER, domain: str = DOMAIN) -> Say:
    """`say("Page %(page)s", page=3)`: the text in the language, its named places filled."""
    found = catalogue(language, folder, domain)

    def say(text: str, **values: object) -> str:
        return _filled(found.gettext(text), values)

    return say


def count_in(language: str) -> Count:
    """`count("%(days)s day", "%(days)s days", 3, days="3")`: the form that the language has for so many."""
    found = catalogue(language)

    def count(one: str, many: str, number: int, **values: object) -> str:
        return _filled(found.ngettext(one, many, number), values)

    return count


def _filled(translated: str, values: dict[str, object]) -> str:
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(translated) % values
    return translated % values if values else translated
