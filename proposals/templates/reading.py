"""Writes a document out as a `Sheet`: the one place where its numbers become text (R50)."""

from collections.abc import Callable, Sequence
from itertools import groupby

from markupsafe import Markup, escape

from proposals import document as doc
from proposals.templates import charts, sheet
from proposals.templates.rich import clean, plain, rich
from proposals.templates.voice import Voice
from sfa.core.pricing.values import PricedLine

AddressOf = Callable[[doc.Picture], str]
Lined = tuple[doc.Item, PricedLine, int]


def asset_address(picture: doc.Picture) -> str:
    return f"asset:{picture.sha256}"


def sheet_of(document: doc.Document, address_of: AddressOf = asset_address) -> sheet.Sheet:
    """The same for print and screen, but for where pictures are found."""
    voice = Voice(document)
    lines = list(zip(document.items, document.priced.lines, range(1, len(document.items) + 1), strict=True))
    parts = tuple(_parts(document, lines, voice, address_of))
    has_options = any(item.optional or item.group for item in document.items)
    chart = charts.chart_of(document, voice)
    return sheet.Sheet(
        draft=document.number is None,
        language=document.language,
        number=clean(document.number or ""),
        version=document.version,
        title=plain(document.title),
        plain_title=clean(document.title),
        issued=voice.day(document.issued_on),
        valid_until=voice.day(document.valid_until),
        zone=clean(document.zone),
        currency=document.currency,
        amounts_note=voice.amounts_note,
        total_note=voice.total_note,
        seller=_party(document.seller),
        buyer=_party(document.buyer),
        author=_party(document.author),
        logo=_picture(document.brand.logo, address_of) if document.brand.logo else None,
        footer=plain(document.brand.footer),
        summary=rich(document.summary),
        chart=chart,
        parts=parts,
        shows_tax=len({item.tax for item in document.items}) > 1,
        has_options=has_options,
        groups=tuple(_groups(document, lines, voice)),
        extras=_extras(lines, voice),
        rows=tuple(voice.rows()),
        total=voice.money(document.priced.total_minor),
        dues=tuple(voice.due(due) for due in document.dues),
        terms=rich(document.terms, 3),
        enclosures=tuple(sheet.Enclosure(plain(each.name), voice.size(each.size)) for each in document.enclosures),
        closing=rich(document.closing),
        chapters=tuple(_chapters(document, parts, voice, chart is not None, has_options)),
    )


def _picture(picture: doc.Picture, address_of: AddressOf) -> sheet.Picture:
    return sheet.Picture(
        address=address_of(picture), alt=clean(picture.alt), width=picture.width, height=picture.height
    )


def _party(party: doc.Party) -> sheet.Party:
    return sheet.Party(
        name=plain(party.name),
        person=plain(party.person),
        title=plain(party.title),
        address=tuple(plain(row) for row in party.address if row),
        email=clean(party.email),
        phone=clean(party.phone),
        tax_id=plain(party.tax_id),
        website=clean(party.website),
    )


def _parts(document: doc.Document, lines: Sequence[Lined], voice: Voice, address_of: AddressOf) -> list[sheet.Part]:
    """Lines without a section first, then sections in their order; what is empty in every way is left out."""
    sums = {entry.section: entry.amount_minor for entry in document.priced.sections}
    sections: list[doc.Section | None] = [None, *document.sections]
    parts = []
    for place, section in enumerate(sections):
        key = section.key if section else None
        own = [line for line in lines if line[0].section == key]
        if not own and (section is None or not (section.title or section.text or section.pictures)):
            continue
        parts.append(
            sheet.Part(
                anchor=f"part-{place}",
                title=plain(section.title) if section else Markup(""),
                text=rich(section.text, 3 if section.title else 2) if section else Markup(""),
                pictures=tuple(_picture(picture, address_of) for picture in section.pictures) if section else (),
                blocks=tuple(_blocks(own, voice)),
                subtotal=voice.amount(sums[key]) if len(own) > 1 and key in sums else "",
                counts=any(priced.counts for _, priced, _ in own),
            )
        )
    return parts


def _blocks(lines: Sequence[Lined], voice: Voice) -> list[sheet.Block]:
    return [
        sheet.Block(choice=voice.say("Choose one") if group else "", lines=tuple(_line(line, voice) for line in run))
        for group, run in groupby(lines, key=lambda line: line[0].group)
    ]


def _groups(document: doc.Document, lines: Sequence[Lined], voice: Voice) -> list[sheet.Part]:
    """Each one-of group by itself, headed by the title of the section that its first line stands in."""
    titles = {section.key: section.title for section in document.sections}
    groups = dict.fromkeys(item.group for item in document.items if item.group)
    return [
        sheet.Part(title=plain(titles.get(own[0][0].section or "", "")), blocks=tuple(_blocks(own, voice)))
        for own in ([line for line in lines if line[0].group == group] for group in groups)
    ]


def _extras(lines: Sequence[Lined], voice: Voice) -> sheet.Part:
    own = [line for line in lines if line[0].optional and not line[0].group]
    return sheet.Part(title=Markup(""), blocks=tuple(_blocks(own, voice)))


def _line(lined: Lined, voice: Voice) -> sheet.Line:
    item, priced, number = lined
    kind = "choice" if item.group else "optional" if item.optional else ""
    return sheet.Line(
        number=number,
        name=plain(item.name),
        text=rich(item.text) if item.text else Markup(""),
        sku=plain(item.sku),
        unit=plain(item.unit),
        quantity=voice.quantity(priced.quantity),
        quantity_note=voice.quantity_note(item),
        unit_price=voice.amount(item.unit_price_minor),
        discounts=tuple(voice.discount(discount) for discount in item.discounts),
        tax=voice.percent(item.tax.rate_bp) if item.tax else "",
        amount=voice.amount(priced.amount_minor),
        list_amount=voice.amount(priced.list_minor) if priced.discount_minor else "",
        state=(f"{kind}_chosen" if priced.counts else kind) if kind else "plain",
        counts=priced.counts,
    )


def _chapters(
    document: doc.Document, parts: Sequence[sheet.Part], voice: Voice, has_chart: bool, has_options: bool
) -> list[sheet.Chapter]:
    """What the contents of a long proposal lead to, in order of print."""
    say = voice.say
    whether: list[tuple[bool, str, Markup | str]] = [
        (True, "summary", say("Summary")),
        (has_chart, "shares", say("What the total is made of")),
        *((True, part.anchor, part.title or say("Items")) for part in parts),
        (has_options, "choices", say("Your choices")),
        (True, "total", say("Total")),
        (bool(document.dues), "payment", say("Payment")),
        (bool(document.terms), "terms", say("Terms")),
        (bool(document.enclosures), "enclosures", say("Enclosures")),
        (True, "acceptance", say("Acceptance")),
    ]
    return [sheet.Chapter(anchor, escape(title)) for there, anchor, title in whether if there]
