"""What is priced, and what it comes to: the values that pricing takes and gives. Pure, for devices too.

Amounts are whole minor units of one currency, the offer's; shares are basis points; quantities are decimal text, as
people typed them. Cost and margin are in none of these values, so that nothing made of them can tell one (R45).
"""

from typing import Annotated

from msgspec import Meta, Struct

from sfa.core.fields import KEY_PATTERN, Currency, Decimal18, Minor, Share

Key = Annotated[str, Meta(pattern=KEY_PATTERN)]
Rounds = Annotated[str, Meta(pattern=r"^(half_up|half_even)\Z")]
RoundsPer = Annotated[str, Meta(pattern=r"^(line|document)\Z")]


class Discount(Struct, frozen=True):
    """Either `share_bp` of what is left by those before it, or `amount_minor` off; in the order declared (R35)."""

    share_bp: Share | None = None
    amount_minor: Annotated[int, Meta(ge=0, le=10**15)] | None = None
    text: Annotated[str, Meta(max_length=100)] = ""


class Tax(Struct, frozen=True):
    """A tax by its name and rate; equal ones make one group."""

    name: Annotated[str, Meta(min_length=1, max_length=50)]
    rate_bp: Annotated[int, Meta(ge=0, le=100_000)]


class Line(Struct, frozen=True, kw_only=True):
    """One line as it is offered. `chosen` counts for optional lines and for those of a `group`, of which exactly one
    counts; a line is not both. Where `quantity_min` or `quantity_max` is said, the buyer may choose the quantity
    between them, in steps of `quantity_step` (1 if not said) from the least (one step if not said). The price is that
    of one unit, with tax where the offer's prices include it; a credit has a negative one."""

    key: Key
    section: Key | None = None
    quantity: Decimal18 = "1"
    unit_price_minor: Minor = 0
    discounts: tuple[Discount, ...] = ()
    tax: Tax | None = None
    optional: bool = False
    group: Key | None = None
    chosen: bool = True
    quantity_min: Decimal18 | None = None
    quantity_max: Decimal18 | None = None
    quantity_step: Decimal18 | None = None


class Deposit(Struct, frozen=True):
    """What is due on acceptance: a share of the total, or an amount."""

    share_bp: Share | None = None
    amount_minor: Annotated[int, Meta(ge=0, le=10**15)] | None = None


class Instalment(Struct, frozen=True):
    """A part of what is left after the deposit; shares of all of them total 100 %. Due `due_days` after acceptance."""

    share_bp: Share
    due_days: Annotated[int, Meta(ge=0, le=3_650)] = 0
    text: Annotated[str, Meta(max_length=100)] = ""


class Offer(Struct, frozen=True, kw_only=True):
    """Everything that decides amounts. `rounding` and what it is done per are stored with the document (R35)."""

    currency: Currency
    lines: tuple[Line, ...]
    discounts: tuple[Discount, ...] = ()
    tax_inclusive: bool = False
    rounding: Rounds = "half_up"
    rounding_per: RoundsPer = "line"
    deposit: Deposit | None = None
    instalments: tuple[Instalment, ...] = ()


class PricedLine(Struct, frozen=True, kw_only=True):
    """`list_minor` is quantity times price; less `discount_minor` it is `amount_minor`, what is printed at the line.
    Less its part of the header discounts, `header_discount_minor`, and without tax it is `net_minor`, and
    `net_minor + tax_minor == total_minor`. A line that does not `count` has its own amounts and adds to nothing;
    then header discounts are none of it."""

    key: Key
    section: Key | None
    quantity: str
    counts: bool
    list_minor: int
    discount_minor: int
    amount_minor: int
    header_discount_minor: int
    net_minor: int
    tax_minor: int
    total_minor: int


class TaxGroup(Struct, frozen=True):
    """The lines of one tax that count. Those without tax are a group too, without a name and the last one."""

    name: str
    rate_bp: int
    base_minor: int
    tax_minor: int


class SectionSum(Struct, frozen=True):
    """Of the lines of a section that count, before header discounts: the sum of their `amount_minor`."""

    section: Key | None
    amount_minor: int


class Due(Struct, frozen=True):
    """`kind` is deposit, instalment, or balance: what no plan speaks of. `due_days` after acceptance; the deposit is
    the first and the balance the last, both at 0 days. All together are the total, exactly."""

    kind: str
    amount_minor: int
    due_days: int
    text: str


class Priced(Struct, frozen=True, kw_only=True):
    """`subtotal_minor` is the sum of the lines that count; less `discount_minor` of the header it is `after_minor`;
    `net_minor + tax_minor == total_minor`; the tax groups sum to `net_minor` and `tax_minor`, and so do the lines."""

    currency: str
    lines: tuple[PricedLine, ...]
    sections: tuple[SectionSum, ...]
    subtotal_minor: int
    discount_minor: int
    after_minor: int
    taxes: tuple[TaxGroup, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    dues: tuple[Due, ...]
