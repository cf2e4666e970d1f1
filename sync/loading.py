"""What mutations are about, brought under the door in sets before they are taken one by one (S8)."""

from collections.abc import Sequence
from typing import Any

from sfa.core.criteria import needs_rows
from sfa.core.entities import ENTITIES
from sfa.core.ids import is_key
from sfa.core.rules import QUOTA_OWNERS
from sfa.core.shapes import ABOUT_ROWS, PARENTS, SHAPES
from sfa.crm import beside, paying, rates
from sfa.crm.about import rows_about
from sfa.db.looking import load_below, looking
from sfa.db.writes import Door
from sync.protocol import Mutation

# Of a change of the first, the second is held like a row that is changed.
HELD = frozenset({("account_members", "accounts"), ("deal_contacts", "deals"), ("proposal_lines", "proposals")}) | {
    ("proposal_recipients", "proposals")
}
NAMED_BY = {
    "quotas": (*QUOTA_OWNERS, "period_key"),
    "team_members": ("user_key", "role"),
    "commission_assignments": ("user_key",),
    **rates.SAYS_WHEN,
}
DEFAULTS = {entity: SHAPES[entity].defaults for entity in NAMED_BY}
ASKING = frozenset({"deal.move", "deal.win"})


def load(door: Door, mutations: Sequence[Mutation]) -> None:
    """Everything a push is about in one query per entity: parents first, shared, then the rows to be changed (S8)."""
    written: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for mutation in mutations:
        if mutation.entity in ENTITIES:
            if is_key(mutation.key):
                written.setdefault(mutation.entity, set()).add(mutation.key)
            for field, target in SHAPES[mutation.entity].references.items():
                key = mutation.set.get(field)
                if is_key(key):
                    moves = (mutation.entity, target) in HELD
                    (written if moves else named).setdefault(target, set()).add(key)
    for entity in ABOUT_ROWS:
        for of, keys in rows_about(door, entity, written.get(entity, ())).items():
            written.setdefault(of, set()).update(keys)
    if "account_members" in written:  # a change of its team moves a customer and all below it
        teams = door.peek("account_members", "account_key", written["account_members"])
        written.setdefault("accounts", set()).update(teams)
    if "deal_contacts" in written:
        deals = door.peek("deal_contacts", "deal_key", written["deal_contacts"])
        written.setdefault("deals", set()).update(deals)
    if "proposal_lines" in written:  # with a change of one its proposal is a draft again
        held = door.peek("proposal_lines", "proposal_key", written["proposal_lines"])
        written.setdefault("proposals", set()).update(held)
    if "proposal_questions" in written:  # its answer is noted under the proposal's lock
        held = door.peek("proposal_questions", "proposal_key", written["proposal_questions"])
        written.setdefault("proposals", set()).update(held)
    if "proposal_recipients" in written:  # with an address its links end, under the proposal's lock
        held = door.peek("proposal_recipients", "proposal_key", written["proposal_recipients"])
        written.setdefault("proposals", set()).update(held)
    if "proposals" in written:  # what is sent of one freezes the deal's quote
        deals = door.peek("proposals", "deal_key", written["proposals"])
        written.setdefault("deals", set()).update(deals)
    for entity in ("accounts", "deals"):
        door.load(entity, written.get(entity, ()))
    above: dict[str, set[str]] = {}
    for entity, (parent, field) in PARENTS.items():
        if entity in written:
            found = door.peek(entity, field, written[entity])
            above.setdefault(parent, set()).update(found)
    for entity, (parent, field) in ((e, PARENTS[e]) for e in ("proposals", "visits", "contacts")):
        further = named.get(entity, set()) | above.get(entity, set())
        if further:  # a storey more: what they hang on is shared before them
            above.setdefault(parent, set()).update(door.peek(entity, field, further))
    for entity in ("accounts", "deals", "contacts", "visits", "proposals"):
        door.load(entity, (named.pop(entity, set()) | above.get(entity, set())) - written.get(entity, set()), "share")
    for entity in ENTITIES:
        door.load(entity, written.get(entity, ()))
    for entity, keys in named.items():
        door.load(entity, keys, "none")
    if "deal_contacts" in written:
        load_below(door, "deal_contacts", written["deals"])
    _load_beside(door, mutations)
    _load_asked(door, {m.key for m in mutations if m.kind in ASKING and is_key(m.key)})


def _load_beside(door: Door, mutations: Sequence[Mutation]) -> None:
    """What rules compare quotas, memberships, rates, costs and prices with. Always in this order: each has a lock."""
    said: dict[str, list[dict[str, Any]]] = {entity: [] for entity in NAMED_BY}
    for mutation in mutations:
        if mutation.kind in ("create", "update") and mutation.entity in NAMED_BY and is_key(mutation.key):
            cell, fields = door.cell(mutation.entity, mutation.key), NAMED_BY[mutation.entity]
            if not cell.exists or not mutation.set.keys().isdisjoint(fields):
                row = {**DEFAULTS[mutation.entity], **cell.row, **mutation.set}
                if all(row.get(f) is None or is_key(row[f]) for f in fields):  # anything else is refused later
                    said[mutation.entity].append(row)
    members = [row for row in said["team_members"] if row.get("user_key") and row.get("role") == beside.MEMBER]
    beside.memberships(door).read(members)
    beside.standing(door).read(door.connection, [row for row in said["quotas"] if row.get("period_key")])
    for entity, fields in rates.SAYS_WHEN.items():
        rates.standing(door, entity).read(row for row in said[entity] if all(row.get(field) for field in fields))
    paying.assignments(door).read(row for row in said["commission_assignments"] if row.get("user_key"))


def _load_asked(door: Door, deals: set[str]) -> None:
    """What stages want to know of the deals that are moved on."""
    if deals:
        stages = looking(door).every("stages").values()
        for entity in sorted(set().union(*(needs_rows(stage["exit_criteria"] or ()) for stage in stages))):
            load_below(door, entity, deals)
