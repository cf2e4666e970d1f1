"""What the user may queue: checked by the pure rules where that saves a refusal later, then numbered.

The device checks form (fields, values, whole rows, a record's state) and knows no rights: those are the server's, and a
refusal comes back as a row that the user can see and repair. Each function is one local transaction.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sfa.core.access import AUTHORED, READ_ONLY, SET_ONCE
from sfa.core.deal_states import begun, handed_on
from sfa.core.entities import ENTITIES
from sfa.core.errors import Refused
from sfa.core.ids import check_key
from sfa.core.rules import TRANSITIONS, broken, check_arguments, check_required, check_values, transition
from sfa.core.shapes import SHAPES
from sfa.core.targets import with_unit
from sync.device import outbox, view
from sync.device.overlay import blank, entity_of
from sync.device.store import Store


def create(store: Store, entity: str, key: str, values: Mapping[str, Any], at: int, unit: str | None = None) -> int:
    """Queue a new row; whose work it is unless told otherwise is the user's. -> the mutation's number."""
    _known(entity)
    check_key(key)
    check_values(entity, values)
    with store.transaction():
        owner, user = AUTHORED.get(entity), store.state().user
        if owner is not None and owner not in values and user is not None:
            values = {**values, owner: user.key}
        check_required(entity, values)
        if view.row(store, entity, key) is not None:
            raise Refused("key_taken", key=key)
        if entity == "deals" and view.row(store, "stages", values["stage_key"]) is not None:
            values = begun(values, at, view.looking(store))
        if entity == "quotas":
            values = with_unit({}, values)
        start = blank(entity)
        _check_row(entity, {**start, **values})
        return outbox.enqueue(store, entity, key, "create", at, whole_groups(entity, values, start), unit)


def update(store: Store, entity: str, key: str, values: Mapping[str, Any], at: int, unit: str | None = None) -> int:
    """Queue changed fields, completed to whole groups from what the user sees. -> the mutation's number."""
    _known(entity)
    check_values(entity, values)
    with store.transaction():
        row = _visible(store, entity, key)
        if entity == "quotas":
            values = with_unit(row, values)
        besides = handed_on(row, values, view.looking(store)) if entity == "deals" else {}
        _check_row(entity, {**row, **values, **besides})
        return outbox.enqueue(store, entity, key, "update", at, whole_groups(entity, values, row), unit)


def delete(store: Store, entity: str, key: str, at: int, unit: str | None = None) -> int:
    """Queue the deletion of a row. -> the mutation's number."""
    _known(entity)
    with store.transaction():
        _visible(store, entity, key)
        return outbox.enqueue(store, entity, key, "delete", at, {}, unit)


def command(
    store: Store,
    name: str,
    key: str,
    arguments: Mapping[str, Any],
    at: int,
    unit: str | None = None,
    entity: str | None = None,
) -> int:
    """Queue a command on a row; a transition that the row's state forbids is refused at once. -> the number."""
    entity = entity if entity is not None else entity_of(name)
    if entity is None:
        raise Refused("command_unknown", f"there is no command {name!r}")
    check_arguments(name, arguments)
    with store.transaction():
        row = _visible(store, entity, key)
        if name in TRANSITIONS:
            done = transition(name, row, arguments, at, view.looking(store).on(key))
            if done.illegal is not None:
                raise Refused("illegal_transition", f"{name}: {done.illegal}")
            _check_row(entity, {**row, **done.values})
        return outbox.enqueue(store, entity, key, name, at, arguments, unit)


def repair(
    store: Store,
    refusal: str,
    values: Mapping[str, Any],
    at: int,
    unit: str | None = None,
    *,
    without: Collection[str] = (),
    key: str | None = None,
    reason: str | None = None,
) -> int:
    """Queue a refused change again, with other `values`, `without` some fields, or (a create) under another `key`; with
    nothing of it as it was. It is compared with what stood when it was first typed. With a `reason` what was refused of
    a locked visit becomes its amendment (R14). -> the mutation's number."""
    with store.transaction():
        row = _visible(store, "refusals", refusal)
        if row["status"] == "repaired":
            raise Refused("already_repaired", key=refusal)
        if not row["entity"] or not isinstance(row["mutation"], dict) or row["code"] == outbox.REUSED:
            raise Refused("repair_impossible", key=refusal)
        content = row["mutation"]
        entity, kind, key = row["entity"], row["kind"], key if key is not None else row["row_key"]
        if key != row["row_key"] and kind != "create":
            raise Refused("mutation_invalid", "only a create is repaired under another key")
        check_key(key)
        fields = {f: v for f, v in content.get("set", {}).items() if f not in without} | dict(values)
        if reason is not None:
            if (row["code"], kind) != ("visit_locked", "update"):
                raise Refused("mutation_invalid", "only an edit of a locked visit becomes an amendment")
            kind, fields = "visit.amend", {"values": fields, "reason": reason}
        if kind in ("create", "update"):
            _known(entity)
            check_values(entity, fields)
        if kind == "create":
            check_required(entity, fields)
            fields = with_unit({}, fields) if entity == "quotas" else fields
            _check_row(entity, {**blank(entity), **fields})
        base = int(content.get("base", 0))
        return outbox.enqueue(store, entity, key, kind, at, fields, unit, repairs=refusal, old_base=base)


def whole_groups(entity: str, values: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that mean one thing travel together (S24), except those that only a command or a create sets."""
    shape = SHAPES[entity]
    read_only = READ_ONLY.get(entity, frozenset()) | SET_ONCE.get(entity, frozenset())
    groups = dict.fromkeys(shape.group_of[field] for field in values)
    whole = {field: row[field] for group in groups for field in shape.groups[group] if field not in read_only}
    return {**whole, **values}


def _known(entity: str) -> None:
    if entity not in ENTITIES:
        raise Refused("entity_unknown", f"there is no entity {entity[:100]!r}")


def _visible(store: Store, entity: str, key: str) -> dict[str, Any]:
    row = view.row(store, entity, key)
    if row is None:
        raise Refused("row_unknown", f"there is no {entity} row {key!r} on this device", entity=entity, key=key)
    return row


def _check_row(entity: str, row: Mapping[str, Any]) -> None:
    found = broken(entity, row)
    if found is not None:
        raise Refused(found.code, found.text, **found.details)
