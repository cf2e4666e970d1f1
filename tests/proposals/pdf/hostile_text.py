"""Names, texts and pictures that want to harm: printed as what they are, or refused by a code."""

import io
import struct
import zlib
from collections.abc import Iterator
from hashlib import sha256

from PIL import Image

from tests.proposals.pdf.hostile_html import Case
from tests.proposals.pdf.matrix import drawn
from tests.proposals.pdf.pages import STYLE, page

NARROW = STYLE + "table { table-layout: fixed } p, td { overflow-wrap: break-word }"
TEXTS = {
    "a script as a name": ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
    "entities as a name": ("&amp;#x3c;b&amp;#x3e; &amp;amp;", "&#x3c;b&#x3e; &amp;"),
    "a template as a name": ("{{ 7 * 7 }} {% for %}", "{{ 7 * 7 }} {% for %}"),
    "NUL": ("a\x00b right", "right"),
    "NUL by number": ("a&#0;b right", "right"),
    "controls": ("".join(map(chr, range(1, 32))) + " right", "right"),
    "controls by number": ("&#1;&#8;&#127;&#159; right", "right"),
    "half a pair": ("a\ud800b right", "right"),
    "half a pair by number": ("a&#xD800;b right", "right"),
    "no characters": ("\ufdd0\ufffe\uffff\U0001ffff right", "right"),
    "characters that do not exist yet": ("\u0378\U000e0fff\U0003fffd right", "right"),
    "characters of nobody": ("\ue000\uf8ff\U00100000 right", "right"),
    "an order that is turned around": ("total \u202e001\u202c \u2066\u2067\u2069 right", "right"),
    "an order that is never turned back": ("\u202e" * 200 + "right", ""),
    "marks upon marks": ("z" + "\u0301\u0348\u035c" * 1_000 + " right", "right"),
    "a family": ("👨‍👩‍👧‍👦🏳️‍🌈👩🏽‍🚀 right", "right"),
    "every flag": ("".join(map(chr, range(0x1F1E6, 0x1F200))) + " right", "right"),
    "scripts mixed in a word": ("аdmin שaל مb नc 中d ไe right", "right"),
    "marks without what they are on": ("\u0301 \u05b0 \u064b \u093e \u0e31 \u20dd right", "right"),
    "nothing that is seen": ("\u200b\u200c\u200d\u2060\ufeff" * 5_000 + " right", "right"),
    "blanks": (" " * 200_000 + "right", "right"),
    "lines that break": ("\u2028\u2029\x85\r\n right", "right"),
    "a word of 10,000 letters": ("w" * 10_000, "www"),
    "words of a hundred letters": (("w" * 100 + " ") * 100 + "right", "right"),
    "a long number": ("9" * 300, "999"),
    "letters that come from elsewhere": ("\ufb01\u0132\u01c6 right", "right"),
}


def texts() -> Iterator[Case]:
    for name, (text, shows) in TEXTS.items():
        yield Case(f"a text of {name}", page(f"<h1>Offer</h1><p>{text}</p>", NARROW), None, shows)
    head = "<thead><tr><th scope='col'>What</th><th scope='col'>n</th></tr></thead>"
    cell = f"<table>{head}<tbody><tr><td>{{}}</td><td>1</td></tr></tbody></table>"
    yield Case("a long word in a cell", page("<h1>Offer</h1>" + cell.format("w" * 5_000), NARROW), None, "www")
    yield Case("much text in a cell", page("<h1>Offer</h1>" + cell.format("word " * 3_000), NARROW), None, "word")
    deep = "<ul><li>" * 12 + "right" + "</li></ul>" * 12
    yield Case("lists in one another, as deep as texts go", page("<h1>Offer</h1>" + deep), None, "right")
    yield Case("a path that ends nowhere", page(f"<h1>Offer</h1>{_drawing('M0 0 L1e308 1e308 Q nan inf 1')}"), "far")
    yield Case("a drawing of 5,000 parts", page(f"<h1>Offer</h1>{_drawing('M0 0 h1 v1 z ' * 5_000)}"), None)


def _drawing(path: str) -> str:
    return f'<svg viewBox="0 0 9 9" width="90" height="90"><title>A drawing</title><path d="{path}"/></svg>'


def styles() -> Iterator[Case]:
    """A company's own style may be nonsense; what it cannot do is take a machine."""
    for name, style in {
        "letters of a kilometre": "p { font-size: 1e6mm }",
        "letters without size": "p { font-size: 0 }",
        "lines without height": "p { line-height: 0; margin: -1e6px }",
        "letters that run backwards": "p { letter-spacing: -1e6px }",
        "nothing shown": "body { display: none }",
        "everything turned": "body { transform: scale(0) rotate(1e9deg) }",
        "a thousand columns": "body { columns: 1000 }",
        "properties that name themselves": ":root { --a: var(--b); --b: var(--a) } p { width: var(--a) }",
        "brackets in brackets": "p { width: " + "calc(" * 60 + "1px" + ")" * 60 + " }",
        "counters without end": "p { counter-increment: c 2147483647; } p::before { content: counter(c, lower-roman) }",
    }.items():
        yield Case(f"a style with {name}", page("<h1>Offer</h1><p>one two</p>", STYLE + style), "*")


def _png(width: int, height: int, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    chunks = (head, *more, (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pictures() -> Iterator[Case]:
    line = zlib.compress(b"\x00" * 2_501 * 20_000)
    turned = Image.Exif()
    turned[0x0112] = 6
    sound, jpeg = drawn(), drawn("JPEG")
    for name, content, reason in (
        ("20,000 pixels wide and high", _png(20_000, 20_000, line), "pixels"),
        ("a strip of 40,000 pixels", _png(40_000, 10, zlib.compress(b"\x00" * 5_001 * 10)), "pixels"),
        ("a promise of four billion", _png(0xFFFF, 0xFFFF, b"x"), "pixels"),
        ("a text that inflates to a gigabyte", _png(8, 8, zlib.compress(b"\x00" * 16),
            (b"zTXt", b"k\x00\x00" + zlib.compress(b"\x00" * 200_000_000, 9))), "broken"),
        ("cut short", sound[: len(sound) // 2], "broken"),
        ("no pixels at all", _png(8, 8, b""), "broken"),
        ("a GIF", _saved(Image.new("P", (8, 8)), "GIF"), "kind"),
        ("a drawing", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", "kind"),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run", "kind"),
        ("nothing", b"", "kind"),
        ("larger than a file may be", b"\x89PNG\r\n\x1a\n" + bytes(21 << 20), "bytes"),
        ("a JPEG that says it is a PNG", jpeg, None),
        ("a page behind a photograph", jpeg + b"<script>alert(1)</script>", None),
        ("print colours", _saved(Image.new("CMYK", (60, 60), (0, 90, 90, 0)), "JPEG"), None),
        ("turned by the camera", _saved(Image.new("RGB", (60, 20)), "JPEG", exif=turned), None),
        ("16 bits a colour", _saved(Image.new("I;16", (60, 60)), "PNG"), None),
        ("one bit a colour", _saved(Image.new("1", (60, 60)), "PNG"), None),
        ("a palette that lets paper through", _saved(Image.new("P", (60, 60)), "PNG", transparency=0), None),
        ("many pictures in one", _saved(Image.new("RGB", (60, 60)), "PNG", save_all=True,
            append_images=[Image.new("RGB", (60, 60), "red")] * 5), None),
        ("9,000 pixels wide", _saved(Image.new("RGB", (9_000, 40), "red"), "PNG"), None),
    ):  # fmt: skip
        digest = sha256(content).hexdigest()
        html = page(f'<h1>Offer</h1><p><img src="asset:{digest}" alt="A picture" width="60"></p>')
        yield Case(f"a picture of {name}", html, reason, "", {digest: content})
    other = sha256(b"other").hexdigest()
    html = page(f'<img src="asset:{other}" alt="x">')
    yield Case("a picture that is another one", html, "picture_missing", "", {other: sound})
    yield Case("a picture that is not there", html, "picture_missing")
