"""What runs along on every page: whose it is, which offer, that it is a draft, and page x of y, as CSS of `@page`."""

from proposals.document import Document
from proposals.templates.rich import clean
from proposals.templates.template import Template
from proposals.templates.words import say_in

HEAD_MAX = 70  # characters of a title in the running header


def page_css(document: Document, template: Template) -> str:
    say = say_in(document.language)
    seller, title = clean(document.seller.name), clean(document.title)
    named = f"{document.number} · {title}" if document.number else title
    page = say("Page %(page)s of %(pages)s", page="\0page\0", pages="\0pages\0")
    counted = " ".join(
        f"counter({piece})" if piece in ("page", "pages") else quoted(piece) for piece in page.split("\0") if piece
    )
    rules = [
        f"@top-left {{ content: {quoted(_short(seller))} }}",
        f"@top-right {{ content: {quoted(_short(named))} }}",
        f"@bottom-left {{ content: {quoted(clean(document.brand.footer))} }}",
        f"@bottom-right {{ content: {counted} }}",
    ]
    draft = f"@top-center {{ content: {quoted(say('Draft: not an offer yet'))} }}" if document.number is None else ""
    first = "@page :first { @top-left { content: none } @top-right { content: none } }"
    cover = "@page :first { @bottom-left { content: none } @bottom-right { content: none } }"
    whole = "@page { " + " ".join([*rules, draft]) + " }\n" + first
    return f"{whole}\n{cover}" if template.base == "long" else whole


def _short(text: str) -> str:
    return text if len(text) <= HEAD_MAX else text[: HEAD_MAX - 1].rstrip() + "…"


def quoted(text: str) -> str:
    """A string of CSS that no text can leave: all but letters and digits of ASCII as its code point."""
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'
