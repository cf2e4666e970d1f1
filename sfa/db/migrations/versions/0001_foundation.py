"""The foundation: temporary, replaced by the explicit tables once the schema stands."""

import uuid

import sqlalchemy as sa
from alembic import op

from sfa.db.tables import METADATA

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
    op.get_bind().execute(
        sa.text("INSERT INTO clock (id, seq, epoch, horizon) VALUES (1, 0, :epoch, 0)"),
        {"epoch": uuid.uuid4().hex},
    )
    op.get_bind().execute(sa.text("INSERT INTO scope_users (user_key, seq) VALUES ('*', 0)"))
