"""What mails say, in the language of who gets them. The catalogues are their own: what documents print is named by the
digest of theirs, which a word here may not change."""

from functools import lru_cache
from pathlib import Path

from proposals.templates.words import Say, say_in

FOLDER = Path(__file__).parent / "locales"
DOMAIN = "mails"


@lru_cache(maxsize=8)
def mail_words(language: str) -> Say:
    return say_in(language, FOLDER, DOMAIN)
