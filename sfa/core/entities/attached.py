"""Files that hang on customers: the row, which syncs before its bytes."""

from typing import Annotated

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import AccountRef, DealRef, Instant, Name, NoteRef, ProposalRef, UserRef, VisitRef

FILE_BYTES_MAX = 5 * 1024**4  # what any store could hold; a server says its own limit
MediaType = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+\-]{0,40}/[a-z0-9][a-z0-9.+\-]{0,80}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Pixels = Annotated[int, Meta(ge=0, le=1_000_000)]


class Attachment(Row, frozen=True, kw_only=True):
    """A file of a customer, or of its visit, deal or note; `sha256` (hex, of the whole) says which content. `stored`,
    `sniffed_type`, `width` and `height` are the server's, once the bytes are there (docs/files.md). With a
    `proposal_key` it is that proposal printed, which the server made: it lies with its deal, not with its customer."""

    account_key: AccountRef
    visit_key: VisitRef | None = None
    deal_key: DealRef | None = None
    note_key: NoteRef | None = None
    author_key: UserRef
    name: Name
    kind: Annotated[str, Meta(pattern=r"^(photo|receipt|document|signature|recording|other)\Z")] = "document"
    media_type: MediaType
    size: Annotated[int, Meta(ge=1, le=FILE_BYTES_MAX)]
    sha256: Sha256
    taken_at: Instant | None = None
    stored: bool = False
    sniffed_type: MediaType | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    proposal_key: ProposalRef | None = None
