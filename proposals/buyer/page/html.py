"""The prospect's page as HTML, and the files that it needs, each under an address that names their bytes.

Everything that a person wrote is escaped or was made safe by `proposals.templates.rich`; there is no script and no
style in the page itself, so its policy forbids both.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from msgspec import Struct

from proposals.buyer.page.words import page_words
from proposals.document import Brand
from proposals.templates.branding import mixed, readable
from sfa.core.colours import PAPER

FOLDER = Path(__file__).parents[1] / "pages"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_BRAND = re.compile(r"brand-([0-9a-f]{6})-([0-9a-f]{6})\.css\Z")


class Asset(Struct, frozen=True):
    content: bytes
    media_type: str


@lru_cache(maxsize=1)
def _files() -> dict[str, Asset]:
    found = sorted(path for path in FOLDER.iterdir() if path.suffix in KINDS)
    return {path.name: Asset(path.read_bytes(), KINDS[path.suffix]) for path in found}


@lru_cache(maxsize=1)
def assets_digest() -> str:
    """Of every file: a new program has new addresses, so whatever keeps one may keep it for ever."""
    whole = hashlib.sha256()
    for name, asset in _files().items():
        whole.update(name.encode() + b"\0" + asset.content)
    return whole.hexdigest()[:16]


def asset(digest: str, name: str) -> Asset | None:
    """A file by the address that the page has it at; a brand's colours are made of their own name."""
    if digest != assets_digest():
        return None
    colours = _BRAND.match(name)
    if colours is not None:
        return Asset(_brand_css("#" + colours.group(1), "#" + colours.group(2)).encode(), KINDS[".css"])
    return _files().get(name)


def _brand_css(primary: str, accent: str) -> str:
    """Colours that can be read, whatever was asked for: both on white, and white on both (WCAG 2.2, 1.4.3)."""
    primary, accent = readable(primary), readable(accent)
    names = {
        "primary": primary,
        "accent": accent,
        "wash": mixed(primary, PAPER, 6),
        "tint": mixed(primary, PAPER, 14),
        "accent-wash": mixed(accent, PAPER, 8),
        "press": mixed(primary, "#000000", 82),
    }
    return ":root{" + ";".join(f"--{name}:{colour}" for name, colour in names.items()) + "}"


def brand_file(brand: Brand) -> str:
    return f"brand-{brand.primary[1:]}-{brand.accent[1:]}.css"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    loader = DictLoader({path.name: path.read_text("utf-8") for path in FOLDER.glob("*.j2")})
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals.clear()
    return made


def page(name: str, language: str, brand: Brand, values: dict[str, Any]) -> str:
    """One of the templates in a language, in a company's colours."""
    shared = {
        "_": page_words(language),
        "language": language,
        "assets": f"/p/assets/{assets_digest()}",
        "brand_file": brand_file(brand),
        "colour": readable(brand.primary),
    }
    return _templates().get_template(f"{name}.html.j2").render({**shared, **values})


def notice(language: str, name: str, **values: Any) -> str:
    """A page that says one thing, of `NOTICES`; it names no company and no offer."""
    return page("notice", language, Brand(), {"name": name, "back": None, "action": None, **values})
