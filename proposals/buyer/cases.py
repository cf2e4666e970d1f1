"""What is stored of a version that somebody has a link to: read to show it, or under locks to answer it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, and_, select

from proposals import store
from proposals.buyer.deciding import Case, Given, Signer
from proposals.buyer.links import STAFF, Link
from proposals.document import Document
from proposals.evidence.accepted import Signed
from proposals.store import Version
from sfa.core.errors import Refused
from sfa.core.pricing.choosing import Choices
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import ROWS, proposal_answers, proposal_events, proposal_signatures

_S, _A, _E = proposal_signatures.c, proposal_answers.c, proposal_events.c
_P, _D, _R = ROWS["proposals"].c, ROWS["deals"].c, ROWS["proposal_recipients"].c
_T = ROWS["stages"].c
NO_CHOICES = Choices()


class Answer(Struct, frozen=True, kw_only=True):
    """How a version ended, where its buyer or its last day ended it."""

    kind: str
    at: int
    recipient_key: str | None
    by: str | None
    reason: str | None
    digest: str | None
    net_minor: int | None
    total_minor: int | None


class Found(Struct, frozen=True, kw_only=True):
    """`newest` is the last version that was sent. `choices` are those of the first signer, null while nobody signed."""

    link: Link
    case: Case
    document: Document
    version: Version
    newest: int
    choices: Choices | None
    answer: Answer | None
    recipients: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """Of who has the link, as the proposal says it."""
        mine = (one["name"] for one in self.recipients if one["key"] == self.link.recipient_key)
        return next(mine, self.document.buyer.person)


def found(connection: Connection, link: Link) -> Found:
    """Refuses `not_found` of what was never sent."""
    versions = store.versions_of(connection, link.proposal_key)
    version = next((one for one in versions if one.version == link.version), None)
    if version is None:
        raise Refused("not_found")
    document = store.document_of(connection, link.proposal_key, link.version)
    recipients = _recipients(connection, link.proposal_key)
    signed = signatures_of(connection, link.proposal_key, link.version)
    named = [Signer(key=r["key"], name=r["name"], position=r["position"]) for r in recipients if r["role"] == "signer"]
    mine = next((one for one in recipients if one["key"] == link.recipient_key), None)
    case = Case(
        status=version.status,
        valid_until=version.valid_until,
        zone=document.zone,
        deal_ended=_deal_ended(connection, link.proposal_key),
        named=tuple(named),
        signed=tuple(Given(key=row["recipient_key"], name=row["name"], at=row["at"]) for row in signed),
        me=link.signer,
        was_named=_was_named(connection, link),
        is_reader=link.recipient_key is not None and (mine is None or mine["role"] != "signer"),
        is_staff=link.kind == STAFF,
    )
    return Found(
        link=link,
        case=case,
        document=document,
        version=version,
        newest=versions[0].version,
        choices=msgspec.json.decode(bytes(signed[0]["choices"]), type=Choices) if signed else None,
        answer=answer_of(connection, link.proposal_key, link.version),
        recipients=tuple(recipients),
    )


def answer_of(connection: Connection, key: str, version: int) -> Answer | None:
    columns = [_A[name] for name in Answer.__struct_fields__]
    query = select(*columns).where(_A.proposal_key == key, _A.version == version)
    row = connection.execute(query).mappings().first()
    return Answer(**row) if row is not None else None


def signatures_of(connection: Connection, key: str, version: int) -> Sequence[Any]:
    """In the order in which they were given."""
    query = select(proposal_signatures).where(_S.proposal_key == key, _S.version == version)
    return connection.execute(query.order_by(_S.ordinal)).mappings().all()


def told_of(row: Any, picture_sha256: str | None) -> Signed:
    """A stored signature as the certificate tells it."""
    same = {name: row[name] for name in Signed.__struct_fields__ if name != "picture_sha256"}
    return Signed(**same, picture_sha256=picture_sha256)


def _recipients(connection: Connection, key: str) -> list[dict[str, Any]]:
    columns = (_R.key, _R.name, _R.email, _R.language, _R.role, _R.position)
    query = select(*columns).where(_R.proposal_key == key, ~_R.gone).order_by(_R.position, _R.key)
    return [dict(row) for row in connection.execute(query).mappings()]


def _was_named(connection: Connection, link: Link) -> bool:
    """Whether the version was sent to somebody who signs, whoever was taken off since."""
    here = (_E.proposal_key == link.proposal_key, _E.version == link.version, _E.kind == timeline.SENT)
    details = connection.execute(select(_E.detail).where(*here)).scalars()
    told = [one for detail in details for one in msgspec.json.decode(bytes(detail)).get("recipients", ())]
    return any(one.get("role") == "signer" for one in told)


def _deal_ended(connection: Connection, key: str) -> bool:
    """Whether the deal was lost or deleted, or the proposal was."""
    stage = and_(_T.key == _D.stage_key, ~_T.gone)
    query = (
        select(_D.gone, _D.closed_at, _D.lost_reason, _T.kind, _P.gone.label("taken_back"))
        .select_from(_P.key.table.join(_D.key.table, _D.key == _P.deal_key).outerjoin(_T.key.table, stage))
        .where(_P.key == key)
    )
    row = connection.execute(query).first()
    if row is None or row.gone or row.taken_back:
        return True
    lost = row.kind == "lost" if row.kind is not None else row.lost_reason is not None
    return row.closed_at is not None and lost
