"""HTML in, PDF out: archivable, accessible, with the proposal's JSON inside, and always the same bytes (R46).

Everything that ends up in the file comes from the arguments: the same HTML, JSON, pictures and instant, by the same
libraries, give the same bytes in any process on any day. Nothing is fetched and nothing is executed: the engine knows
no scripts, and loads what `fetching` serves. It holds the processor until it is done: servers ask
`proposals.rendering`.
"""

import warnings
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from proposals.pdf.engine import font_configuration, weasyprint
from proposals.pdf.fetching import Assets, Fetcher
from proposals.pdf.marking import finish

PAGES_MAX = 300
STYLE = "* { image-rendering: crisp-edges !important }"  # smoothing asks for a flag that PDF/A forbids


def print_pdf(
    html: str, *, document_json: bytes, title: str, language: str, assets: Assets | None = None, made_at: int
) -> bytes:
    """The PDF. `document_json` is the canonical JSON of what is printed, `title` and `language` (BCP 47) are the
    document's, `assets` gives the bytes of a picture by their SHA-256, `made_at` is the instant that it is dated with,
    in ms. Refuses `pdf_unavailable`, `pdf_refused`, `picture_invalid`."""
    library = weasyprint()
    fetcher = Fetcher(assets if assets is not None else {})
    fonts = font_configuration()
    try:
        style = library.CSS(string=STYLE, url_fetcher=fetcher, font_config=fonts)
        source = library.HTML(string=html, url_fetcher=fetcher)
        options: dict[str, Any] = {"pdf_variant": "pdf/a-3a", "stylesheets": [style]}
        laid = source.render(font_config=fonts, **options)
        _describe(laid.metadata, title, language, made_at)
        digest = sha256(document_json).hexdigest().encode()
        options |= {"attachments": [_attached(library, document_json, made_at)], "pdf_identifier": digest}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves the file of its colour profile to be collected
            made: bytes = laid.write_pdf(finisher=finish, **options)
    except BaseException as error:
        if fetcher.refused is not None:  # the engine wraps what it was refused, or goes on without it
            raise fetcher.refused from error
        raise
    if fetcher.refused is not None:
        raise fetcher.refused
    return made


def _describe(metadata: Any, title: str, language: str, made_at: int) -> None:
    moment = datetime.fromtimestamp(made_at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata.title, metadata.lang = title, language
    metadata.created = metadata.modified = moment
    metadata.attachments, metadata.custom, metadata.xmp_metadata = [], {}, []


def _attached(library: Any, document_json: bytes, made_at: int) -> Any:
    moment = datetime.fromtimestamp(made_at / 1000, UTC)
    return library.Attachment(
        string=document_json, name="proposal.json", description="The proposal as data", relationship="Source",
        created=moment, modified=moment,
    )  # fmt: skip
