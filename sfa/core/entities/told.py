"""What the server tells of edits: refused, in conflict, suggested, handed over. People settle them by commands."""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import Count, Share, Short, UserRef


class Refusal(Row, frozen=True, kw_only=True):
    """A mutation that was refused, kept whole where its author can repair it (S19). `details` are those of its receipt:
    which field, which key. `repairs_key`: it tried to repair that one. `repaired_with`: the key and `set` that landed,
    `repaired_by` its mutation (`device.n`) or `screen`."""

    author_key: UserRef
    device_key: Short
    n: Count
    entity: Short
    row_key: Short
    kind: Short
    code: Short
    text: Annotated[str, Meta(max_length=2000)]
    depends_on_n: Count | None = None
    mutation: Any = None
    status: Annotated[str, Meta(pattern=r"^(open|repaired|dismissed)\Z")] = "open"
    repairs_key: Short | None = None
    repaired_by: Short | None = None
    repaired_with: Any = None
    details: Any = None


class Conflict(Row, frozen=True, kw_only=True):
    """Two edits of one meaning met: what stands, what lost and who wrote it. `open` asks for a decision,
    `closed` was decided by the strategy, `restored` and `dismissed` by a person. The losing value is never deleted.
    `other_key` is null: of two visits that contradict each other (R13) it names one, because not everybody who sees
    that one sees the other (S13)."""

    entity: Short
    row_key: Short
    field_group: Short
    strategy: Short
    losing: Any = None
    standing: Any = None
    author_key: UserRef | None = None
    device_key: Short | None = None
    n: Count | None = None
    reason: Short = "concurrent"
    status: Annotated[str, Meta(pattern=r"^(open|closed|restored|dismissed)\Z")] = "open"
    other_key: Short | None = None


class Suggestion(Row, frozen=True, kw_only=True):
    """A person decides: is it a `duplicate` of `other_key` (S30)? Does a `handover` (S37) land, `{"mutation", "at"}` of
    the row or of what is new below it? `after_key` is decided first, `also_in` says where else it lies."""

    entity: Short
    row_key: Short
    other_key: Short
    kind: Annotated[str, Meta(pattern=r"^(duplicate|handover)\Z")]
    score_bp: Share
    reasons: Annotated[list[Short], Meta(max_length=20)] = []
    status: Annotated[str, Meta(pattern=r"^(open|accepted|declined|withdrawn)\Z")] = "open"
    author_key: UserRef | None = None
    device_key: Short | None = None
    mutations: Any = None
    also_in: Short | None = None
    after_key: Short | None = None
    reason: Annotated[str, Meta(max_length=2000)] | None = None
    decided_by: UserRef | None = None


class Handover(Row, frozen=True, kw_only=True):
    """What its author sees of a hand-over, under the key of its suggestion: what he sent, and what was decided."""

    author_key: UserRef
    device_key: Short
    n: Count
    entity: Short
    row_key: Short
    kind: Short
    mutations: Any = None
    status: Annotated[str, Meta(pattern=r"^(open|accepted|declined)\Z")] = "open"
    reason: Annotated[str, Meta(max_length=2000)] | None = None
    decided_by: UserRef | None = None
