"""What an approval is of, who must give it, and when it holds no more (R49): pure, for devices too.

`Terms` are the values that an approval is bound to: amounts, and every word of the offer that is printed. The same
values, or better ones for the company, are covered by an approval that was given; a worsening is not. What counts as
one is listed in `worsened`, and in docs/proposals.md: a test holds the two together. The template's look, the language
of its own words, the seller and the persons named are no such value.

A chain is the roles that must approve, the lowest first: for each line whose discount lies beyond the author's limit
(`sfa.profit.price.limits`), and those that margins ask for, which nobody is told the reason of (R45).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct, structs

from proposals.document import Document
from sfa.core.access import ROLES, holds_on
from sfa.core.money import BP_WHOLE
from sfa.core.pricing.units import unit_prices
from sfa.core.pricing.values import Offer, Priced
from sfa.profit.price.limits import Approval, Row

NOBODY = "nobody"
DAY_MS = 24 * 3_600_000
# Costs, prices and people change: what somebody decided a month ago he is asked about again. It is the time for which
# an offer is valid where nothing else is said.
HOLDS_DAYS = 30
CURRENCY, ROUNDING, CUSTOMER, LINE, DROPPED, PRICE = "currency", "rounding", "customer", "line", "dropped", "price"
TAX, QUANTITY, CHOICE, DISCOUNT, PAYMENT = "tax", "quantity", "choice", "discount", "payment"
VALIDITY, TERMS, WORDS, ENCLOSURES = "validity", "terms", "words", "enclosures"
WORSENINGS = (
    *(CURRENCY, ROUNDING, CUSTOMER, LINE, DROPPED, PRICE, TAX, QUANTITY, CHOICE, DISCOUNT, PAYMENT),
    *(VALIDITY, TERMS, WORDS, ENCLOSURES),
)


class LineTerms(Struct, frozen=True, kw_only=True):
    """`words` is the digest of what is printed of it: name, text, section, what it is counted in, texts of discounts.
    `unit` is what one is sold for at the worst that the buyer can make of the offer, without tax, as a fraction of
    minor units; `below_list` says whether that is not known to be no less than the list price. `asked` says whether its
    discount or its margin asked for the approval, or a credit lies on it too: it is in no digest, which people are told
    (R45)."""

    key: str
    product_key: str | None
    words: str
    quantity: str
    unit: str
    tax: str
    below_list: bool
    asked: bool
    choice: tuple[str | bool | None, ...]


class Terms(Struct, frozen=True, kw_only=True):
    """`wait` is [sum of amount times days, sum of amounts] of what is due; `last_due` the days until the last of it. It
    is valid until a day, or (null) for so many days from when it is sent. `terms` and `words` are digests: of the
    terms, and of title, summary, closing, sections with their pictures, and texts of discounts and instalments."""

    currency: str
    tax_inclusive: bool
    rounding: str
    account_key: str | None
    lines: tuple[LineTerms, ...]
    list_minor: int
    net_minor: int
    wait: tuple[int, int]
    last_due: int
    valid_until: str | None
    valid_days: int
    terms: str
    words: str
    enclosures: tuple[str, ...]


def digest_of(terms: Terms) -> str:
    """Names what people see of the values."""
    lines = tuple(structs.replace(line, asked=False) for line in terms.lines)
    return _digest(structs.replace(terms, lines=lines))


def terms_of(
    offer: Offer,
    priced: Priced,
    document: Document,
    products: Mapping[str, str | None],
    listed: Mapping[str, Fraction | int | None],
    asked: Collection[str],
    *,
    account_key: str | None,
    valid_until: str | None,
    valid_days: int,
) -> Terms:
    """`products` say the product of each line, `listed` the list price of one unit where it is known, `asked` the lines
    that ask for an approval."""
    units, lines = unit_prices(offer), []
    for line, item in zip(offer.lines, document.items, strict=True):
        price, unit = listed.get(line.key), units[line.key]
        lines.append(
            LineTerms(
                key=line.key,
                product_key=products[line.key],
                words=_digest([item.name, item.text, item.section, item.unit, [d.text for d in line.discounts]]),
                quantity=str(Fraction(line.quantity)),
                unit=str(unit),
                tax=f"{line.tax.rate_bp} {line.tax.name}" if line.tax is not None else "",
                below_list=price is None or unit < price,
                asked=line.key in asked,
                choice=(line.optional, line.group, line.quantity_min, line.quantity_max, line.quantity_step),
            )
        )
    texts = [[each.text for each in of if each.text] for of in (offer.discounts, offer.instalments)]
    return Terms(
        currency=offer.currency,
        tax_inclusive=offer.tax_inclusive,
        rounding=f"{offer.rounding} {offer.rounding_per}",
        account_key=account_key,
        lines=tuple(sorted(lines, key=lambda line: line.key)),
        list_minor=sum(line.list_minor for line in priced.lines if line.counts),
        net_minor=priced.after_minor,
        wait=(sum(due.amount_minor * due.due_days for due in priced.dues), sum(d.amount_minor for d in priced.dues)),
        last_due=max((due.due_days for due in priced.dues), default=0),
        valid_until=valid_until,
        valid_days=valid_days if valid_until is None else 0,
        terms=_digest(document.terms),
        words=_digest([document.title, document.summary, document.closing, document.sections, texts]),
        enclosures=tuple(sorted(f"{file.sha256} {file.name}" for file in document.enclosures)),
    )


def _digest(value: Any) -> str:
    return sha256(msgspec.json.encode(value)).hexdigest()


# -- does an approval still hold? --------------------------------------------------------------------------------------


def worsened(before: Terms, after: Terms) -> tuple[str, ...]:
    """What of `WORSENINGS` the later values are; none where an approval of the earlier ones covers them:

    - currency: another one, or prices that include tax where they did not, or the other way round
    - rounding: another way of it
    - customer: another one
    - line: one that was not there, or that is of another product, or says anything else than it did
    - dropped: one is gone that had asked for the approval, by its discount or its margin
    - price: less for one unit, whatever the buyer chooses
    - tax: another one of a line, or none
    - quantity: another one of a line below its list price or without a known one, or that had asked for the approval
    - choice: another one of what the buyer may choose
    - discount: a larger share off everything together
    - payment: later on average, or a later last day
    - validity: a later day, more days, or a day in the place of days or the other way round
    - terms: other words
    - words: other ones of the title, summary, closing, a section, a discount or an instalment, or another picture
    - enclosures: a file that was not there, or under another name
    """
    found = {
        CURRENCY: (before.currency, before.tax_inclusive) != (after.currency, after.tax_inclusive),
        ROUNDING: before.rounding != after.rounding,
        CUSTOMER: before.account_key != after.account_key,
        DROPPED: bool({line.key for line in before.lines if line.asked} - {line.key for line in after.lines}),
        DISCOUNT: _share_off(after) > _share_off(before),
        PAYMENT: _days(after) > _days(before) or after.last_due > before.last_due,
        VALIDITY: _lasts_longer(before, after),
        TERMS: after.terms != before.terms,
        WORDS: after.words != before.words,
        ENCLOSURES: not set(after.enclosures) <= set(before.enclosures),
    }
    known = {line.key: line for line in before.lines}
    for line in after.lines:
        was = known.get(line.key)
        if was is None or (was.product_key, was.words) != (line.product_key, line.words):
            found[LINE] = True
            continue
        found[PRICE] = found.get(PRICE, False) or Fraction(line.unit) < Fraction(was.unit)
        found[TAX] = found.get(TAX, False) or line.tax != was.tax
        other = line.quantity != was.quantity and (line.below_list or was.below_list or was.asked)
        found[QUANTITY] = found.get(QUANTITY, False) or other
        found[CHOICE] = found.get(CHOICE, False) or line.choice != was.choice
    return tuple(name for name in WORSENINGS if found.get(name))


def aged(terms: Terms, given_at: int, now_ms: int) -> bool:
    """Whether an approval is too old: after HOLDS_DAYS, or sooner as many days as the offer is valid for. Beyond a last
    day of validity nothing is sent."""
    days = HOLDS_DAYS if terms.valid_until is not None else min(HOLDS_DAYS, max(1, terms.valid_days))
    return now_ms - given_at >= days * DAY_MS


def _lasts_longer(before: Terms, after: Terms) -> bool:
    if before.valid_until is None or after.valid_until is None:
        return before.valid_until != after.valid_until or after.valid_days > before.valid_days
    return after.valid_until > before.valid_until


def _share_off(terms: Terms) -> Fraction:
    """How much of the list is taken off; of an offer of nothing, nothing."""
    if terms.list_minor <= 0:
        return Fraction(0)
    return Fraction(terms.list_minor - terms.net_minor, terms.list_minor)


def _days(terms: Terms) -> Fraction:
    product, total = terms.wait
    return Fraction(product, total) if total else Fraction(0)


# -- who must give it? -------------------------------------------------------------------------------------------------


def floors_of(rows: Iterable[Row], family: str | None, day: str) -> dict[str, int]:
    """role -> the margin down to which it may go with products of a family on a day; roles without any are not in it.
    A role without a floor of its own has that of the next role above, as limits of discounts have it."""
    found: dict[tuple[str, bool], int] = {}
    for row in rows:
        if row["family"] in (family, None) and holds_on(row["valid_from"], row["valid_to"], day):
            place = row["role"], row["family"] is not None
            found[place] = max(found.get(place, row["floor_bp"]), row["floor_bp"])
    floors: dict[str, int] = {}
    above: int | None = None
    for role in reversed(ROLES):
        own = found.get((role, True), found.get((role, False)))
        above = own if own is not None else above
        if above is not None:
            floors[role] = above
    return floors


def role_for_margin(unit: Fraction, cost: Fraction | int | None, floors: Mapping[str, int], role: str) -> str | None:
    """The lowest role from the author's on that may sell at this margin, None where the author may; NOBODY below every
    floor. What costs nothing that is known is approved by the next role above the author that has a floor or none."""
    if role not in floors:
        return None
    for each in ROLES[rank(role) :]:
        floor = floors.get(each)
        if floor is None:
            return None if each == role else each
        if cost is not None and (unit - cost) * BP_WHOLE >= floor * unit:
            return None if each == role else each
        if cost is None and each != role:
            return each
    return NOBODY


def role_for_discount(found: Approval, author_role: str) -> str | None:
    """What a line's discount asks for. Without a list price to hold it against, the next role above looks at it."""
    if found.code == "beyond_all_limits":
        return NOBODY
    if found.code == "no_list_price":
        return next((role for role in ROLES[rank(author_role) + 1 :]), None)
    return found.role


def chain_of(roles: Iterable[str | None]) -> tuple[str, ...]:
    """Each role once, the lowest first; NOBODY is the last."""
    found = {role for role in roles if role is not None}
    return tuple(sorted(found, key=rank))


def rank(role: str) -> int:
    return ROLES.index(role) if role in ROLES else len(ROLES)


def left_after(needs: Sequence[str], role: str) -> tuple[str, ...]:
    """What remains of a chain when somebody of this role approves: he stands for those below him too."""
    return tuple(each for each in needs if rank(each) > rank(role))
