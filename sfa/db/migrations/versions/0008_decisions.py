"""What waits for a decision is listed by status, the newest first."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("refusals", "conflicts", "suggestions"):
        columns = ["status", "created_at", "key"]
        op.create_index(op.f(f"ix_{table}_status_created_at_key"), table, columns, unique=False)
