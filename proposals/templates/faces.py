"""The fonts that ship with the product, as `@font-face` rules for those scripts that a document has characters of.

A face is loaded anew for every document, and the one of the Han characters is large: so a document names only what it
needs. Faces are static files of `proposals/fonts/` (all OFL, see OFL.txt there) and addressed as `font:<file>`.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "fonts"

LATIN = "Noto Sans"
# family, {(weight, style): file}, ranges of code points that ask for it
SCRIPTS: tuple[tuple[str, dict[tuple[int, str], str], tuple[tuple[int, int], ...]], ...] = (
    (
        "Noto Sans Arabic",
        {(400, "normal"): "NotoSansArabic-Regular.ttf", (700, "normal"): "NotoSansArabic-Bold.ttf"},
        ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
    ),
    (
        "Noto Sans Hebrew",
        {(400, "normal"): "NotoSansHebrew-Regular.ttf", (700, "normal"): "NotoSansHebrew-Bold.ttf"},
        ((0x590, 0x5FF), (0xFB1D, 0xFB4F)),
    ),
    (
        "Noto Sans Thai",
        {(400, "normal"): "NotoSansThai-Regular.ttf", (700, "normal"): "NotoSansThai-Bold.ttf"},
        ((0xE00, 0xE7F),),
    ),
    (
        "Noto Sans Devanagari",
        {(400, "normal"): "NotoSansDevanagari-Regular.ttf", (700, "normal"): "NotoSansDevanagari-Bold.ttf"},
        ((0x900, 0x97F), (0xA8E0, 0xA8FF), (0x1CD0, 0x1CFF)),
    ),
    (
        "Noto Sans CJK",
        {(400, "normal"): "NotoSansCJK-Regular.ttf"},
        ((0x1100, 0x11FF), (0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF)),
    ),
    ("Noto Sans Math", {(400, "normal"): "NotoSansMath-Regular.ttf"}, ((0x2190, 0x22FF),)),
    ("Noto Sans Symbols2", {(400, "normal"): "NotoSansSymbols2-Regular.ttf"}, ((0x2300, 0x23FF), (0x25A0, 0x27BF))),
    (
        "Noto Emoji",
        {(400, "normal"): "NotoEmoji-Regular.ttf"},
        ((0x203C, 0x203C), (0x2049, 0x2049), (0x2139, 0x2139), (0x2190, 0x2BFF), (0xFE0F, 0xFE0F), (0x1F000, 0x1FAFF)),
    ),
)
LATIN_FILES = {
    (400, "normal"): "NotoSans-Regular.ttf",
    (700, "normal"): "NotoSans-Bold.ttf",
    (400, "italic"): "NotoSans-Italic.ttf",
    (700, "italic"): "NotoSans-BoldItalic.ttf",
}


def font_files() -> frozenset[str]:
    """Every file name that a `font:` address may have."""
    named = [*LATIN_FILES.values(), *(file for _, files, _ in SCRIPTS for file in files.values())]
    return frozenset(named)


@lru_cache(maxsize=1)
def fonts_digest() -> str:
    """Of the names and bytes of all faces."""
    whole = sha256()
    for name in sorted(font_files()):
        whole.update(name.encode() + b"\0" + sha256((FOLDER / name).read_bytes()).digest())
    return whole.hexdigest()


def scripts_of(text: str) -> list[int]:
    """Places in `SCRIPTS` that the text has characters of."""
    points = {ord(character) for character in set(text)}
    return [
        place
        for place, (_, _, ranges) in enumerate(SCRIPTS)
        if any(low <= point <= high for point in points for low, high in ranges)
    ]


def faces_css(text: str) -> str:
    """`@font-face` rules for the text, and the variable `--fonts` with their families in order."""
    needed = [(LATIN, LATIN_FILES)] + [SCRIPTS[place][:2] for place in scripts_of(text)]
    rules = [
        f'@font-face{{font-family:"{family}";font-weight:{weight};font-style:{style};src:url("font:{file}")}}'
        for family, files in needed
        for (weight, style), file in files.items()
    ]
    families = ", ".join(f'"{family}"' for family, _ in needed)
    return "\n".join(
        [*rules, f"html, body {{ font-family: {families}, sans-serif }}", f"@page {{ font-family: {families} }}"]
    )
