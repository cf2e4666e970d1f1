"""What the prospect's page says, in the document's language, and in which language a stranger is told that there is
nothing.

The catalogues are the page's own: what documents print is named by the digest of theirs, which a word here may not
change.
"""

from functools import lru_cache
from pathlib import Path

from proposals.templates.formats import LOCALES
from proposals.templates.words import Say, say_in

FOLDER = Path(__file__).parents[1] / "pages" / "locales"
DOMAIN = "page"
ENGLISH = "en"


@lru_cache(maxsize=8)
def page_words(language: str) -> Say:
    return say_in(language, FOLDER, DOMAIN)


def language_of(accept_language: str | None) -> str:
    """The one of ours that a browser likes best."""
    wishes = []
    for place, part in enumerate((accept_language or "")[:200].split(",")[:20]):
        name, _, quality = part.strip().lower().partition(";q=")
        try:
            share = float(quality) if quality else 1.0
        except ValueError:
            share = 0.0
        wishes.append((-share, place, name.partition("-")[0]))
    ours = {language.partition("-")[0]: language for language in LOCALES}
    return next((ours[name] for share, _, name in sorted(wishes) if share < 0 and name in ours), ENGLISH)
