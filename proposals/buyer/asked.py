"""What a buyer asks for by a form: to sign, or to decline."""

from msgspec import Struct

from proposals.buyer import cases
from proposals.buyer.links import Link
from sfa.core.pricing.choosing import Choices
from sfa.db.proposal_timeline import Visitor


class Acceptance(Struct, frozen=True, kw_only=True):
    """What was signed, as the browser says it. `method` is typed or drawn, `drawing` the PNG of the latter.
    `consent_digest` is of `consent_text` as it was shown, `digest` that of the version that was looked at,
    `total_minor` what it came to with these `choices`."""

    link: Link
    name: str
    method: str
    drawing: bytes | None = None
    consent_digest: str
    digest: str
    total_minor: int
    choices: Choices = cases.NO_CHOICES
    visitor: Visitor = Visitor()


class Decline(Struct, frozen=True, kw_only=True):
    link: Link
    name: str
    reason: str = ""
    visitor: Visitor = Visitor()
