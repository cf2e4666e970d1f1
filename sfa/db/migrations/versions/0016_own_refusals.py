"""A person's own refusals of a status, the newest first, read off an index: nobody else's are passed on the way.

Layers are named by what they carry, no longer by a role: where there are profiles, scopes are reckoned anew at the
first push, pull or job, and the job that ages rows takes them to the layers of the new names.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_refusals_author_key_status_created_at_key"),
        "refusals",
        ["author_key", "status", "created_at", "key"],
    )
    op.drop_index(op.f("ix_refusals_author_key"), table_name="refusals")
    op.drop_index(op.f("ix_refusals_status_created_at_key"), table_name="refusals")
    op.execute("UPDATE clock SET due_at = 0 WHERE EXISTS (SELECT 1 FROM device_profiles)")
