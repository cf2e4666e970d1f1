"""What a total is made of, as one bar: the lines that count, by section. An SVG without text, and its legend.

The bar holds no words, so that every script prints in the legend beside it; its title says all of it to who cannot see.
It is drawn only where two sections or more have a positive sum and none a negative one: no bar can show another.
"""

from collections.abc import Sequence
from fractions import Fraction

from markupsafe import Markup

from proposals import document as doc
from proposals.templates import sheet
from proposals.templates.branding import tones
from proposals.templates.rich import clean, plain
from proposals.templates.voice import Voice
from sfa.core.money import allocate

SLICES_MAX = 6  # as many as have a colour; the smallest are put together beyond
WIDTH, HEIGHT, GAP = 1000, 44, 4


def chart_of(document: doc.Document, voice: Voice) -> sheet.Chart | None:
    titles = {section.key: section.title for section in document.sections}
    found = [
        (clean(titles.get(entry.section or "", "")) or voice.say("Items"), entry.amount_minor)
        for entry in document.priced.sections
        if entry.amount_minor
    ]
    if len(found) < 2 or any(amount < 0 for _, amount in found):
        return None
    found.sort(key=lambda entry: -entry[1])
    if len(found) > SLICES_MAX:
        rest = sum(amount for _, amount in found[SLICES_MAX - 1 :])
        found = [*found[: SLICES_MAX - 1], (voice.say("Others"), rest)]
    shares = allocate(10_000, [amount for _, amount in found])
    slices = tuple(
        sheet.Slice(plain(title), voice.percent(_tidy(share)), voice.amount(amount))
        for (title, amount), share in zip(found, shares, strict=True)
    )
    told = "; ".join(
        f"{title}: {voice.amount(amount)} ({voice.percent(_tidy(share))})"
        for (title, amount), share in zip(found, shares, strict=True)
    )
    heading = voice.say("What the total is made of")
    note = voice.say("Sections before discounts on the whole: %(note)s", note=voice.amounts_note)
    return sheet.Chart(_bar([amount for _, amount in found], tones(document.brand), heading, told), slices, note)


def _tidy(share_bp: int) -> int:
    """Shares are read at a glance: whole per cent, but where that would be nothing."""
    return (share_bp + 50) // 100 * 100 if share_bp >= 100 else share_bp


def _bar(amounts: list[int], colours: Sequence[str], heading: str, told: str) -> Markup:
    whole, start, pieces = sum(amounts), Fraction(0), list[str]()
    room = WIDTH - GAP * (len(amounts) - 1)
    for place, amount in enumerate(amounts):
        width = Fraction(max(room * amount, 2 * whole), whole)
        pieces.append(
            f'<rect fill="{colours[place]}" x="{float(start):.2f}" y="0" width="{float(width):.2f}" height="{HEIGHT}"/>'
        )
        start += width + GAP
    return Markup(
        '<svg class="bar" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="bar-title bar-told"><title id="bar-title">{title}</title><desc id="bar-told">{told}</desc>'
        "{pieces}</svg>"
    ).format(
        width=f"{float(max(start - GAP, WIDTH)):.2f}",
        height=HEIGHT,
        title=f"{heading}. {told}",
        told=told,
        pieces=Markup("".join(pieces)),
    )
