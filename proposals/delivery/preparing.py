"""What a mail needs before it is sent, read and made in one short transaction: may it go, to whom, with which link.

A mail that is of no use any more is dropped with a code that says why: its version is over, its recipient is another
one by now, somebody wants no mail. The link is made here, before the mail leaves, so that no process that dies loses
it; only an offer makes one, and none that was asked for before a link was revoked, so that such a link does not come
back with the next try or reminder.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, Select, or_, select

from proposals import store
from proposals.buyer import links
from proposals.buyer.links import Link
from proposals.delivery import opting, outbox
from proposals.delivery.mails import Told
from proposals.delivery.outbox import ANSWERED, DECLINED, OFFER, QUESTION, REMINDER, SIGNED, Mail
from proposals.delivery.sending import OLDER, OVER, TO_DECIDE
from proposals.document import Document
from proposals.lifecycle import SUPERSEDED, WITH_BUYER
from proposals.store import Version
from sfa.core.days import day_start_ms, plus_days
from sfa.db.tables import ROWS, proposal_answers, proposal_links, proposal_signatures

GONE, CHANGED, WITHDRAWN, REVOKED = "recipient_gone", "recipient_changed", "consent_withdrawn", "link_revoked"
CLOSED, EXPIRED, ANSWERED_BY, BOUNCED = "proposal_closed", "proposal_expired", "proposal_answered", "address_bounced"
_P, _D, _R, _U = (ROWS[name].c for name in ("proposals", "deals", "proposal_recipients", "users"))
_Q = ROWS["proposal_questions"].c
_S, _A, _L = proposal_signatures.c, proposal_answers.c, proposal_links.c
Row = Mapping[str, Any]


class Ready(Struct, frozen=True):
    """What is said, and to which address."""

    told: Told
    to: str


class Site(Struct, frozen=True):
    """Where buyers reach the server, without a slash at its end, and the key that makes tokens."""

    base: str
    key: bytes

    def page(self, link: Link) -> str:
        return f"{self.base}/p/{links.token_of(self.key, link.link_key)}"


def prepare(connection: Connection, now_ms: int, mail: Mail, site: Site, link_key: str) -> Ready | str | None:
    """-> what to send, or the code why not, or None where somebody else has taken the mail over. `link_key` is that of
    the link that is made where there is none."""
    held = select(_P.deal_key, _P.gone, _P.version).where(_P.key == mail.proposal_key).with_for_update()
    proposal = _first(connection, held)
    if not outbox.beat(connection, now_ms, mail):
        return None
    if proposal is None:
        return OVER
    version = store.version_of(connection, mail.proposal_key, mail.version)
    document = store.document_of(connection, mail.proposal_key, mail.version)
    told = Told(kind=mail.kind, language=mail.language, document=document, to_name="")
    if mail.recipient_key is None:
        return _to_user(connection, mail, told)
    row = _first(connection, select(ROWS["proposal_recipients"]).where(_R.key == mail.recipient_key))
    code = _why_not(connection, now_ms, mail, proposal, version, document, row)
    if code is not None or row is None:
        return code or GONE
    if mail.kind in TO_DECIDE and _is_revoked(connection, mail):
        return REVOKED
    link = _link(connection, now_ms, mail, site, link_key)
    if link is None and mail.kind in (REMINDER, SIGNED):
        return REVOKED
    page = site.page(link) if link is not None else ""
    told = structs.replace(told, to_name=row["name"], role=row["role"], link=page, stop=f"{page}/stop" if page else "")
    return Ready(_with_news(connection, mail, told), mail.to_address)


def is_over(document: Document, now_ms: int) -> bool:
    """Its last day has passed in the zone that is printed on it (R47)."""
    return now_ms >= day_start_ms(plus_days(document.valid_until, 1), document.zone)


def _why_not(
    connection: Connection,
    now_ms: int,
    mail: Mail,
    proposal: Row,
    version: Version,
    document: Document,
    row: Row | None,
) -> str | None:
    if row is None or row["gone"]:
        return GONE
    if row["email"] != mail.to_address:
        return CHANGED
    if mail.kind not in (OFFER, REMINDER, SIGNED):
        return None  # what somebody asked for, or did himself
    if version.status not in WITH_BUYER:
        return OLDER if version.status == SUPERSEDED else OVER
    deal = connection.execute(select(_D.gone, _D.closed_at).where(_D.key == proposal["deal_key"])).first()
    if proposal["gone"] or deal is None or deal.gone or deal.closed_at is not None:
        return CLOSED
    if is_over(document, now_ms):
        return EXPIRED
    if row["contact_key"] and opting.withdrawn(connection, (row["contact_key"],), now_ms):
        return WITHDRAWN
    if mail.kind != REMINDER:
        return None
    if row["opted_out_at"] is not None:
        return opting.OPTED_OUT
    if row["state"] in ("signed", "declined"):
        return ANSWERED_BY
    return BOUNCED if row["state"] == "bounced" else None


def _is_revoked(connection: Connection, mail: Mail) -> bool:
    """Whether a link of this recipient, or all of the proposal (those of nobody are revoked with all alone), were
    revoked after the mail was asked for: within the same millisecond that is known by a link that was made after."""
    whose = or_(_L.recipient_key == mail.recipient_key, _L.recipient_key.is_(None))
    after = or_(_L.revoked_at > mail.asked_at, _L.made_at >= mail.asked_at)
    these = (_L.proposal_key == mail.proposal_key, _L.revoked_at.is_not(None), whose, after)
    return connection.execute(select(_L.link_key).where(*these).limit(1)).first() is not None


def _link(connection: Connection, now_ms: int, mail: Mail, site: Site, link_key: str) -> Link | None:
    given = links.of_version(connection, mail.proposal_key, mail.version)
    mine = (each for each in given if each.recipient_key == mail.recipient_key)
    found = next((each for each in mine if each.made_by is None), None)  # never one that somebody handed over
    if found is not None or mail.kind != OFFER:
        return found
    made = Link(
        link_key=link_key,
        proposal_key=mail.proposal_key,
        version=mail.version,
        recipient_key=mail.recipient_key,
        made_at=now_ms,
    )
    links.make(connection, site.key, made)
    return made


def _to_user(connection: Connection, mail: Mail, told: Told) -> Ready | str:
    if mail.user_key is None:
        return GONE
    user = connection.execute(select(_U.name, _U.email, _U.active, _U.gone).where(_U.key == mail.user_key)).first()
    if user is None or user.gone or not user.active:
        return GONE
    return Ready(_with_news(connection, mail, structs.replace(told, to_name=user.name, role="rep")), user.email)


def _with_news(connection: Connection, mail: Mail, told: Told) -> Told:
    """What happened, of the rows that keep it."""
    here = (mail.proposal_key, mail.version)
    if mail.kind in (QUESTION, outbox.ANSWER):
        key = mail.about.get("question_key")
        found = _first(connection, select(_Q.asked_by, _Q.text, _Q.answer).where(_Q.key == key))
        if found is not None:
            return structs.replace(told, name=found["asked_by"], text=found["text"], reply=found["answer"] or "")
    if mail.kind == SIGNED:
        signed = select(_S.name, _S.total_minor).where(_S.proposal_key == here[0], _S.version == here[1])
        found = _first(connection, signed.order_by(_S.ordinal.desc()).limit(1))
        if found is not None:
            return structs.replace(told, name=found["name"], total_minor=found["total_minor"])
    if mail.kind in (ANSWERED, DECLINED):
        query = select(_A.by, _A.reason, _A.total_minor).where(_A.proposal_key == here[0], _A.version == here[1])
        found = _first(connection, query)
        if found is not None:
            said = {"name": found["by"] or "", "text": found["reason"] or ""}
            return structs.replace(told, **said, total_minor=found["total_minor"])
    return told


def _first(connection: Connection, query: Select[Any]) -> Row | None:
    found = connection.execute(query).mappings().first()
    return dict(found) if found is not None else None
