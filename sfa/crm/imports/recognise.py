"""Which planned rows the company has already under keys of its own.

An external id is the identity of an imported row. Where a live row has it under another key (somebody typed the product
in before the import), the plan is rewritten to that key, references too. A currency is recognised by its code, and
there is one organisation. Two live rows with one external id are a fault: nobody can say which is meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sfa.core.shapes import SHAPES
from sfa.crm.imports.plan import Planned
from sfa.crm.imports.table import Fault
from sfa.db.cells import KEYS_PER_QUERY
from sfa.db.tables import ROWS

IDENTITY = {
    "currencies": "code",
    **dict.fromkeys(("users", "teams", "territories", "products", "stages", "accounts", "deals"), "external_id"),
}
# The place of a team or territory in its tree is not planned anew where the company has placed it already.
EDGES = {"team_edges": "team_key", "territory_edges": "territory_key"}

Known = Mapping[tuple[str, str], str]  # (entity, planned key) -> key of the company's own row


def recognise(connection: Connection, plan: Sequence[Planned]) -> tuple[list[Planned], list[Fault]]:
    """The plan under the keys that the company has; without the rows that cannot be told apart, which are faults."""
    known: dict[tuple[str, str], str] = {}
    faults: list[Fault] = []
    unclear: set[tuple[str, str]] = set()
    for row, keys in _found(connection, plan):
        if len(keys) > 1:
            text = f"{row.entity}: {', '.join(sorted(keys)[:5])} have this external id"
            faults.append(Fault(row.file, row.line, IDENTITY[row.entity], "duplicate_external_id", text))
            unclear.add((row.entity, row.key))
        elif row.key not in keys:
            known[row.entity, row.key] = min(keys)
    organisation = _organisation(connection)
    if organisation is not None:
        known["organisations", "organisation"] = organisation
    rows = [row for row in plan if (row.entity, row.key) not in unclear]
    if not known:
        return rows, faults
    return [_under(row, known) for row in rows if not _is_placed(row, known)], faults


def _found(connection: Connection, plan: Iterable[Planned]) -> list[tuple[Planned, set[str]]]:
    """The planned rows whose identity some live row of the company has, with the keys of these."""
    sought: dict[str, dict[str, Planned]] = {}
    for row in plan:
        field = IDENTITY.get(row.entity)
        if field is not None and row.once.get(field) is not None:
            sought.setdefault(row.entity, {})[row.once[field]] = row
    found: dict[tuple[str, str], set[str]] = {}
    for entity, of in sought.items():
        table = ROWS[entity]
        column = table.c[IDENTITY[entity]]
        wanted = sorted(of)
        for start in range(0, len(wanted), KEYS_PER_QUERY):
            part = wanted[start : start + KEYS_PER_QUERY]
            query = select(table.c.key, column).where(column.in_(part), ~table.c.gone)
            for key, identity in connection.execute(query):
                found.setdefault((entity, identity), set()).add(key)
    return [(sought[entity][identity], keys) for (entity, identity), keys in sorted(found.items())]


def _organisation(connection: Connection) -> str | None:
    table = ROWS["organisations"]
    found = connection.execute(select(table.c.key).where(~table.c.gone).order_by(table.c.key).limit(1)).scalar()
    return str(found) if found is not None else None


def _is_placed(row: Planned, known: Known) -> bool:
    child = EDGES.get(row.entity)
    return child is not None and (SHAPES[row.entity].references[child], row.once[child]) in known


def _under(row: Planned, known: Known) -> Planned:
    key = known.get((row.entity, row.key), row.key)
    return msgspec.structs.replace(
        row, key=key, values=_led(row.entity, row.values, known), once=_led(row.entity, row.once, known)
    )


def _led(entity: str, values: dict[str, Any], known: Known) -> dict[str, Any]:
    targets = SHAPES[entity].references
    return {f: known.get((targets[f], v), v) if f in targets else v for f, v in values.items()}
