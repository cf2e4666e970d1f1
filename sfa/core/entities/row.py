"""What every row has."""

from msgspec import Struct

from sfa.core.fields import Instant, UserRef


class Row(Struct, frozen=True, kw_only=True):
    """What every entity has; both fields are set by the server."""

    created_at: Instant | None = None
    created_by: UserRef | None = None
