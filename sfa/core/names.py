"""Names as people type them when they search: pure.

`plain` takes accents, case and punctuation away. `words` are what a name is found by: each word, and in scripts that
are written without spaces (Han, kana, Thai, Lao, Khmer, Burmese) each place within it too, so that the beginning of any
of them finds the name.
"""

import re
from unicodedata import category, combining, normalize

SEARCHED: dict[str, tuple[str, ...]] = {
    "accounts": ("name",),
    "contacts": ("name",),
    "deals": ("name",),
    "products": ("name", "sku"),
    "users": ("name",),
}
MARKS = frozenset(("Mn", "Mc"))  # vowels of Indic scripts, which are a part of their word
WORDS_MAX = 30  # of one name; the rest of a longer one is not searched
WORD_CHARACTERS_MAX = 40
ASKED_CHARACTERS_MAX = 200
ASKED_WORDS_MAX = 6
END = "\U0010ffff"  # above every character that a word may have
_ASCII_OTHER = re.compile(r"[^a-z0-9]+")
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def plain(text: str) -> str:
    """Small letters and digits with single spaces; accents and punctuation go."""
    if text.isascii():  # the same, sooner
        return " ".join(_ASCII_OTHER.sub(" ", text.lower()).split())
    letters = (c for c in normalize("NFKD", text).casefold() if not combining(c))
    return " ".join("".join(c if c.isalnum() or category(c) in MARKS else " " for c in letters).split())


def words(*names: str | None) -> frozenset[str]:
    """Every beginning by which these names are found, at most `WORDS_MAX`."""
    found: dict[str, None] = {}
    for name in names:
        for word in plain(name).split() if name else ():
            found[word[:WORD_CHARACTERS_MAX]] = None
            if _SPACELESS.search(word):
                found.update((word[place : place + WORD_CHARACTERS_MAX], None) for place in range(1, len(word)))
    return frozenset(list(found)[:WORDS_MAX])


def asked(text: str) -> list[str]:
    """The words of a question, the longest first: it has the fewest answers."""
    found = dict.fromkeys(word[:WORD_CHARACTERS_MAX] for word in plain(text[:ASKED_CHARACTERS_MAX]).split())
    return sorted(found, key=lambda word: (-len(word), word))[:ASKED_WORDS_MAX]


def fits(question: list[str], name: str) -> bool:
    """Whether every word of the question begins a word of the name."""
    known = words(name)
    return all(any(word.startswith(part) for word in known) for part in question)


def rank(question: list[str], name: str) -> tuple[int, int, str]:
    """What people look for first: what begins as they type, then what has a whole word of it, then short names."""
    said, shown = " ".join(question), plain(name)
    begins = any(shown.startswith(word) for word in question)
    whole = not set(question).isdisjoint(shown.split())
    return (0 if shown == said else 1 if begins and whole else 2 if begins else 3 if whole else 4, len(shown), shown)
