"""What a certificate tells, as one value: what was accepted, what happened before, and which digests prove it (R48).

It goes to the buyer. Of the company's own people it says nothing but that the company did it, and what an event has in
detail stays on the server and in what `sfa proposal evidence` exports.
"""

import msgspec
from msgspec import Struct

from proposals.document import Hex
from proposals.evidence.accepted import Accepted


class Happened(Struct, frozen=True, kw_only=True):
    """An event of the timeline; `who` is a person of the buyer, or the seller. `digest` chains it to the one before."""

    n: int
    version: int
    at: int
    kind: str
    who: str
    address: str | None = None
    agent: str | None = None
    digest: Hex


class Testimony(Struct, frozen=True, kw_only=True):
    """`key_certificate` is the SHA-256 of the sealing certificate's DER. `original_pdf` is null where what was sent was
    never printed."""

    format: int = 1
    number: str
    accepted: Accepted
    accepted_digest: Hex
    original_pdf: Hex | None
    final_pdf: Hex
    key_certificate: Hex
    events: tuple[Happened, ...]


def canonical(testimony: Testimony) -> bytes:
    return msgspec.json.encode(testimony)


def read_testimony(body: bytes) -> Testimony:
    return msgspec.json.decode(body, type=Testimony)
