"""Every table. `METADATA` is what Alembic compares the database with; `ROWS` finds an entity's table by its name."""

from sfa.db.tables.figures import closed_contributions, closed_figures, credited, credited_quantities
from sfa.db.tables.files import blobs, upload_parts, uploads
from sfa.db.tables.rest import idempotency_keys, import_runs, name_words
from sfa.db.tables.rows import METADATA, ROWS
from sfa.db.tables.sync import (
    bucket_heads,
    clock,
    clock_marks,
    devices,
    drains,
    feed,
    history,
    note_updates,
    receipts,
    redirects,
    scope_intervals,
    scope_users,
)
from sfa.db.tables.system import (
    calendar_tokens,
    credentials,
    erasures,
    job_runs,
    likeness_blocks,
    login_attempts,
    plan_horizons,
    refresh_tokens,
    server_state,
    wakes,
)

__all__ = [
    "METADATA",
    "ROWS",
    "blobs",
    "bucket_heads",
    "calendar_tokens",
    "clock",
    "clock_marks",
    "closed_contributions",
    "closed_figures",
    "credentials",
    "credited",
    "credited_quantities",
    "devices",
    "drains",
    "erasures",
    "feed",
    "history",
    "idempotency_keys",
    "import_runs",
    "job_runs",
    "likeness_blocks",
    "login_attempts",
    "name_words",
    "note_updates",
    "plan_horizons",
    "receipts",
    "redirects",
    "refresh_tokens",
    "scope_intervals",
    "scope_users",
    "server_state",
    "upload_parts",
    "uploads",
    "wakes",
]
