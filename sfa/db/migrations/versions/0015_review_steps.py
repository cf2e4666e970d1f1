"""Reviews in steps (S31): how far each came. What an earlier version stopped in the middle can be decided again."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

drains = sa.table(
    "drains",
    *(sa.column(name) for name in ("device_key", "drain", "part", "decision", "decided_at", "decided_by")),
    sa.column("applied_as"),
    sa.column("result", sa.JSON()),
)


def upgrade() -> None:
    op.add_column("drains", sa.Column("progress", sa.Text(), nullable=True))
    repair(op.get_bind())


def repair(connection: sa.Connection) -> None:
    undecided = {"decision": None, "decided_at": None, "decided_by": None, "applied_as": None, "result": sa.null()}
    query = sa.select(drains.c.device_key, drains.c.drain, drains.c.part, drains.c.result)
    for row in connection.execute(query.where(drains.c.decision.is_not(None))).all():
        own = (drains.c.device_key == row.device_key, drains.c.drain == row.drain, drains.c.part == row.part)
        if row.result is None:  # a decision without a result is one that is being carried out
            connection.execute(sa.update(drains).where(*own).values(result={"outcomes": {}}))
        elif row.result.get("stopped") is not None:  # what it took before it stopped is told again, not taken again
            connection.execute(sa.update(drains).where(*own).values(undecided))
