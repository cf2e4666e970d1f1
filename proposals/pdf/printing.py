"""HTML in, PDF out: archivable, accessible, with the proposal's JSON inside, and always the same bytes (R46).

Everything that ends up in the file comes from the arguments: the same HTML, JSON, pictures and instant, by the same
libraries, give the same bytes in any process on any day. Nothing is fetched and nothing is executed: the engine knows
no scripts, and loads what `fetching` serves. It holds the processor until it is done: servers ask
`proposals.rendering`.
"""

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from proposals.pdf.checking import check, links_checked
from proposals.pdf.engine import font_configuration, weasyprint
from proposals.pdf.fetching import Assets, Fetcher
from proposals.pdf.marking import finisher
from proposals.pdf.values import OFFER, Finishing
from proposals.pdf.watching import pages_counted
from proposals.pdf.wording import mend, written
from sfa.core.errors import Refused

# Smoothing asks for a flag that PDF/A forbids; for lists in lists the engine has bullets that no font has.
STYLE = "* { image-rendering: crisp-edges !important } ul { list-style-type: disc }"
OBJECTS_BETWEEN = 100_000  # allocated between two looks for garbage, of which layout makes little


def print_pdf(
    html: str,
    *,
    document_json: bytes,
    title: str,
    language: str,
    assets: Assets | None = None,
    made_at: int,
    finishing: Finishing = OFFER,
) -> bytes:
    """The PDF. `document_json` is the canonical JSON of what is printed, `title` and `language` (BCP 47) are the
    document's, `assets` gives the bytes of a picture by their SHA-256, `made_at` is the instant that it is dated with,
    in ms, `finishing` what it has beside its pages. Refuses `pdf_unavailable`, `pdf_refused`, `picture_invalid`."""
    html, title = written(html), written(title)
    check(html, document_json)
    library = weasyprint()
    about = _About(title, language, datetime.fromtimestamp(made_at / 1000, UTC), document_json, finishing)
    fetcher = Fetcher(assets if assets is not None else {})
    with _few_collections(), pages_counted(finishing.pages_max):
        try:
            made, missing = _made(library, html, about, fetcher)
            if missing:  # fonts have them, but not where and with what they stand
                made, missing = _made(library, html, about, fetcher, missing)
        except (Refused, MemoryError):
            raise
        except BaseException as error:
            if fetcher.refused is not None:  # the engine wraps what it was refused, or goes on without it
                raise fetcher.refused from error
            if not isinstance(error, Exception):
                raise
            said = f"the engine cannot lay this out: {type(error).__name__}: {error}"[:300]
            raise Refused("pdf_refused", said, reason="engine") from error
    if fetcher.refused is not None:
        raise fetcher.refused
    if missing:
        codes = " ".join(f"U+{code:04X}" for code in sorted(missing)[:10])
        raise Refused("pdf_refused", f"a style shows characters that no font has: {codes}", reason="glyphs")
    return made


class _About(NamedTuple):
    title: str
    language: str
    moment: datetime
    document_json: bytes
    finishing: Finishing


def _made(
    library: Any, html: str, about: _About, fetcher: Fetcher, missing: frozenset[int] = frozenset()
) -> tuple[bytes, frozenset[int]]:
    """The bytes, and the code points that were set without a glyph."""
    fonts = font_configuration()
    style = library.CSS(string=STYLE, url_fetcher=fetcher, font_config=fonts)
    source = library.HTML(string=html, url_fetcher=fetcher)
    mend(source.etree_element, missing)
    options: dict[str, Any] = {"pdf_variant": "pdf/a-3a", "stylesheets": [style]}
    laid = source.render(font_config=fonts, **options)
    links_checked(laid.pages)
    _describe(laid.metadata, about)
    digest = sha256(about.document_json).hexdigest().encode()
    options |= {"attachments": [_attached(library, about)], "pdf_identifier": digest}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the file of its colour profile to be collected
        made: bytes = laid.write_pdf(finisher=finisher(about.finishing.seal), **options)
    return made, frozenset(code for font in laid.fonts.values() for code in font.missing)


def _describe(metadata: Any, about: _About) -> None:
    metadata.title, metadata.lang = about.title, about.language
    metadata.created = metadata.modified = about.moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata.attachments, metadata.custom, metadata.xmp_metadata = [], {}, []


def _attached(library: Any, about: _About) -> Any:
    return library.Attachment(
        string=about.document_json, name=about.finishing.name, description=about.finishing.description,
        relationship="Source", created=about.moment, modified=about.moment,
    )  # fmt: skip


@contextmanager
def _few_collections() -> Iterator[None]:
    """What layout allocates lives until the document is done: looking through it again and again finds nothing."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
