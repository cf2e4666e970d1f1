"""What buyers ask about a version, and what they are answered."""

from msgspec import Struct
from sqlalchemy import Connection

from proposals.buyer.links import Link
from proposals.evidence.timeline import Visitor

NAME_MAX, TEXT_MAX = 200, 4_000


class Question(Struct, frozen=True, kw_only=True):
    """As the page and the company's people see it: `answered_by` is the name of who answered."""

    key: str
    version: int
    recipient_key: str | None
    place: str | None
    asked_by: str
    asked_at: int
    text: str
    answer: str | None
    answered_at: int | None
    answered_by: str | None


class Asked(Struct, frozen=True):
    """`again`: the same was asked a moment ago, and is there once."""

    key: str
    again: bool


def ask(
    connection: Connection, now_ms: int, link: Link, name: str, text: str, place: str | None, visitor: Visitor
) -> Asked:
    """Refuses `question_invalid` (nothing said, too long, a place that the document has not), `question_limit` and,
    by a staff link, `link_shows_only`. Asking is possible also when a version is over."""
    raise NotImplementedError


def of_version(connection: Connection, proposal_key: str, version: int) -> list[Question]:
    """The oldest first."""
    raise NotImplementedError
