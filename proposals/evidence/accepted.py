"""What was accepted: one frozen value that says everything a court asks for, and its canonical digest (R46, R48, R50).

It is written in the transaction that accepts, by who answered last, and never again. The final PDF carries it, so that
whoever has the file can compute every digest that the certificate names. Pictures of drawn signatures are named by
their digest: they are printed, and kept beside it.
"""

from hashlib import sha256

import msgspec
from msgspec import Struct

from proposals.document import Document, Hex

TYPED, DRAWN = "typed", "drawn"


class Signed(Struct, frozen=True, kw_only=True):
    """One signature. `consent` is the text that was agreed to, `document_digest` that of what was sent, `chosen_digest`
    that of the document with the options that were taken; `at` is in ms. `email` is where the link was
    mailed; `handed_over`: the seller's people had it and gave it on. `address` and `agent` are what the network and
    the browser said."""

    ordinal: int
    name: str
    email: str | None
    handed_over: bool = False
    method: str
    at: int
    address: str | None
    agent: str | None = None
    consent: str
    consent_digest: Hex
    document_digest: Hex
    chosen_digest: Hex
    picture_sha256: Hex | None = None


class Accepted(Struct, frozen=True, kw_only=True):
    """`document` is as it was chosen, `document_digest` names it as it was sent."""

    format: int = 1
    proposal_key: str
    version: int
    document_digest: Hex
    document: Document
    signatures: tuple[Signed, ...]
    accepted_at: int


def canonical(accepted: Accepted) -> bytes:
    """The one way to write it as JSON: fields in the order above, nothing left out, UTF-8. `proposal_answers.document`
    holds these bytes."""
    return msgspec.json.encode(accepted)


def digest_of(accepted: Accepted) -> str:
    """SHA-256 of `canonical`, hex: `proposal_answers.digest`."""
    return sha256(canonical(accepted)).hexdigest()


def accepted_of(body: bytes) -> Accepted:
    """What `canonical` wrote."""
    return msgspec.json.decode(body, type=Accepted)
