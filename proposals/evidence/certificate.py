"""What is printed of an acceptance: the final PDF, which is the document as it was chosen and a page of its signatures,
and the certificate, which tells how it came to be.

Both are made of values and of nothing else, so that they are the same bytes each time until they are sealed. Amounts
are the document's own text (R50); the final PDF is printed by the template that was kept with the version. The page and
the certificate are the product's own: no company's template reaches them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from msgspec import Struct

from proposals.document import Document
from proposals.evidence.accepted import DRAWN, Accepted, Signed, accepted_of
from proposals.evidence.testimony import Happened, read_testimony
from proposals.evidence.words import Say, say_in
from proposals.templates.branding import colours_css
from proposals.templates.faces import faces_css
from proposals.templates.formats import day
from proposals.templates.html import More, html_of
from proposals.templates.paper import page_css
from proposals.templates.reading import sheet_of
from proposals.templates.rich import clean, plain
from proposals.templates.template import BUILT_IN, Template, read
from sfa.db import proposal_timeline as timeline

PAGES = Path(__file__).parent / "pages"
EVENTS_SHOWN = 400  # of a certificate: the first half and the last; all are embedded
FINAL_JSON, CERTIFICATE_JSON = "accepted.json", "evidence.json"
KINDS: dict[str, str] = {
    timeline.SENT: "Offer sent",
    timeline.MAILED: "Link mailed",
    timeline.BOUNCED: "Mail came back",
    timeline.OPENED: "Offer opened",
    timeline.DOWNLOADED: "PDF downloaded",
    timeline.ASKED: "Question asked",
    timeline.ANSWERED: "Question answered",
    timeline.SIGNED: "Signed",
    timeline.ACCEPTED: "Accepted",
    timeline.DECLINED: "Declined",
    timeline.EXPIRED: "Expired",
    timeline.WITHDRAWN: "Withdrawn",
    timeline.SUPERSEDED: "Superseded by a newer version",
    timeline.SEALED: "Final PDF sealed",
    timeline.LINKED: "Link made",
    timeline.REVOKED: "Link revoked",
    timeline.OPTED_OUT: "Reminders stopped",
    timeline.RECIPIENTS: "Signers changed",
}


class Printed(NamedTuple):
    """What goes to the press, and what the file has beside its pages; `made_at` in ms."""

    html: str
    title: str
    made_at: int
    name: str
    description: str
    seal: str


class Mark(Struct, frozen=True, kw_only=True):
    """A signature as it is shown: `drawn` is the address of its picture, or empty."""

    heading: str
    name: Markup
    drawn: str
    alt: str
    facts: tuple[tuple[str, Markup], ...]
    consent: Markup


class Row(Struct, frozen=True):
    n: int
    at: str
    kind: str
    who: Markup
    where: Markup
    digest: str


def final(document: Document, template: Template, body: bytes, verify_url: str) -> Printed:
    """`body` is the canonical JSON of an `Accepted`, `document` the one in it."""
    accepted = accepted_of(body)
    say = say_in(document.language)
    values = {**_common(document, accepted, verify_url), "digests": _digests(accepted, say)}
    more = More(_page("acceptance.html.j2", values), page_file("evidence.css"))
    title = f"{document.number} · {clean(document.title)}"
    seal = say("Seal of %(seller)s", seller=clean(document.seller.name))
    html = html_of(document, template, "print", more=more)
    return Printed(html, title, accepted.accepted_at, FINAL_JSON, say("Acceptance as data (accepted.json)"), seal)


def certificate(document: Document, _template: Template, body: bytes, verify_url: str) -> Printed:
    """`body` is the canonical JSON of a `Testimony`, `document` the one that was accepted."""
    told = read_testimony(body)
    accepted, say = told.accepted, say_in(document.language)
    rows = _digests(accepted, say)[:1]
    if told.original_pdf is not None:
        rows.append((say("Offer as a PDF, as it was sent (original.pdf)"), told.original_pdf))
    rows += _digests(accepted, say)[1:]
    rows.append((say("Acceptance as data (accepted.json)"), told.accepted_digest))
    rows.append((say("Final PDF with its seal (final.pdf)"), told.final_pdf))
    rows.append((say("Certificate of the sealing key"), told.key_certificate))
    values = {**_common(document, accepted, verify_url), "digests": rows}
    values |= {"rows": _rows(told.events, document, say), "left_out": len(told.events) > EVENTS_SHOWN}
    values |= {"count": len(told.events), "total_rows": sheet_of(document).rows}
    html = _page("certificate.html.j2", values)
    faces = faces_css(html + document.brand.footer)
    css = [faces, read("shared.css"), colours_css(document.brand), read("paper.css"), read("classic.css")]
    css += [page_file("evidence.css"), page_css(document, BUILT_IN["classic"])]
    html = html.replace("<!--styles-->", "<style>\n" + "\n".join(css) + "\n</style>", 1)
    title = f"{say('Certificate of acceptance')} · {document.number}"
    seal = say("Seal of %(seller)s", seller=clean(document.seller.name))
    return Printed(html, title, accepted.accepted_at, CERTIFICATE_JSON, say("What happened"), seal)


def moment(at_ms: int, zone: str, language: str) -> str:
    """To the second, with what the zone differs: `March 4, 2026, 10:15:02 (UTC+01:00)`."""
    try:
        there: tzinfo = ZoneInfo(zone)
    except (ValueError, KeyError, OSError):  # a zone that this machine does not know
        there = UTC
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(there)
    offset = local.strftime("%z")
    return f"{day(local.date().isoformat(), language)}, {local:%H:%M:%S} (UTC{offset[:3]}:{offset[3:5]})"


def _common(document: Document, accepted: Accepted, verify_url: str) -> dict[str, Any]:
    say = say_in(document.language)
    at = moment(accepted.accepted_at, document.zone, document.language)
    named = {"buyer": plain(document.buyer.name), "number": clean(document.number or ""), "version": document.version}
    return {
        "_": say,
        "sheet": sheet_of(document),
        "said": say("%(buyer)s accepted offer %(number)s, version %(version)s, on %(at)s.", **named, at=at),
        "accepted_on": at,
        "zone": clean(document.zone),
        "marks": [_mark(signed, accepted, document, say) for signed in accepted.signatures],
        "verify_url": verify_url,
    }


def _mark(signed: Signed, accepted: Accepted, document: Document, say: Say) -> Mark:
    count, name = len(accepted.signatures), plain(signed.name)
    heading = say("Signature %(n)s of %(all)s", n=signed.ordinal, all=count) if count > 1 else say("Signature")
    how = say("by drawing the signature") if signed.method == DRAWN else say("by typing the name")
    facts = [(say("Name"), name)]
    if signed.handed_over:
        facts.append((say("Link"), plain(say("handed over by %(seller)s", seller=clean(document.seller.name)))))
    elif signed.email:
        facts.append((say("Link"), plain(say("mailed to %(address)s", address=clean(signed.email)))))
    facts.append((say("Signed on"), escape(moment(signed.at, document.zone, document.language))))
    facts.append((say("How"), escape(how)))
    facts.append((say("Address"), plain(signed.address or say("not known"))))
    facts.append((say("Browser"), plain(signed.agent or say("not known"))))
    return Mark(
        heading=heading,
        name=name,
        drawn=f"asset:{signed.picture_sha256}" if signed.picture_sha256 else "",
        alt=say("Drawn signature of %(name)s", name=clean(signed.name)),
        facts=tuple(facts),
        consent=plain(signed.consent),
    )


def _digests(accepted: Accepted, say: Say) -> list[tuple[str, str]]:
    """(what, digest) of what an acceptance is about; of signers who agreed to one text, it once."""
    found = [(say("Offer as it was sent (document.json)"), accepted.document_digest)]
    for signed in accepted.signatures:
        found.append((say("Offer with the options that were chosen"), signed.chosen_digest))
        found.append((say("Text that was agreed to"), signed.consent_digest))
        if signed.picture_sha256 is not None:
            found.append((say("Drawn signature (PNG)"), signed.picture_sha256))
    return list(dict.fromkeys(found))


def _rows(events: Sequence[Happened], document: Document, say: Say) -> list[Row]:
    half = EVENTS_SHOWN // 2
    shown = events if len(events) <= EVENTS_SHOWN else (*events[:half], *events[-half:])
    return [
        Row(
            n=event.n,
            at=moment(event.at, document.zone, document.language),
            kind=say(KINDS[event.kind]) if event.kind in KINDS else clean(event.kind),
            who=plain(event.who or "—"),
            where=plain(" · ".join(each for each in (event.address, event.agent) if each)),
            digest=event.digest,
        )
        for event in shown
    ]


def _page(name: str, values: dict[str, Any]) -> str:
    return str(environment().get_template(name).render(values))  # HTML, to be put together with more of it


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Of the product's own pages."""
    return Environment(
        loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@lru_cache(maxsize=4)
def page_file(name: str) -> str:
    return (PAGES / name).read_text("utf-8")
