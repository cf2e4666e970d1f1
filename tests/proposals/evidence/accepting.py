"""An offer that two people of a bakery accepted, one by drawing and one by typing, as the value that is printed."""

import io
from hashlib import sha256
from typing import Any

import msgspec
from PIL import Image, ImageDraw

from proposals import document as doc
from proposals.document import Document
from proposals.evidence import accepted, testimony
from proposals.evidence.accepted import DRAWN, TYPED, Accepted, Signed
from proposals.evidence.testimony import Happened, Testimony
from proposals.rendering.values import Evidence, Order
from proposals.templates.template import BUILT_IN
from tests.proposals import builders

AT = 1_772_700_000_000  # 2026-03-05 in Madrid
CONSENT = "I accept offer AF-2026-0118 with the options that I chose, its total and its terms."
AGENT = (
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36"
)
VERIFY = "https://offers.example/verify"


def drawing() -> bytes:
    picture = Image.new("RGB", (480, 160), "white")
    strokes = [
        (20, 120),
        (60, 30),
        (95, 125),
        (130, 60),
        (150, 120),
        (200, 90),
        (240, 110),
        (300, 40),
        (330, 120),
        (450, 80),
    ]
    ImageDraw.Draw(picture).line(strokes, fill="#1b2a6b", width=5, joint="curve")
    stored = io.BytesIO()
    picture.save(stored, "PNG")
    return stored.getvalue()


def acceptance(document: Document | None = None, sent: str | None = None, **more: Any) -> Accepted:
    paper = document or builders.document()
    chosen = doc.digest_of(paper)
    said: dict[str, Any] = {
        "consent": CONSENT,
        "consent_digest": sha256(CONSENT.encode()).hexdigest(),
        "document_digest": sent or chosen,
        "chosen_digest": chosen,
    }
    first = Signed(
        ordinal=1, name="Lucía Ferrer", email="lucia@horno.example", method=DRAWN, at=AT - 3_600_000,
        address="203.0.113.7", agent=AGENT, picture_sha256=sha256(drawing()).hexdigest(), **said,
    )  # fmt: skip
    second = Signed(
        ordinal=2, name="Álvaro Ruiz", email=None, method=TYPED, at=AT, address="2001:db8::17", agent=None, **said
    )
    made = Accepted(
        proposal_key="prop-a", version=paper.version, document_digest=sent or chosen, document=paper,
        signatures=(first, second), accepted_at=AT,
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def told(value: Accepted, final: str = "f" * 64, events: int = 12) -> Testimony:
    kinds = ("sent", "mailed", "opened", "asked", "answered", "signed", "accepted")
    happened = tuple(
        Happened(
            n=n, version=1, at=AT - 86_400_000 + n * 60_000, kind=kinds[n % len(kinds)], who="Lucía Ferrer",
            address="203.0.113.7", agent=AGENT if n % 2 else None, digest=sha256(str(n).encode()).hexdigest(),
        )
        for n in range(1, events + 1)
    )  # fmt: skip
    return Testimony(
        number=value.document.number or "", accepted=value, accepted_digest=accepted.digest_of(value),
        original_pdf="a" * 64, final_pdf=final, key_certificate="c" * 64, events=happened,
    )  # fmt: skip


def final_order(value: Accepted, template: str = "classic") -> Order:
    assets = {sha256(drawing()).hexdigest(): drawing()}
    body = Evidence(accepted.canonical(value), VERIFY)
    return Order(doc.canonical(value.document), BUILT_IN[template], assets, "final", evidence=body)


def certificate_order(value: Accepted, final: str = "f" * 64, events: int = 12) -> Order:
    assets = {sha256(drawing()).hexdigest(): drawing()}
    body = Evidence(testimony.canonical(told(value, final, events)), VERIFY)
    return Order(doc.canonical(value.document), BUILT_IN["classic"], assets, "certificate", evidence=body)
