"""How long a document may be: what is beyond is refused before anybody approves or sends it, and before it is printed.

A number is taken and a version frozen only for what can be printed within the limits of a process (R46). How many pages
texts make is seen when they are laid out: `TEXTS_MAX` characters stay well below what `proposals.pdf` prints.
"""

from proposals.document import (
    ENCLOSURES_MAX,
    LINES_MAX,
    PICTURES_MAX,
    SECTIONS_MAX,
    Document,
    Picture,
    canonical,
)
from sfa.core.errors import Refused

TEXTS_MAX = 500_000  # characters of all texts together
PICTURE_BYTES_MAX = 64 << 20  # of all pictures together, which go into the process with their document
JSON_MAX = 8 << 20  # bytes of the canonical document, which is embedded in its PDF


def check(document: Document) -> None:
    """Refuses `proposal_too_long` with `what` (lines, sections, pictures, enclosures, texts, size), `found` and `most`.
    `PICTURES_MAX` is for each section, as rows have it."""
    sections = document.sections
    _bounded("lines", len(document.items), LINES_MAX)
    _bounded("sections", len(sections), SECTIONS_MAX)
    _bounded("pictures", max((len(section.pictures) for section in sections), default=0), PICTURES_MAX)
    _bounded("enclosures", len(document.enclosures), ENCLOSURES_MAX)
    texts = [document.summary, document.terms, document.closing]
    texts += [section.text for section in sections]
    texts += [item.text for item in document.items]
    _bounded("texts", sum(map(len, texts)), TEXTS_MAX)
    _bounded("size", len(canonical(document)), JSON_MAX)


def check_pictures(size: int) -> None:
    """Of what the pictures of a document have together, in bytes."""
    _bounded("picture_bytes", size, PICTURE_BYTES_MAX)


def pictures_of(document: Document) -> list[Picture]:
    logo = [document.brand.logo] if document.brand.logo is not None else []
    return [*logo, *(picture for section in document.sections for picture in section.pictures)]


def _bounded(what: str, found: int, most: int) -> None:
    if found > most:
        text = f"{what}: {found:,} are more than the {most:,} that can be printed"
        raise Refused("proposal_too_long", text, what=what, found=found, most=most)
