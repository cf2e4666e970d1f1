"""Who looked at what was sent, and for how long at which part (R51)."""

from typing import Annotated

from msgspec import Meta, Struct
from sqlalchemy import Connection

from proposals.buyer.links import Link
from proposals.buyer.people import Marks

# Parts of a page that are no section of the document; a beat names these, or keys of sections.
PLACES = ("@summary", "@prices", "@terms", "@files", "@questions", "@answer")
BEAT_S = 15  # how often a page that is looked at says so
Seconds = Annotated[int, Meta(ge=0, le=86_400)]


class Beat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a page says of itself: `session` is random and made anew by each load. Everything counts since the load, so
    that what is said twice is once: `seconds` that the page was visible, `sections` {key: seconds} of them that a part
    was in view, `acted` whether there was an input that the browser itself vouches for (`isTrusted`)."""

    session: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{22}\Z")]
    seconds: Seconds
    sections: Annotated[dict[Annotated[str, Meta(max_length=64)], Seconds], Meta(max_length=120)] = {}
    acted: bool = False


class Seen(Struct, frozen=True):
    """What became of a beat; the page is told nothing of it."""

    counted: bool
    why_not: str | None = None


def seen(connection: Connection, now_ms: int, link: Link, beat: Beat, marks: Marks) -> Seen:
    raise NotImplementedError
