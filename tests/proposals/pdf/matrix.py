"""Every template in every language, with and without pictures, and names that are hard: printed once for all tests."""

import io
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
from PIL import Image, ImageDraw

from proposals.document import Brand, Document, Party, Picture, canonical
from proposals.pdf.printing import print_pdf
from proposals.templates.html import html_of
from proposals.templates.template import BUILT_IN
from tests.proposals import builders

LANGUAGES = ("en", "es", "pt-BR")
MADE_AT = 1_772_582_400_000
FOREIGN = Party(
    name="مخبز الجنوب ש.מ. 南方面包店 🥐",
    person="नीरज शर्मा · สมชาย · Łukasz Ńygård · ΑΒΓ Жук",
    address=("שדרות רוטשילד 12", "東京都千代田区", "서울특별시"),
)


class Printed(NamedTuple):
    name: str
    document: Document
    pdf: bytes


def drawn(kind: str = "PNG", size: tuple[int, int] = (240, 120), mode: str = "RGB") -> bytes:
    """A small picture of its own."""
    image = Image.new(mode, size)
    ImageDraw.Draw(image).ellipse((4, 4, size[0] - 4, size[1] - 4), fill=(180, 84, 26, 200)[: len(image.getbands())])
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


LOGO, PHOTO = drawn(mode="RGBA"), drawn("JPEG", (640, 360))
ASSETS = {sha256(content).hexdigest(): content for content in (LOGO, PHOTO)}


def pictured(document: Document) -> Document:
    """With a logo that lets the paper through, and a photograph."""
    logo = Picture(sha256(LOGO).hexdigest(), "image/png", 240, 120, "Alder & Finch")
    photo = Picture(sha256(PHOTO).hexdigest(), "image/jpeg", 640, 360, "The roof of the bakery, seen from the south")
    first, *others = document.sections
    shown = msgspec.structs.replace(first, pictures=(photo,))
    brand: Brand = msgspec.structs.replace(document.brand, logo=logo)
    return msgspec.structs.replace(document, brand=brand, sections=(shown, *others))


def printed(name: str, document: Document) -> Printed:
    html = html_of(document, BUILT_IN[document.template.key], "print")
    pdf = print_pdf(
        html,
        document_json=canonical(document),
        title=document.title,
        language=document.language,
        assets=ASSETS,
        made_at=MADE_AT,
    )
    said = canonical(document)
    title, language = document.title, document.language
    pdf = print_pdf(html, document_json=said, assets=ASSETS, made_at=MADE_AT, title=title, language=language)
    return Printed(name, document, pdf)


@cache
def matrix() -> list[Printed]:
    found = []
    for key in BUILT_IN:
        for language in LANGUAGES:
            plain = builders.document(template=key, language=language)
            found.append(printed(f"{key}-{language}", plain))
            found.append(printed(f"{key}-{language}-pictures", pictured(plain)))
        foreign = builders.document(template=key, buyer=FOREIGN, title="Oferta 提案 הצעה 🥐", number=None)
        found.append(printed(f"{key}-foreign", foreign))
    return found


@cache
def long_table() -> Printed:
    """400 lines."""
    return printed("long-table", builders.document(builders.many_lines(400), sections=()))


def stored(folder: Path, printed_ones: list[Printed]) -> list[Path]:
    paths = [folder / f"{one.name}.pdf" for one in printed_ones]
    for path, one in zip(paths, printed_ones, strict=True):
        path.write_bytes(one.pdf)
    return paths
