"""The words that templates print, in the document's language: gettext catalogues below `locales/`.

English texts are the keys. `proposals.po` is what translators edit; `proposals.mo` is made of it by Babel
(`python -m proposals.templates.words`) and a test holds the two, and the texts in the templates, together.
"""

from collections.abc import Callable
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from markupsafe import Markup, escape

from proposals.templates.formats import LOCALES

FOLDER = Path(__file__).parent / "locales"
DOMAIN = "proposals"
Say = Callable[..., str]


@lru_cache(maxsize=8)
def catalogue(language: str) -> NullTranslations:
    path = FOLDER / LOCALES[language] / "LC_MESSAGES" / f"{DOMAIN}.mo"
    with path.open("rb") as stream:
        return GNUTranslations(stream)


def say_in(language: str) -> Say:
    """`say("Page %(page)s", page=3)`: the text in the language, its named places filled."""
    found = catalogue(language)

    def say(text: str, **values: object) -> str:
        translated = found.gettext(text)
        if any(isinstance(value, Markup) for value in values.values()):
            return escape(translated) % values
        return translated % values if values else translated

    return say


def compile_catalogues() -> None:
    """Makes every `.mo` of its `.po`."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    for locale in LOCALES.values():
        source = FOLDER / locale / "LC_MESSAGES" / f"{DOMAIN}.po"
        with source.open("rb") as stream, source.with_suffix(".mo").open("wb") as out:
            write_mo(out, read_po(stream, locale=locale))


if __name__ == "__main__":
    compile_catalogues()
