"""Writes a document out as a `Sheet`: the one place where its numbers become text (R50)."""

from collections.abc import Callable, Sequence
from itertools import groupby

from markupsafe import Markup

from proposals import document as doc
from proposals.templates import formats, sheet
from proposals.templates.rich import clean, plain, rich
from proposals.templates.words import Say, say_in
from sfa.core.pricing.values import Discount, PricedLine

AddressOf = Callable[[doc.Picture], str]


def asset_address(picture: doc.Picture) -> str:
    return f"asset:{picture.sha256}"


def sheet_of(document: doc.Document, mode: str, address_of: AddressOf = asset_address) -> sheet.Sheet:
    """`mode` is "print" or "screen"; all but the addresses of pictures is the same in both."""
    return _Reader(document, address_of).whole(mode)


class _Reader:
    def __init__(self, document: doc.Document, address_of: AddressOf) -> None:
        self.document, self.address_of = document, address_of
        self.say: Say = say_in(document.language)
        rates = {(item.tax.name, item.tax.rate_bp) if item.tax else None for item in document.items}
        self.taxes_differ = len(rates) > 1

    def money(self, minor: int) -> str:
        return formats.money(minor, self.document.currency, self.document.language)

    def amount(self, minor: int) -> str:
        return formats.amount(minor, self.document.currency, self.document.language)

    def percent(self, share_bp: int) -> str:
        return formats.percent(share_bp, self.document.language)

    def quantity(self, decimal: str) -> str:
        return formats.quantity(decimal, self.document.language)

    def whole(self, mode: str) -> sheet.Sheet:
        document, say, language = self.document, self.say, self.document.language
        brand = document.brand
        parts = tuple(self.parts())
        return sheet.Sheet(
            mode=mode,
            draft=document.number is None,
            language=language,
            number=clean(document.number or ""),
            version=document.version,
            title=plain(document.title),
            plain_title=clean(document.title),
            issued=formats.day(document.issued_on, language),
            valid_until=formats.day(document.valid_until, language),
            zone=clean(document.zone),
            currency=document.currency,
            tax_note=say("Prices include tax") if document.tax_inclusive else say("Prices without tax"),
            seller=self.party(document.seller),
            buyer=self.party(document.buyer),
            author=self.party(document.author),
            logo=self.picture(brand.logo) if brand.logo else None,
            footer=plain(brand.footer),
            summary=rich(document.summary),
            parts=parts,
            subtotals=tuple(sheet.Row("section", part.title, part.subtotal) for part in parts if part.subtotal),
            rows=tuple(self.rows()),
            total=self.money(document.priced.total_minor),
            dues=tuple(self.dues()),
            has_options=any(item.optional or item.group for item in document.items),
            terms=rich(document.terms),
            closing=rich(document.closing),
            chart=Markup(""),
        )

    def picture(self, picture: doc.Picture) -> sheet.Picture:
        return sheet.Picture(
            address=self.address_of(picture), alt=clean(picture.alt), width=picture.width, height=picture.height
        )

    def party(self, party: doc.Party) -> sheet.Party:
        return sheet.Party(
            name=plain(party.name),
            person=plain(party.person),
            title=plain(party.title),
            address=tuple(plain(row) for row in party.address),
            email=clean(party.email),
            phone=clean(party.phone),
            tax_id=plain(party.tax_id),
            website=clean(party.website),
        )

    def parts(self) -> list[sheet.Part]:
        """Lines without a section first, then sections in their order; what is empty in every way is left out."""
        document = self.document
        lines = list(zip(document.items, document.priced.lines, range(1, len(document.items) + 1), strict=True))
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
                    text=rich(section.text) if section else Markup(""),
                    pictures=tuple(self.picture(picture) for picture in section.pictures) if section else (),
                    blocks=tuple(self.blocks(own)),
                    subtotal=self.amount(sums[key]) if own and key in sums else "",
                    shares_discounts=any(item.discounts for item, _, _ in own),
                    shows_tax=self.taxes_differ,
                )
            )
        return parts

    def blocks(self, lines: Sequence[tuple[doc.Item, PricedLine, int]]) -> list[sheet.Block]:
        return [
            sheet.Block(
                choice=self.say("Choose one") if group else "",
                lines=tuple(self.line(item, priced, number) for item, priced, number in run),
            )
            for group, run in groupby(lines, key=lambda line: line[0].group)
        ]

    def line(self, item: doc.Item, priced: PricedLine, number: int) -> sheet.Line:
        kind = "choice" if item.group else "optional" if item.optional else ""
        state = (f"{kind}_chosen" if priced.counts else kind) if kind else "counts"
        return sheet.Line(
            number=number,
            name=plain(item.name),
            text=rich(item.text),
            sku=plain(item.sku),
            unit=plain(item.unit),
            quantity=self.quantity(priced.quantity),
            quantity_note=self.quantity_note(item),
            unit_price=self.amount(item.unit_price_minor),
            discounts=tuple(self.discount(discount) for discount in item.discounts),
            tax=self.percent(item.tax.rate_bp) if item.tax else "",
            amount=self.amount(priced.amount_minor),
            list_amount=self.amount(priced.list_minor) if priced.discount_minor else "",
            state=state,
        )

    def discount(self, discount: Discount) -> str:
        off = (
            self.percent(discount.share_bp)
            if discount.share_bp is not None
            else self.amount(discount.amount_minor or 0)
        )
        text = clean(discount.text)
        return f"{text} –{off}" if text else f"–{off}"

    def quantity_note(self, item: doc.Item) -> str:
        low, high = item.quantity_min, item.quantity_max
        if low and high:
            return self.say("%(low)s to %(high)s possible", low=self.quantity(low), high=self.quantity(high))
        if low:
            return self.say("%(low)s or more possible", low=self.quantity(low))
        return self.say("up to %(high)s possible", high=self.quantity(high)) if high else ""

    def rows(self) -> list[sheet.Row]:
        priced, say = self.document.priced, self.say
        rows = []
        if priced.discount_minor or priced.taxes:
            rows.append(sheet.Row("subtotal", say("Subtotal"), self.money(priced.subtotal_minor)))
        if priced.discount_minor:
            rows.append(sheet.Row("discount", say("Discount"), self.money(-priced.discount_minor)))
            rows.append(sheet.Row("after", say("After discount"), self.money(priced.after_minor)))
        if priced.taxes and self.document.tax_inclusive:
            rows.append(sheet.Row("net", say("Net amount"), self.money(priced.net_minor)))
        for tax in priced.taxes:
            label = say(
                "%(tax)s %(rate)s on %(base)s",
                tax=clean(tax.name),
                rate=self.percent(tax.rate_bp),
                base=self.money(tax.base_minor),
            )
            rows.append(sheet.Row("tax", label, self.money(tax.tax_minor)))
        return [*rows, sheet.Row("total", say("Total"), self.money(priced.total_minor))]

    def dues(self) -> list[sheet.Due]:
        say = self.say
        found = []
        for due in self.document.dues:
            name = say("Deposit") if due.kind == "deposit" else say("Instalment")
            when = say("%(days)s days after acceptance", days=due.due_days) if due.due_days else say("On acceptance")
            found.append(sheet.Due(clean(due.text) or name, when, self.money(due.amount_minor)))
        return found
