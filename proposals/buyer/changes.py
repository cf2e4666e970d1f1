"""What differs between two documents, as a buyer would see it (pure): kinds, places and values, and no words."""

from msgspec import Struct
from sqlalchemy import Connection

from proposals.buyer.links import Link
from proposals.document import Document

# of the whole: what a heading says of it
TITLE, VALIDITY, CURRENCY, TERMS, SUMMARY, CLOSING = "title", "validity", "currency", "terms", "summary", "closing"
PARTIES, PAYMENT, ENCLOSURES, LANGUAGE = "parties", "payment", "enclosures", "language"
NET, TAX, TOTAL, DISCOUNT = "net", "tax", "total", "discount"
# of a section
SECTION_ADDED, SECTION_DROPPED, SECTION_TITLE, SECTION_TEXT = (
    "section_added",
    "section_dropped",
    "section_title",
    "section_text",
)
# of a line
LINE_ADDED, LINE_DROPPED, LINE_NAME, LINE_TEXT = "line_added", "line_dropped", "line_name", "line_text"
LINE_PRICE, LINE_QUANTITY, LINE_DISCOUNT = "line_price", "line_quantity", "line_discount"
LINE_TAX, LINE_OPTION, LINE_AMOUNT = "line_tax", "line_option", "line_amount"


class Change(Struct, frozen=True, kw_only=True):
    """`place` is the key of a line, a section or an enclosure's content, or null; `name` what it is called (now, or
    before where it is gone). `before` and `after` are minor units for amounts (NET, TAX, TOTAL, DISCOUNT, LINE_PRICE,
    LINE_AMOUNT, LINE_ADDED, LINE_DROPPED), days or texts as the document has them for what is said, and null where
    there is nothing that can be said in a line."""

    kind: str
    place: str | None = None
    name: str = ""
    before: str | int | None = None
    after: str | int | None = None


def between(old: Document, new: Document) -> list[Change]:
    """In the order of the document; empty where a buyer sees no difference but number, version and dates of issue."""
    raise NotImplementedError


def previous_of(connection: Connection, link: Link) -> int | None:
    """The last version before the link's that its recipient was sent; None where it is the first."""
    raise NotImplementedError
