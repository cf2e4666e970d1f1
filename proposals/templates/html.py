"""The HTML of a document: one text, whole in itself, for paper or for a screen.

Promises: the body is the same in both modes but for the addresses of pictures; the only addresses in it are
`asset:<sha256>` and `font:<file>`; no script; everything that came from people is escaped.
"""

from functools import lru_cache
from typing import Literal

from jinja2 import DictLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from proposals.document import Document
from proposals.templates.branding import colours_css
from proposals.templates.faces import faces_css
from proposals.templates.paper import page_css
from proposals.templates.reading import AddressOf, asset_address, sheet_of
from proposals.templates.template import BASES, Template, read
from proposals.templates.words import say_in

Mode = Literal["print", "screen"]
STYLES = "<!--styles-->"


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    loader = DictLoader({path.name: read(path.name) for path in BASES.glob("*.j2")})
    return ImmutableSandboxedEnvironment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def html_of(document: Document, template: Template, mode: Mode, address_of: AddressOf = asset_address) -> str:
    """`address_of` says where a screen finds a picture; print has `asset:` addresses always."""
    sheet = sheet_of(document, address_of if mode == "screen" else asset_address)
    values = {"sheet": sheet, "_": say_in(document.language), "kind": template.base.replace("_", "-")}
    body = _environment().get_template(f"{template.base}.html.j2").render(values)
    shared = [read("shared.css"), colours_css(document.brand)]
    own = [read(f"{template.base}.css"), template.css]
    if mode == "print":
        faces = faces_css(body + document.brand.footer)
        styles = [faces, *shared, read("paper.css"), *own, page_css(document, template)]
    else:
        styles = [*shared, *own, read("screen.css")]
    return body.replace(STYLES, "<style>\n" + "\n".join(styles) + "\n</style>", 1)
