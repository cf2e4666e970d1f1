"""A person erased (promise 1 of the protocol: erasure wins over everything), by an administrator, with the reason.

One transaction: the contact and every row merged into it are blanked and deleted; so is what conflicts, refusals,
hand-overs, consents and parts in deals say of the person; then the history of all these is blanked, the ledger is
written. Devices are told by the feed as of any change. What still comes in under those keys is refused (`erased`) and
its content is not kept. Asked again it finds nothing more to do, so an erasure may be repeated, and is, after a backup
was restored.

Does not do: texts in which somebody wrote about the person (notes, outcomes of visits), which are the customer's; the
documents and PDFs of proposals that were sent to the person (`proposal_versions`), which stay readable as the company's
record of what it offered, as do name and address of who signed one; and the raw parts that revoked devices drained.
`sfa.crm.person_export` says where they are.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Text, cast, or_, select

from sfa.core.erasing import ENTITY, blanked, without_person
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm import addressees, proposing
from sfa.crm.online import begin
from sfa.crm.rest import repeats
from sfa.db import erasures
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, redirects
from sfa.db.tables import erasures as ledger
from sfa.db.writes import Door, Origin
from sfa.files import arrivals

KIND = "erase"
REASON_MAX = 500
SETTLED = {"conflicts": "dismissed", "refusals": "dismissed", "suggestions": "withdrawn", "handovers": "declined"}


class Erased(Struct, frozen=True):
    """`keys` are all that led to the person; `survivor_key` the row that stood for all of them."""

    survivor_key: str
    keys: list[str]
    erased_at: int
    erased_by: str | None
    reason: str


def erase(connection: Connection, now_ms: int, user_key: str, key: str, reason: str) -> Erased:
    screen = begin(connection, now_ms, user_key)
    if screen.who.role != "admin":
        raise Refused("not_permitted", "an administrator erases people")
    if not reason.strip():
        raise Refused("request_invalid", "erasing needs a `reason`; do not name the person in it")
    return erase_person(screen.door, key, screen.origin, reason)


def erase_person(door: Door, key: str, origin: Origin, reason: str) -> Erased:
    """Without a look at rights: for administrators and the replay of the ledger."""
    connection = door.connection
    if not is_key(key):
        raise Refused("not_found")
    survivor = _erased_with(connection, key) or door.survivor(ENTITY, key)
    leads = select(redirects.c.loser_key).where(redirects.c.entity == ENTITY, redirects.c.survivor_key == survivor)
    with_it = select(ledger.c.key).where(ledger.c.entity == ENTITY, ledger.c.survivor_key == survivor)
    keys = {survivor, *connection.execute(leads).scalars(), *connection.execute(with_it).scalars()}
    door.load("accounts", door.peek(ENTITY, "account_key", keys), "share")
    door.load(ENTITY, keys)
    people = [door.cell(ENTITY, one) for one in sorted(keys)]
    if not any(cell.rev for cell in people):
        raise Refused("not_found")
    touched = [cell for cell in people if cell.rev]
    for cell in touched:
        _end(door, cell, blanked(ENTITY, cell.row), origin)
    facts = [
        cell
        for entity in ("consents", "deal_contacts", "campaign_touches")
        for cell in door.load_where(entity, "contact_key", keys)
    ]
    for cell in facts:
        _end(door, cell, blanked(cell.entity, cell.row), origin)
    sent_to, once_sent_to = addressees.forget(door, keys, origin)
    printed = proposing.forget_drafts(door, keys, origin)
    told = [*_about(door, keys, origin), *_kept(door, keys, origin), *sent_to]
    door.flush()
    arrivals.forget(connection, printed)
    for entity in sorted({cell.entity for cell in (*touched, *facts, *told)}):
        named = {cell.key for cell in (*touched, *facts, *told) if cell.entity == entity}
        erasures.blank_history(connection, entity, named)
    erasures.blank_history(connection, addressees.ENTITY, once_sent_to)
    erasures.forget(connection, keys)
    repeats.erase(connection, keys)
    erasures.note(connection, keys, survivor, origin.at, origin.author_key, reason)
    return _told(connection, survivor)


def _erased_with(connection: Connection, key: str) -> str | None:
    query = select(ledger.c.survivor_key).where(ledger.c.entity == ENTITY, ledger.c.key == key)
    found: str | None = connection.execute(query).scalar()
    return found


def _end(door: Door, cell: Cell, values: dict[str, Any], origin: Origin) -> None:
    """Blank and deleted, whether it lived or not."""
    was_gone = cell.gone
    if values:
        door.put(cell, values, origin, KIND, verbatim=())
    if values or not was_gone:
        door.delete(cell, origin, KIND)


def _about(door: Door, keys: Iterable[str], origin: Origin) -> list[Cell]:
    """Conflicts, refusals and hand-overs of these very rows."""
    found: list[Cell] = []
    for entity in ("conflicts", "refusals", "suggestions", "handovers"):
        if entity == "handovers":  # they share the key of their suggestion
            cells = [door.cell(entity, cell.key) for cell in found if cell.entity == "suggestions"]
        else:
            cells = [cell for cell in door.load_where(entity, "row_key", keys) if cell.row["entity"] == ENTITY]
        for cell in cells:
            if not cell.rev:
                continue
            values = blanked(entity, cell.row)
            if cell.row["status"] == "open":
                values["status"] = SETTLED[entity]
            _write(door, cell, values, origin)
            found.append(cell)
    return found


def _kept(door: Door, keys: Iterable[str], origin: Origin) -> list[Cell]:
    """Edits of the person that are kept elsewhere: in hand-overs of other rows (a whole unit waits), and in refusals of
    what had no readable form, which name no row."""
    wanted, found = set(keys), []
    for entity, field in (("suggestions", "mutations"), ("handovers", "mutations"), ("refusals", "mutation")):
        table = ROWS[entity]
        text = cast(table.c[field], Text)
        query = select(table.c.key).where(or_(*(text.contains(f'"{key}"', autoescape=True) for key in sorted(wanted))))
        if entity == "refusals":
            query = query.where(table.c.entity == "", table.c.row_key == "")
        named = list(door.connection.execute(query).scalars())
        door.load(entity, named)
        for cell in (door.cell(entity, key) for key in named):
            left = without_person([cell.row[field]], wanted) or [None]
            if left[0] != cell.row[field]:
                _write(door, cell, {field: left[0]}, origin)
                found.append(cell)
    return found


def _write(door: Door, cell: Cell, values: dict[str, Any], origin: Origin) -> None:
    was_gone = cell.gone
    if values:
        door.put(cell, values, origin, KIND, verbatim=())
        cell.gone = was_gone


def _told(connection: Connection, survivor: str) -> Erased:
    query = select(ledger).where(ledger.c.entity == ENTITY, ledger.c.survivor_key == survivor).order_by(ledger.c.key)
    rows = connection.execute(query).mappings().all()
    first = min(rows, key=lambda row: (row["erased_at"], row["key"]))
    return Erased(survivor, [r["key"] for r in rows], first["erased_at"], first["erased_by"], first["reason"])
