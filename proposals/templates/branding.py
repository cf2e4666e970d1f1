"""A company's colours, made readable where they are printed.

Headings, rules and marks are printed in `primary` and `accent` on white, and white on `primary`: both must have a
contrast to white of 4.5 to 1 (WCAG 2.2, 1.4.3). A template's row is held to that when it is written
(`sfa.core.proposal_rows`); a document that names others all the same prints with darker ones.
"""

from proposals.document import Brand
from sfa.core.colours import CONTRAST_MIN, channels, contrast
from sfa.core.colours import PAPER as WHITE


def readable(colour: str) -> str:
    """The colour itself, or the next darker one that can be read on white."""
    for part in range(21):
        darker = mixed(colour, "#000000", 100 - 5 * part)
        if contrast(darker, WHITE) >= CONTRAST_MIN:
            return darker
    return "#000000"


def mixed(one: str, other: str, percent: int) -> str:
    """`percent` of one and the rest of the other."""
    pairs = zip(channels(one), channels(other), strict=True)
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
