"""The sealed files of an acceptance, for whoever has a link to it."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from proposals.buyer.links import Link
from proposals.evidence.accepted import accepted_of
from proposals.evidence.filing import CERTIFICATE, FINAL, name_of
from proposals.evidence.queue import SEALED
from sfa.db.tables import proposal_answers
from sfa.files.download_routes import Found, kept

_A = proposal_answers.c


class SealedFiles(NamedTuple):
    """`state` is queued, sealing, sealed or failed; contents are there once it is sealed, to be served as they are."""

    state: str
    final: Found | None = None
    certificate: Found | None = None
    stamped: bool = False


def files_of(connection: Connection, link: Link) -> SealedFiles | None:
    """Of the version that the link is to; None where nothing was accepted. The caller has checked the link."""
    columns = (_A.seal_state, _A.document, _A.final_sha256, _A.certificate_sha256, _A.stamped)
    here = (_A.proposal_key == link.proposal_key, _A.version == link.version, _A.seal_state.is_not(None))
    row = connection.execute(select(*columns).where(*here)).first()
    if row is None:
        return None
    if row.seal_state != SEALED:
        return SealedFiles(row.seal_state)
    accepted = accepted_of(bytes(row.document))
    return SealedFiles(
        row.seal_state,
        kept(connection, row.final_sha256, name_of(accepted, FINAL)),
        kept(connection, row.certificate_sha256, name_of(accepted, CERTIFICATE)),
        bool(row.stamped),
    )
