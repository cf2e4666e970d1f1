"""One mutation taken: create, update, delete or a command, checked against the server's state and merged (S17-S27).

`Taker.take` answers a receipt and never raises for what a device does wrong. It changes rows in the door's memory only;
the push undoes what a refusal left. Losing values become conflict rows, named by the mutation that met them.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from msgspec import structs
from sqlalchemy import select

from sfa.core.access import SERVER_ONLY_ENTITIES
from sfa.core.deal_states import by_clock
from sfa.core.erasing import ENTITY as ERASABLE
from sfa.core.errors import Refused
from sfa.core.ids import check_key
from sfa.core.rules import TRANSITIONS, check_arguments, check_values, transition
from sfa.core.shapes import SHAPES
from sfa.crm import conflicts, edits, open_visits
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import erasures, past
from sfa.db.cells import Cell
from sfa.db.looking import looking
from sfa.db.savepoints import undone_if_refused
from sfa.db.tables import redirects
from sfa.db.writes import Door, Origin
from sfa.visits import occurrences
from sync import notes
from sync.depends import refused_command, refused_create
from sync.handover import HandOver
from sync.merge import GONE, Edit, Lost, Merged, edited_since, is_concurrent, merge, merge_command
from sync.numbers import Numbered
from sync.protocol import KINDS, Mutation, Receipt

CONTRADICTIONS = frozenset({"invariant_failed", "splits_invalid", "quota_owner_invalid"})
MAY_DEPEND = frozenset({"row_unknown", "reference_unknown"})


class Taker:
    """`handing`: what is refused because its author lost the row is handed over (S37). `until`: what the device made of
    the row from this revision on is newer, and meets it as anybody's. `name`: what its conflicts are called after."""

    name: str | None = None

    def __init__(
        self,
        door: Door,
        who: Who,
        device: str,
        commands: Mapping[str, Command],
        *,
        handing: bool = False,
        until: int | None = None,
    ) -> None:
        self.door, self.who, self.device, self.commands, self.until = door, who, device, commands, until
        self.notes = notes.Notes(door, device)
        self.lookup = looking(door)
        self.handed = HandOver(door, who, device, commands) if handing else None

    def take(self, item: Numbered, origin: Origin) -> Receipt:
        mutation = item.mutation
        entity, key = (mutation.entity[:64], mutation.key[:64]) if mutation else ("", "")
        mark = self.door.mark()
        try:
            if mutation is None:
                raise Refused("mutation_invalid", item.error or "")
            receipt = self._one(mutation, origin)
        except Refused as refused:
            self.door.undo_to(mark)
            # A repair stays with its author; what was erased is kept nowhere.
            again = mutation is not None and (mutation.repairs is not None or refused.code == "erased")
            waits, refused = self.handed.offer(item, origin, refused) if self.handed and not again else (None, refused)
            return waits or self.refused(item, entity, key, refused)
        return structs.replace(receipt, n=item.n, entity=entity, key=receipt.key or key, digest=item.digest)

    def leave_out(self, item: Numbered, reason: str) -> Receipt:
        """A person who reviewed a drain does not want this one applied (S31)."""
        entity, key = (item.mutation.entity[:64], item.mutation.key[:64]) if item.mutation else ("", "")
        return self.refused(item, entity, key, Refused("left_out", f"left out by the reviewer: {reason}"))

    def unit_failed(self, item: Numbered, failed: Receipt) -> Receipt:
        mutation = item.mutation
        entity, key = (mutation.entity[:64], mutation.key[:64]) if mutation else ("", "")
        text = f"mutation {failed.n} of the same unit was refused: {failed.code}"
        code, on = "unit_failed", failed.n
        return Receipt(item.n, "refused", entity, key, code=code, text=text, depends_on_n=on, digest=item.digest)

    def refused(self, item: Numbered, entity: str, key: str, refused: Refused) -> Receipt:
        """The receipt of what was refused; what is missing because the author's own create was refused says so."""
        code, text = refused.code, refused.text.replace("\x00", "\ufffd")
        depends: int | None = refused.details.get("n") if code == "depends_on_refused" else None
        if code in MAY_DEPEND and item.mutation is not None:
            field = str(refused.details.get("field"))
            target = SHAPES[entity].references.get(field, entity) if entity in SHAPES else entity
            depends = refused_create(self.door, self.who.user_key, target, str(refused.details.get("key", key)))
        elif code == "illegal_transition" and item.mutation is not None:
            row = self.lookup(entity, key)
            if row is not None:
                args = (self.who.user_key, self.device, item.mutation, row, self.lookup)
                depends = refused_command(self.door, *args)
        if depends is not None and code != "depends_on_refused":
            code, text = "depends_on_refused", f"it depends on mutation {depends}, which was refused"
        return Receipt(
            item.n,
            "refused",
            entity,
            key,
            code=code,
            text=text[:2_000],
            details=refused.details or None,
            depends_on_n=depends,
            digest=item.digest,
        )

    # -- the kinds ----------------------------------------------------------------------------------------------

    def _one(self, mutation: Mutation, origin: Origin) -> Receipt:
        edits.known_entity(mutation.entity)
        check_key(mutation.key)
        if mutation.entity == ERASABLE:
            erasures.refuse_erased(self.door.connection, self.door.cell(mutation.entity, mutation.key))
        if mutation.kind in TRANSITIONS or mutation.kind in self.commands:
            check_arguments(mutation.kind, mutation.set)
            return (self._transition if mutation.kind in TRANSITIONS else self._command)(mutation, origin)
        if mutation.kind not in KINDS:
            raise Refused("command_unknown", f"there is no command {mutation.kind!r}")
        if mutation.entity in SERVER_ONLY_ENTITIES:
            raise Refused("not_permitted", f"{mutation.entity} are written by the server")
        if mutation.kind == "create":
            return self._create(mutation, origin)
        if mutation.kind == "update":
            return self._update(mutation, self._visible(mutation), origin, creating=False)
        return self._delete(mutation, origin)

    def _visible(self, mutation: Mutation) -> Cell:
        return edits.visible_cell(self.door, self.who, mutation.entity, mutation.key)

    def _create(self, mutation: Mutation, origin: Origin) -> Receipt:
        cell = self.door.cell(mutation.entity, mutation.key)
        if cell.rev == 0:
            said = self._said(mutation, cell)
            cell = edits.create(self.door, self.who, mutation.entity, mutation.key, said, origin)
            return Receipt(mutation.n, "applied", rev=cell.rev)
        if not edits.is_visible(self.door, self.who, cell):
            raise Refused("key_taken", key=mutation.key)
        said = occurrences.edited(self.door, cell, mutation.set)
        if not said and mutation.set:  # the plan's visit, as the plan says it: whoever came first made it
            return Receipt(mutation.n, "merged", rev=cell.rev)
        return self._update(structs.replace(mutation, set=dict(said)), cell, origin, creating=True)

    def _update(self, mutation: Mutation, cell: Cell, origin: Origin, *, creating: bool) -> Receipt:
        said = self._said(mutation, cell)
        check_values(cell.entity, said)
        # A create of a row that exists says again what stands; what differs is an update, with an update's rights.
        wanted = {f: v for f, v in said.items() if cell.row[f] != v} if creating else said
        edits.check_rights(self.who, cell.entity, wanted, creating=False)
        values = edits.follow_references(self.door, self.who, cell.entity, wanted)
        origin = edits.through(cell.entity, wanted, values, origin)
        base = 0 if creating else mutation.base
        asked = said if creating else values
        survivor = self._survivor(cell)
        if survivor is not None:
            merged = self._merge_into(survivor, cell, values, origin)
            return self._write(mutation, survivor, merged, asked, _via(origin, cell.key), base, "update")
        if said is not mutation.set:  # a document's update has met the others' words already
            text = {f: values.pop(f) for f in (notes.FIELD,) if f in values}
            rest = self._merge(cell, values, base, origin)
            merged = Merged({**rest.values, **text}, rest.verbatim, rest.lost)
            return self._write(mutation, cell, merged, asked, origin, base, "update")
        merged = self._merge(cell, values, base, origin)
        return self._write(mutation, cell, merged, asked, origin, base, "update")

    def _said(self, mutation: Mutation, cell: Cell) -> Mapping[str, Any]:
        """What the mutation sets; an update of a note's document as the text that it makes."""
        if mutation.entity != notes.ENTITY or notes.UPDATE_FIELD not in mutation.set:
            return mutation.set
        said = dict(mutation.set)
        if notes.FIELD in said:
            raise Refused("note_update_invalid", f"{notes.FIELD} and {notes.UPDATE_FIELD} exclude each other")
        said[notes.FIELD] = self.notes.merge_update(cell, said.pop(notes.UPDATE_FIELD), mutation.base)
        return said

    def _delete(self, mutation: Mutation, origin: Origin) -> Receipt:
        cell = self._visible(mutation)
        if self._survivor(cell) is not None:
            raise Refused("already_merged", key=cell.key)
        edits.check_rights(self.who, cell.entity, (), creating=False)
        edits.check_owned(self.door, self.who, cell)
        if not cell.gone:
            edits.check_unlocked(self.who, cell)
        since = edited_since(self._stamps(cell), mutation.base, cell.rev, self.device)
        if cell.gone or not since:
            edits.delete(self.door, self.who, cell, origin)
            return Receipt(mutation.n, "applied", rev=cell.rev)
        standing = {f: cell.row[f] for g in since for f in SHAPES[cell.entity].groups[g]}
        lost = Lost(GONE, "ask", {GONE: True}, standing, True, False)
        return self._receipt(mutation, cell, [self._conflict(mutation, cell, lost, origin, 0, cell.stamps)], "conflict")

    def _transition(self, mutation: Mutation, origin: Origin) -> Receipt:
        rule = TRANSITIONS[mutation.kind]
        if mutation.entity != rule.entity:
            raise Refused("command_invalid", f"{mutation.kind} is a command of {rule.entity}")
        asked = self._visible(mutation)
        cell = self._survivor(asked) or asked
        origin = origin if cell is asked else _via(origin, asked.key)
        base = mutation.base if cell is asked else 0
        edits.check_rights(self.who, cell.entity, (), creating=False)
        edits.check_owned(self.door, self.who, cell)
        arguments = by_clock(mutation.set, origin.device_at or origin.at, origin.at)
        done = transition(mutation.kind, cell.row, arguments, origin.at, self.lookup.on(cell.key))
        group = SHAPES[cell.entity].group_of[rule.agree[0]]
        if all(cell.row[f] == done.values[f] for f in rule.agree) and not cell.gone:
            return self._agreed(mutation, cell, done.values, group, base, origin)
        concurrent = is_concurrent(self._stamps(cell), group, base, cell.rev, self.device)
        if done.illegal is not None and not concurrent:
            raise Refused("illegal_transition", f"{mutation.kind}: {done.illegal}")
        merged = merge_command(rule, done.values, lambda values: self._merge(cell, values, base, origin))
        receipt = self._write(mutation, cell, merged, done.values, origin, base, mutation.kind)
        name = f"{self.name or origin.device_key}.{mutation.n}"
        args = (self.door, cell, mutation.kind, origin)
        met = open_visits.settle(*args, lambda place: f"{name}.{len(receipt.conflicts) + place}")
        return structs.replace(receipt, outcome="conflict", conflicts=[*receipt.conflicts, *met]) if met else receipt

    def _agreed(
        self, mutation: Mutation, cell: Cell, values: Mapping[str, Any], group: str, base: int, origin: Origin
    ) -> Receipt:
        """Two devices did the same thing (S27): the first one's times stand. What the second one said beside it is
        merged as an edit, or kept with the row where it means the same as what stands (S1)."""
        said = {f: v for f, v in values.items() if v not in (None, cell.row[f]) and not f.endswith("_at")}
        group_of = SHAPES[cell.entity].group_of
        same = {f: v for f, v in said.items() if group_of[f] == group}
        rest = {f: v for f, v in said.items() if group_of[f] != group}
        merged = self._merge(cell, rest, base, origin)
        if same:
            lost = Lost(group, "agree", same, {f: cell.row[f] for f in same}, False, False)
            merged = Merged(merged.values, merged.verbatim, (*merged.lost, lost))
        return self._write(mutation, cell, merged, rest, origin, base, mutation.kind)

    def _command(self, mutation: Mutation, origin: Origin) -> Receipt:
        command = self.commands[mutation.kind]
        if mutation.entity != command.entity:
            raise Refused("command_invalid", f"{mutation.kind} is a command of {command.entity}")
        if command.alone and mutation.unit is not None and mutation.unit.size > 1:
            raise Refused("command_invalid", f"{mutation.kind} is no part of a unit: send it by itself")
        cell = self._visible(mutation)
        if self._survivor(cell) is not None:
            raise Refused("already_merged", key=cell.key)
        # what a command flushes stands already: it stores nothing else that could be refused
        stored = undone_if_refused(self.door) if command.alone and not command.flushes else nullcontext()
        with stored:
            command.act(self.door, self.who, cell, mutation.set, origin)
        return Receipt(mutation.n, "applied", rev=cell.rev)

    # -- merging ------------------------------------------------------------------------------------------------

    def _stamps(self, cell: Cell) -> Mapping[str, list[Any]]:
        if self.until is None:
            return cell.stamps
        newer = {g: [s[0], None, *s[2:]] for g, s in cell.stamps.items() if s[1] == self.device and s[0] >= self.until}
        return {**cell.stamps, **newer}

    def _before(self, cell: Cell, base: int, field: str) -> Any:
        """What the device held in a field when it made this edit."""
        if self.until is None:
            return self.door.value_on(self.device, cell, base, field)
        since = self.door.since(cell, base)
        older = [(changes, by if rev < self.until else None, rev, kind) for changes, by, rev, kind in since]
        return past.value_on(self.device, cell.row[field], field, older)

    def _survivor(self, cell: Cell) -> Cell | None:
        if not cell.gone:
            return None
        key = self.door.survivor(cell.entity, cell.key)
        if key == cell.key:
            return None
        survivor = self.door.cell(cell.entity, key)
        if not edits.is_visible(self.door, self.who, survivor):
            raise Refused("row_unknown", f"there is no {cell.entity} row {cell.key!r} that you may see", key=cell.key)
        return survivor

    def _merge(self, cell: Cell, values: Mapping[str, Any], base: int, origin: Origin) -> Merged:
        edit = Edit(values, base, self.device, origin.at)
        return merge(
            cell.entity,
            cell.row,
            cell.rev,
            self._stamps(cell),
            edit,
            lambda field: self._before(cell, base, field),
            # A text that its device typed on may hold these words already: a person looks at both.
            merge_texts=lambda _field, mine, _: self.notes.merge(cell, base, mine) if self.until is None else None,
        )

    def _merge_into(self, survivor: Cell, loser: Cell, values: Mapping[str, Any], origin: Origin) -> Merged:
        """An edit of a merged key: concurrent, unless the survivor says what the loser said when they were merged."""
        query = select(redirects.c.losing).where(redirects.c.entity == loser.entity, redirects.c.loser_key == loser.key)
        losing = self.door.connection.execute(query).scalar() or loser.row
        shape = SHAPES[loser.entity]
        alike = {g for g, fields in shape.groups.items() if all(survivor.row[f] == losing.get(f) for f in fields)}
        same = {f: v for f, v in values.items() if shape.group_of[f] in alike}
        other = {f: v for f, v in values.items() if f not in same}
        first = merge(
            survivor.entity,
            survivor.row,
            survivor.rev,
            {},
            Edit(same, survivor.rev, self.device, origin.at),
            losing.get,
        )
        second = merge(
            survivor.entity,
            survivor.row,
            survivor.rev,
            survivor.stamps,
            Edit(other, 0, "", origin.at),
            losing.get,
        )
        return Merged({**first.values, **second.values}, frozenset(), first.lost + second.lost)

    def _write(
        self,
        mutation: Mutation,
        cell: Cell,
        merged: Merged,
        wanted: Mapping[str, Any],
        origin: Origin,
        base: int,
        kind: str,
    ) -> Receipt:
        edits.check_unlocked(self.who, cell, wanted)
        restored = cell.gone
        before, stamps = cell.rev, self._stamps(cell)
        mark = self.door.mark()
        lost = list(merged.lost)
        if restored:
            lost.append(Lost(GONE, "restore", {GONE: True}, dict(wanted), False, True))
        try:
            if merged.values or restored:
                edits.update(self.door, self.who, cell, merged.values, origin, kind=kind, verbatim=merged.verbatim)
            else:
                edits.check_owned(self.door, self.who, cell)
        except Refused as refused:
            if refused.code not in CONTRADICTIONS or not edited_since(stamps, base, before, self.device):
                raise
            self.door.undo_to(mark)
            lost, restored = [_contradiction(cell, wanted)], False
        keys = [self._conflict(mutation, cell, loss, origin, i, stamps) for i, loss in enumerate(lost)]
        if any(loss.open for loss in lost):
            outcome = "conflict"
        else:
            as_sent = all(cell.row[f] == v for f, v in wanted.items()) and mutation.kind != "create"
            outcome = "applied" if as_sent and not lost else "merged"
        return self._receipt(mutation, cell, keys, outcome, restored=restored)

    def _receipt(
        self, mutation: Mutation, cell: Cell, keys: list[str], outcome: str, *, restored: bool = False
    ) -> Receipt:
        return Receipt(mutation.n, outcome, key=cell.key, rev=cell.rev, conflicts=keys, restored=restored)

    def _conflict(
        self, mutation: Mutation, cell: Cell, lost: Lost, origin: Origin, place: int, stamps: Mapping[str, list[Any]]
    ) -> str:
        """A conflict row: whose value lost is told, so that he can find it again. `stamps` are those before it."""
        stamp = stamps.get(lost.group) if lost.lost_is_theirs else None
        values = {
            "entity": cell.entity,
            "row_key": cell.key,
            "field_group": lost.group,
            "strategy": lost.strategy,
            "losing": lost.losing,
            "standing": lost.standing,
            "author_key": stamp[4] if stamp is not None else origin.author_key,
            "device_key": stamp[3] if stamp is not None else origin.device_key,
            "n": None if stamp is not None else mutation.n,
            "reason": "deleted" if lost.group == GONE else "concurrent",
            "status": "open" if lost.open else "closed",
        }
        return conflicts.write(self.door, f"{self.name or origin.device_key}.{mutation.n}.{place}", values, origin)


def _via(origin: Origin, key: str) -> Origin:
    return structs.replace(origin, via=key)


def _contradiction(cell: Cell, wanted: Mapping[str, Any]) -> Lost:
    """The merged row would contradict itself, through nobody's fault: a person decides (S24)."""
    group = SHAPES[cell.entity].group_of[next(iter(wanted))]
    return Lost(group, "invariant", dict(wanted), {f: cell.row[f] for f in wanted}, True, False)
