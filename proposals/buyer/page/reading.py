"""What the prospect's page shows, read in one snapshot: the kept document, what stands, questions, what is new.

Reading changes nothing, whoever reads. A token that was never given, was revoked or is over finds nothing, and takes
the same one statement to find it.
"""

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import Connection, select

from proposals import store
from proposals.buyer import answering, changes, links, questions
from proposals.buyer.answering import Standing
from proposals.buyer.changes import Change
from proposals.buyer.choosing import chosen
from proposals.buyer.consent import consent_of
from proposals.buyer.consent import digest_of as digest_of_text
from proposals.buyer.links import STAFF, Link
from proposals.buyer.page.view import choices_of
from proposals.buyer.questions import Question
from proposals.document import Document
from proposals.lifecycle import ACCEPTED
from proposals.printable import pictures_of
from proposals.rendering import keeping
from proposals.templates.formats import money
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.pricing.choosing import Choices
from sfa.db.tables import ROWS, proposal_answers, proposal_enclosures, proposal_versions
from sfa.files.download_routes import Found, kept

NOTHING = Choices()
FINAL, CERTIFICATE = "final", "certificate"
_R, _E, _A = ROWS["proposal_recipients"].c, proposal_enclosures.c, proposal_answers.c
Fields = Mapping[str, list[str]]
Said = Fields | Choices | None  # what somebody chose


class Look(Struct, frozen=True, kw_only=True):
    """`sent` is the document as it was sent, `shown` with the options that are taken. `newer` is the token of the link
    to the version that stands now. `choice_code` says why what somebody chose cannot be had."""

    link: Link
    sent: Document
    shown: Document
    digest: str
    standing: Standing
    choices: Choices
    newer: str | None
    is_sealed: bool
    questions: tuple[Question, ...]
    changes: tuple[Change, ...]
    before: Document | None
    opted_out: bool
    choice_code: str | None = None

    @property
    def is_staff(self) -> bool:
        return self.link.kind == STAFF

    @property
    def total(self) -> str:
        return money(self.shown.priced.total_minor, self.shown.currency, self.shown.language)

    @property
    def consent(self) -> str:
        return consent_of(self.shown)

    @property
    def consent_digest(self) -> str:
        return digest_of_text(self.consent)

    @property
    def may_choose(self) -> bool:
        """Nobody has signed yet, and this link may."""
        return self.standing.may_sign and self.standing.choices is None


def look(connection: Connection, now_ms: int, key: bytes, link: Link, said: Said = None) -> Look:
    """`said` is what somebody chose, as the fields of a form or by key; what cannot be had leaves it as it was sent."""
    sent = store.document_of(connection, link.proposal_key, link.version)
    standing = answering.standing(connection, now_ms, link)
    choices, code = standing.choices or NOTHING, None
    shown = sent
    offer = store.offer_of(connection, link.proposal_key, link.version)
    try:
        if standing.choices is None and said is not None:
            choices = said if isinstance(said, Choices) else fields_chosen(sent, said)
        shown = chosen(sent, offer, choices)
    except Refused as refused:
        if refused.code != "choice_invalid" or standing.choices is not None:
            raise
        choices, code = NOTHING, refused.code
    previous = changes.previous_of(connection, link)
    before = store.document_of(connection, link.proposal_key, previous) if previous is not None else None
    newer = standing.newest_link
    return Look(
        link=link,
        sent=sent,
        shown=shown,
        digest=_digest(connection, link),
        standing=standing,
        choices=choices,
        newer=links.token_of(key, newer.link_key) if newer is not None else None,
        is_sealed=_sealed(connection, link, FINAL) is not None,
        questions=tuple(questions.of_version(connection, link.proposal_key, link.version)),
        changes=tuple(changes.between(before, sent)) if before is not None else (),
        before=before,
        opted_out=_opted_out(connection, link),
        choice_code=code,
    )


def fields_chosen(sent: Document, said: Fields) -> Choices:
    """What a form says of the options of a document. Refuses `choice_invalid`."""

    def one(name: str) -> str | None:
        return said[name][-1] if said.get(name) else None

    return choices_of(sent, one, frozenset(said.get("take", ())))


def _digest(connection: Connection, link: Link) -> str:
    here = proposal_versions.c
    this = (here.proposal_key == link.proposal_key, here.version == link.version)
    digest: str = connection.execute(select(here.digest).where(*this)).scalar_one()
    return digest


def _opted_out(connection: Connection, link: Link) -> bool:
    if link.recipient_key is None:
        return True  # nobody reminds whoever a link was handed to
    query = select(_R.opted_out_at).where(_R.key == link.recipient_key)
    return connection.execute(query).scalar() is not None


# -- files -------------------------------------------------------------------------------------------------------------


def pdf_of(connection: Connection, link: Link) -> Found:
    """What was printed when it was sent. Refuses `file_awaited` until it is."""
    printed = keeping.of_version(connection, link.proposal_key, link.version)
    return kept(connection, printed.sha256, keeping.file_name("", printed.number, link.version))


def enclosure_of(connection: Connection, link: Link, sha256: str) -> Found:
    """One of the files that went with the version, as it was then."""
    document = store.document_of(connection, link.proposal_key, link.version)
    name = next((file.name for file in document.enclosures if file.sha256 == sha256), None)
    of = (_E.proposal_key == link.proposal_key, _E.version == link.version, _E.sha256 == sha256)
    if name is None or not is_key(sha256) or connection.execute(select(_E.sha256).where(*of)).first() is None:
        raise Refused("not_found")
    return kept(connection, sha256, name)


def picture_of(connection: Connection, link: Link, sha256: str) -> Found:
    """One that the document shows, and no other."""
    document = store.document_of(connection, link.proposal_key, link.version)
    if sha256 not in {picture.sha256 for picture in pictures_of(document)}:
        raise Refused("not_found")
    return kept(connection, sha256, sha256[:12])


def sealed_of(connection: Connection, link: Link, which: str) -> Found:
    """The sealed PDF of what was accepted (`FINAL`), or its `CERTIFICATE`. Refuses `file_awaited` until they are made,
    and `not_found` where nothing was accepted."""
    number, kind = _numbered(connection, link)
    if kind != ACCEPTED:
        raise Refused("not_found")
    sha256 = _sealed(connection, link, which)
    if sha256 is None:
        raise Refused("file_awaited")
    return kept(connection, sha256, keeping.file_name("", f"{number} {which}", link.version))


def _sealed(connection: Connection, link: Link, which: str) -> str | None:
    column = _A.final_sha256 if which == FINAL else _A.certificate_sha256
    query = select(column).where(_A.proposal_key == link.proposal_key, _A.version == link.version)
    found: str | None = connection.execute(query).scalar()
    return found


def _numbered(connection: Connection, link: Link) -> tuple[str, str | None]:
    """The number of what was sent, and how its buyer ended it."""
    here = proposal_versions.c
    ended = (_A.proposal_key == here.proposal_key) & (_A.version == here.version)
    query = select(here.number, _A.kind).join_from(proposal_versions, proposal_answers, ended, isouter=True)
    number, kind = connection.execute(
        query.where(here.proposal_key == link.proposal_key, here.version == link.version)
    ).one()
    return number, kind
