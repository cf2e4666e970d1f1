"""The document's own way to write: its language, its currency, and the short phrases around numbers."""

from proposals import document as doc
from proposals.templates import formats, sheet
from proposals.templates.rich import clean
from proposals.templates.words import Count, Say, count_in, say_in
from sfa.core.pricing.values import Discount, Due


class Voice:
    def __init__(self, document: doc.Document) -> None:
        self.document, self.language, self.currency = document, document.language, document.currency
        self.say: Say = say_in(document.language)
        self.count: Count = count_in(document.language)

    def money(self, minor: int) -> str:
        return formats.money(minor, self.currency, self.language)

    def amount(self, minor: int) -> str:
        return formats.amount(minor, self.currency, self.language)

    def percent(self, share_bp: int) -> str:
        return formats.percent(share_bp, self.language)

    def quantity(self, decimal: str) -> str:
        return formats.quantity(decimal, self.language)

    def day(self, iso: str) -> str:
        return formats.day(iso, self.language)

    def size(self, count: int) -> str:
        return formats.size(count, self.language)

    @property
    def amounts_note(self) -> str:
        """What stands above a table of lines: the currency of its columns, and whether tax is in them."""
        if self.document.tax_inclusive:
            return self.say("amounts in %(currency)s, tax included", currency=self.currency)
        return self.say("amounts in %(currency)s without tax", currency=self.currency)

    @property
    def total_note(self) -> str:
        return self.say("All taxes included") if self.document.priced.taxes else self.say("No tax is added")

    def discount(self, discount: Discount) -> str:
        share = discount.share_bp
        off = self.percent(share) if share is not None else self.amount(discount.amount_minor or 0)
        text = clean(discount.text)
        return f"{text} –{off}" if text else f"–{off}"

    def quantity_note(self, item: doc.Item) -> str:
        """The limits within which the buyer may choose the quantity."""
        low, high, step = (
            self.quantity(limit) if limit else ""
            for limit in (item.quantity_min, item.quantity_max, item.quantity_step)
        )
        if low and high:
            text = self.say("you choose: %(low)s to %(high)s", low=low, high=high)
        elif low:
            text = self.say("you choose: %(low)s or more", low=low)
        elif high:
            text = self.say("you choose: up to %(high)s", high=high)
        else:
            return ""
        return f"{text}, {self.say('in steps of %(step)s', step=step)}" if step else text

    def rows(self) -> list[sheet.Row]:
        """The totals, from the sum of the lines to what is to be paid."""
        priced, say = self.document.priced, self.say
        rows = []
        if priced.discount_minor or priced.taxes:
            rows.append(sheet.Row("subtotal", say("Subtotal"), self.money(priced.subtotal_minor)))
        if priced.discount_minor:
            rows.append(sheet.Row("discount", say("Discount"), self.money(-priced.discount_minor)))
            rows.append(sheet.Row("after", say("After discount"), self.money(priced.after_minor)))
        if priced.taxes and self.document.tax_inclusive:
            rows.append(sheet.Row("net", say("Without tax"), self.money(priced.net_minor)))
        for tax in priced.taxes:
            label = say(
                "%(tax)s %(rate)s on %(base)s",
                tax=clean(tax.name),
                rate=self.percent(tax.rate_bp),
                base=self.money(tax.base_minor),
            )
            rows.append(sheet.Row("tax", label, self.money(tax.tax_minor)))
        return [*rows, sheet.Row("total", say("Total"), self.money(priced.total_minor))]

    def due(self, due: Due) -> sheet.Due:
        say = self.say
        name = say("Deposit") if due.kind == "deposit" else say("Instalment")
        if due.due_days == 0:
            when = say("On acceptance")
        else:
            days = self.quantity(str(due.due_days))
            when = self.count(
                "%(days)s day after acceptance", "%(days)s days after acceptance", due.due_days, days=days
            )
        return sheet.Due(clean(due.text) or name, when, self.money(due.amount_minor))
