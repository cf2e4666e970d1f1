"""The HTML of a document: one text, whole in itself, for paper or for a screen.

Promises: the body is the same in both modes but for the addresses of pictures; the only addresses in it are
`asset:<sha256>` and `font:<file>`; no script; everything that came from people is escaped. By a company's template it
is made within limits and looked at (`sandbox`, `body`, `styles`), or refused as `template_invalid` or
`template_too_large`.
"""

from typing import Literal, NamedTuple

from proposals.document import Document
from proposals.templates import body as bodies
from proposals.templates import sandbox, styles
from proposals.templates.branding import colours_css
from proposals.templates.faces import faces_css
from proposals.templates.paper import page_css
from proposals.templates.problems import refuse
from proposals.templates.reading import AddressOf, asset_address, sheet_of
from proposals.templates.template import Template, read
from proposals.templates.words import say_in

Mode = Literal["print", "screen"]
STYLES, END = "<!--styles-->", "</body>"


class More(NamedTuple):
    """What the product itself adds to the end of a document, and its style."""

    html: str = ""
    css: str = ""


NO_MORE = More()


def html_of(
    document: Document, template: Template, mode: Mode, address_of: AddressOf = asset_address, more: More = NO_MORE
) -> str:
    """`address_of` says where a screen finds a picture; print has `asset:` addresses always."""
    if template.css:
        refuse(styles.checked(template.css))
    sheet = sheet_of(document, address_of if mode == "screen" else asset_address)
    values = {"sheet": sheet, "_": say_in(document.language), "kind": template.base.replace("_", "-")}
    if template.source:
        body = sandbox.company(template.base, template.source, values)
        bodies.check(body, sheet)
    else:
        body = sandbox.shipped(template.base, values)
    before, end, after = body.rpartition(END)
    body = before + more.html + end + after
    shared = [read("shared.css"), colours_css(document.brand)]
    own = [read(f"{template.base}.css"), template.css, more.css]
    if mode == "print":
        faces = faces_css(body + document.brand.footer)
        pieces = [faces, *shared, read("paper.css"), *own, page_css(document, template)]
    else:
        pieces = [*shared, *own, read("screen.css")]
    return body.replace(STYLES, "<style>\n" + "\n".join(pieces) + "\n</style>", 1)
