"""What mutations are about, brought under the door in sets before they are taken one by one (S8)."""

from collections.abc import Sequence

from sfa.core.entities import ENTITIES
from sfa.core.ids import is_key
from sfa.core.shapes import ABOUT_ROWS, PARENTS, SHAPES
from sfa.crm.about import rows_about
from sfa.db.writes import Door
from sync.protocol import Mutation


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
                    moves = mutation.entity == "account_members" and target == "accounts"
                    (written if moves else named).setdefault(target, set()).add(key)
    for entity in ABOUT_ROWS:
        for of, keys in rows_about(door, entity, written.get(entity, ())).items():
            written.setdefault(of, set()).update(keys)
    if "account_members" in written:  # a change of its team moves a customer and all below it
        teams = door.peek("account_members", "account_key", written["account_members"])
        written.setdefault("accounts", set()).update(teams)
    for entity in ("accounts", "deals"):
        door.load(entity, written.get(entity, ()))
    above: dict[str, set[str]] = {}
    for entity, (parent, field) in PARENTS.items():
        if entity in written:
            found = door.peek(entity, field, written[entity])
            above.setdefault(parent, set()).update(found)
    for entity, (parent, field) in (("visits", PARENTS["visits"]), ("contacts", PARENTS["contacts"])):
        further = named.get(entity, set()) | above.get(entity, set())
        if further:  # a storey more: what they hang on is shared before them
            above.setdefault(parent, set()).update(door.peek(entity, field, further))
    for entity in ("accounts", "deals", "contacts", "visits"):
        door.load(entity, (named.pop(entity, set()) | above.get(entity, set())) - written.get(entity, set()), "share")
    for entity in ENTITIES:
        door.load(entity, written.get(entity, ()))
    for entity, keys in named.items():
        door.load(entity, keys, "none")
