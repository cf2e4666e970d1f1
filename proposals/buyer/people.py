"""Whether somebody looked: a person who is not of the company, and no program (R51, pure).

Programs open links before people do: mail filters, previews of messages, crawlers, browsers that fetch ahead. Filters
open pages in whole browsers by now, so what a browser calls itself is not enough: an open counts where the page was
visible for a while and somebody touched, scrolled or typed.
"""

from msgspec import Struct

from proposals.evidence.timeline import Visitor

STAFF, SCANNER, PREFETCH, NO_INTERACTION = "staff", "scanner", "prefetch", "no_interaction"
TOO_SHORT, NOT_CURRENT, RECENT = "too_short", "not_current", "recent"


class Marks(Struct, frozen=True, kw_only=True):
    """What a request says of itself beside its body: `staff` where the browser has the mark of somebody who works here,
    `prefetch` where a header says that nobody looks yet (`is_prefetch`)."""

    visitor: Visitor = Visitor()
    staff: bool = False
    prefetch: bool = False
