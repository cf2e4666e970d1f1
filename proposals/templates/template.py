"""Templates: the three that ship, and what a company puts on one of them. A template is named by its digest."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from proposals.document import TemplateRef
from proposals.templates.faces import fonts_digest
from sfa.core.pricing.values import Key

BASES = Path(__file__).parent / "bases"
LOCALES = Path(__file__).parent / "locales"
SOURCE_MAX, CSS_MAX = 100_000, 50_000  # characters of a company's own source and CSS

Base = Annotated[str, Meta(pattern=r"^(one_page|classic|long)\Z")]


class Template(Struct, frozen=True, kw_only=True):
    """`source` is Jinja that redefines blocks of the base, `css` comes after the base's own; both are a company's.
    `version` is counted by who stores it; a built-in template has version 1 and changes its digest only."""

    key: Key
    base: Base
    version: Annotated[int, Meta(ge=1)] = 1
    source: str = ""
    css: str = ""

    @property
    def digest(self) -> str:
        """Of everything that decides how it looks: the base's files, words and fonts, and the company's own."""
        whole = sha256(msgspec.json.encode([shipped_digest(), self.base, self.source, self.css]))
        return whole.hexdigest()

    @property
    def ref(self) -> TemplateRef:
        """How a document names it."""
        return TemplateRef(self.key, self.version, self.digest)


BUILT_IN: dict[str, Template] = {name: Template(key=name, base=name) for name in ("one_page", "classic", "long")}


@lru_cache(maxsize=64)
def read(name: str) -> str:
    """A file of the bases, by its name."""
    return (BASES / name).read_text("utf-8")


@lru_cache(maxsize=1)
def shipped_digest() -> str:
    """Of all that ships and decides how a document looks, but the code."""
    whole = sha256(fonts_digest().encode())
    for path in [*sorted(BASES.iterdir()), *sorted(LOCALES.rglob("*.po"))]:
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()
