"""What templates see: the document's content with every amount, day, share and quantity already written as text.

Nothing is computed here but how things read: sums come from `document.priced`. All texts are either `Markup` made by
`rich`, or plain text that autoescape covers. A template can reach the fields of these values and nothing else.
"""

from markupsafe import Markup
from msgspec import Struct


class Picture(Struct, frozen=True, kw_only=True):
    address: str
    alt: str
    width: int
    height: int


class Party(Struct, frozen=True, kw_only=True):
    name: Markup
    person: Markup
    title: Markup
    address: tuple[Markup, ...]
    email: str
    phone: str
    tax_id: Markup
    website: str


class Line(Struct, frozen=True, kw_only=True):
    """`state` says how it counts: `counts`, `optional` (not in the total), `optional_chosen`, `choice`,
    `choice_chosen`. `amount` is what the line comes to, `list_amount` that before discounts, where they differ."""

    number: int
    name: Markup
    text: Markup
    sku: Markup
    unit: Markup
    quantity: str
    quantity_note: str
    unit_price: str
    discounts: tuple[str, ...]
    tax: str
    amount: str
    list_amount: str
    state: str


class Block(Struct, frozen=True, kw_only=True):
    """Lines that stand together: a one-of group has `choice`, its heading; `counts` says whether it needs none."""

    choice: str
    lines: tuple[Line, ...]


class Part(Struct, frozen=True, kw_only=True):
    """A section: what it says, then its lines. `anchor` is where the contents lead."""

    anchor: str
    title: Markup
    text: Markup
    pictures: tuple[Picture, ...]
    blocks: tuple[Block, ...]
    subtotal: str
    shares_discounts: bool
    shows_tax: bool


class Row(Struct, frozen=True):
    """A row of the totals: `kind` is section, subtotal, discount, after, net, tax or total."""

    kind: str
    label: str | Markup
    amount: str


class Due(Struct, frozen=True):
    label: str
    when: str
    amount: str


class Sheet(Struct, frozen=True, kw_only=True):
    """The whole of it. `number` is empty in a draft."""

    mode: str
    draft: bool
    language: str
    number: str
    version: int
    title: Markup
    plain_title: str
    issued: str
    valid_until: str
    zone: str
    currency: str
    tax_note: str
    seller: Party
    buyer: Party
    author: Party
    logo: Picture | None
    footer: Markup
    summary: Markup
    parts: tuple[Part, ...]
    subtotals: tuple[Row, ...]
    rows: tuple[Row, ...]
    total: str
    dues: tuple[Due, ...]
    has_options: bool
    terms: Markup
    closing: Markup
    chart: Markup
