"""What is said of a person and is not his to read, wherever rows are read at a screen (R25).

A figure that a manager put in the place of somebody's own lies where the managers of his team see it. Whoever comes to
manage his own team, or manages one above it, holds that place as well and still is not told what was said of himself,
unless the policy shows such figures. Devices carry none of them (`sfa.core.profiles.is_online_only`).
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, true

from sfa.core.access import SEES_EVERYTHING
from sfa.core.profiles import OF_PEOPLE
from sfa.db.tables import ROWS


def not_of(connection: Connection, entity: str, columns: Any, user_key: str) -> ColumnElement[bool]:
    """Of the rows of an entity, by a table's or a subquery's columns, those that may be told to a person."""
    if entity != OF_PEOPLE or _is_shown(connection) or _role(connection, user_key) in SEES_EVERYTHING:
        return true()
    return or_(columns.level != "manager", columns.user_key.is_distinct_from(user_key))


def _is_shown(connection: Connection) -> bool:
    """Whether people may know what their managers say of them."""
    policies = ROWS["forecast_policies"].c
    query = select(policies.manager_figures).where(~policies.gone).order_by(policies.key).limit(1)
    return bool(connection.execute(query).scalar() == "shown")


def _role(connection: Connection, user_key: str) -> str | None:
    users = ROWS["users"].c
    found: str | None = connection.execute(select(users.role).where(users.key == user_key)).scalar()
    return found
