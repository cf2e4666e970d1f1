"""A company's colours: checked where they are set, and made readable where they are printed.

Headings, rules and marks are printed in `primary` and `accent` on white, and white on `primary`: both must have a
contrast to white of 4.5 to 1 (WCAG 2.2, 1.4.3). A document that was stored with others prints with darker ones.
"""

import re

from proposals.document import Brand
from sfa.core.errors import Refused

CONTRAST_MIN = 4.5
WHITE = "#ffffff"
_COLOUR = re.compile(r"#[0-9a-f]{6}\Z")


def check_brand(brand: Brand) -> None:
    """Refuses with `brand_invalid` a colour that is none, or that people could not read on paper."""
    for name in ("primary", "accent"):
        colour: str = getattr(brand, name)
        if not _COLOUR.match(colour):
            raise Refused("brand_invalid", f"{name}: {colour!r} is not of the form #1f3a5f", field=name)
        if (found := contrast(colour, WHITE)) < CONTRAST_MIN:
            text = f"{name}: {colour} on white has a contrast of {found:.1f} to 1; {CONTRAST_MIN} is needed"
            raise Refused("brand_invalid", text, field=name, contrast=round(found, 2))


def contrast(one: str, other: str) -> float:
    """Between two colours, 1 to 21, as WCAG 2.2 measures it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def readable(colour: str) -> str:
    """The colour itself, or the next darker one that can be read on white."""
    for part in range(21):
        darker = mixed(colour, "#000000", 100 - 5 * part)
        if contrast(darker, WHITE) >= CONTRAST_MIN:
            return darker
    return "#000000"


def mixed(one: str, other: str, percent: int) -> str:
    """`percent` of one and the rest of the other."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{(a * percent + b * (100 - percent)) // 100:02x}" for a, b in pairs)


def tones(brand: Brand) -> tuple[str, ...]:
    """Six colours for the pieces of a chart, told apart in grey too: from the primary one to its tints."""
    primary, accent = readable(brand.primary), readable(brand.accent)
    return (primary, accent, *(mixed(primary, WHITE, share) for share in (70, 50, 32, 18)))


def colours_css(brand: Brand) -> str:
    primary, accent = readable(brand.primary), readable(brand.accent)
    names = {
        "primary": primary,
        "accent": accent,
        "wash": mixed(primary, WHITE, 5),
        "line": mixed(primary, "#d9dce1", 15),
        "accent-wash": mixed(accent, WHITE, 7),
    }
    swatches = "\n".join(f".tone-{place} {{ background: {tone} }}" for place, tone in enumerate(tones(brand)))
    return ":root { " + "; ".join(f"--{name}: {colour}" for name, colour in names.items()) + " }\n" + swatches


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
