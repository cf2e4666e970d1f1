"""A refused mutation repaired and sent again (S19): taken once, and what depended on it is offered again.

A repair is a mutation that names its refusal in `repairs`, or the same asked for at a screen. In the transaction in
which it lands, the refusal and those of earlier tries become `repaired`. The rest of its unit lands with it or nothing
does; then every refusal that says that it depends on one of these is offered again from its kept content, in the order
of numbers: it lands as well, or stays open with what is wrong with it now. Receipts are never changed (S18): what
became of a mutation after its receipt, its refusal row says. `repaired_by` is the mutation that did it, or `screen`.
The same repair again changes nothing, and is told what became of the first (`sync.repeated`).

What is repaired is old. Fields that the repair did not touch keep their first time and meet everything that was written
since as somebody else's, the own device's later edits too; commands keep the time of the event.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.rules import TRANSITIONS
from sfa.core.shapes import SHAPES
from sfa.crm import edits
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.crm.explained import is_repairable
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sync import repeated
from sync.kept import kept_content, readable_content
from sync.loading import load
from sync.merge import Edit, Merged, merge
from sync.numbers import Numbered
from sync.protocol import KINDS, Mutation, Receipt
from sync.repeated import SCREEN
from sync.take import Taker
from sync.versions import VERSIONS, Versions

WAITS = "depends_on_refused"
Place = tuple[str, str]


class RepairingTaker(Taker):
    """Takes mutations of a device, repairs among them."""

    def __init__(
        self,
        door: Door,
        who: Who,
        device: str,
        commands: Mapping[str, Command],
        versions: Versions = VERSIONS,
        *,
        handing: bool = False,
    ) -> None:
        super().__init__(door, who, device, commands, handing=handing)
        self.versions = versions
        self._made: dict[str, Receipt] = {}

    def _one(self, mutation: Mutation, origin: Origin) -> Receipt:
        if mutation.repairs is None:
            return super()._one(mutation, origin)
        receipt = repair(self.door, self.who, self.commands, mutation, origin, self.versions, self._made)
        self._made[f"{self.device}.{mutation.n}"] = receipt
        return receipt


class Again(Taker):
    """Takes the content of a refusal. `name` is what its conflicts are called after."""

    def __init__(
        self, door: Door, who: Who, commands: Mapping[str, Command], device: str, name: str, kept: "Kept"
    ) -> None:
        super().__init__(door, who, device, commands)
        self.name, self.kept = name, kept

    def _merge(self, cell: Cell, values: Mapping[str, Any], base: int, origin: Origin) -> Merged:
        if self.device:  # a command
            return super()._merge(cell, values, base, origin)
        shape, stands = SHAPES[cell.entity], base == cell.rev
        fresh = {shape.group_of[field] for field in values if field not in self.kept.fields}
        old = {f: v for f, v in values.items() if shape.group_of[f] not in fresh}
        new = {f: v for f, v in values.items() if f not in old}
        parts = [
            merge(
                cell.entity,
                cell.row,
                cell.rev,
                cell.stamps,
                Edit(part, base, "", at),
                lambda field: self.door.value_on("", cell, base, field),
                # Whose words a text was typed on top of is not known any more: where it moved on, a person decides.
                merge_texts=lambda _field, mine, theirs: mine if stands or mine == theirs else None,
            )
            for part, at in ((old, self.kept.at), (new, origin.at))
        ]
        verbatim = frozenset(group for part in parts for group in part.verbatim)
        return Merged({**parts[0].values, **parts[1].values}, verbatim, parts[0].lost + parts[1].lost)


class Kept(Struct, frozen=True):
    """What of a mutation is as it was refused, and its corrected time then."""

    fields: frozenset[str]
    at: int


class Landing(Struct, frozen=True):
    """One mutation to land: from which refusal, as whose words."""

    refusal: Cell
    mutation: Mutation
    origin: Origin
    kept: Kept


def repair(
    door: Door,
    who: Who,
    commands: Mapping[str, Command],
    mutation: Mutation,
    origin: Origin,
    versions: Versions = VERSIONS,
    made: Mapping[str, Receipt] = {},
) -> Receipt:
    """Land a repair; -> its receipt, whose `details.again` says what became of each refusal that waited for it. `made`
    are the receipts of earlier repairs of this push. Raises `Refused` and the caller undoes."""
    refusal = _refusal(door, who, mutation)
    root = _root(door, refusal)
    if "repaired" in (refusal.row["status"], root.row["status"]):
        closed = refusal if refusal.row["status"] == "repaired" else root
        _check_same(closed, root, mutation, versions)
        return repeated.told(door, who, closed, mutation, made)
    run = Repair(door, who, commands, origin, mutation.n, versions)
    receipt = run.land(refusal, mutation)
    again = run.offer_waiting()
    return msgspec.structs.replace(receipt, details={"again": again} if again else None)


def _refusal(door: Door, who: Who, mutation: Mutation) -> Cell:
    key = mutation.repairs or ""
    if not is_key(key):
        raise Refused("row_unknown", f"there is no refusal {key!r} of yours", entity="refusals", key=key)
    refusal = edits.visible_cell(door, who, "refusals", key)
    row = refusal.row
    if not refusal.exists or row["author_key"] != who.user_key:
        raise Refused("row_unknown", f"there is no refusals row {key!r} that you may see", entity="refusals", key=key)
    if not is_repairable(row):
        raise Refused("repair_impossible", key=key)
    sound = (mutation.entity, mutation.kind) == (row["entity"], row["kind"])
    sound = sound or (row["code"], mutation.entity, mutation.kind) == ("visit_locked", "visits", "visit.amend")  # R14
    if not sound or (mutation.key != row["row_key"] and mutation.kind != "create"):
        raise Refused("mutation_invalid", "a repair has the refused mutation's entity, kind and, but for a create, key")
    return refusal


def _root(door: Door, refusal: Cell) -> Cell:
    """The refusal that a refused try wanted to repair."""
    first = refusal.row["repairs_key"]
    return door.cell("refusals", first) if first else refusal


def _said(mutation: Mutation) -> dict[str, Any]:
    return {"key": mutation.key, "set": mutation.set}


def _check_same(closed: Cell, root: Cell, mutation: Mutation, versions: Versions) -> None:
    """Sent again from another device, or by another way: the same words are one repair (S2)."""
    landed = closed.row["repaired_with"] or root.row["repaired_with"]
    if landed is None:
        landed = {"key": closed.row["row_key"], "set": readable_content(closed, versions).set}
    if _said(mutation) != landed:
        raise Refused("already_repaired", key=closed.key, repaired_by=closed.row["repaired_by"])


class Repair:
    """One repair while it lands, with everything that it takes along."""

    def __init__(
        self, door: Door, who: Who, commands: Mapping[str, Command], origin: Origin, n: int, versions: Versions
    ) -> None:
        self.door, self.who, self.commands, self.origin, self.versions = door, who, commands, origin, versions
        self.by = f"{origin.device_key}.{n}" if origin.device_key is not None else SCREEN
        self.made: set[Place] = set()  # rows that came to be by it: what is laid on them knew them
        self.renamed: dict[Place, str] = {}
        self.landed: list[Cell] = []

    # -- landing ------------------------------------------------------------------------------------------------------

    def land(self, refusal: Cell, mutation: Mutation | None = None) -> Receipt:
        """The refusal's content, repaired if `mutation` is given, with the open rest of its unit; -> its receipt."""
        receipt: Receipt | None = None
        for member in self._unit_of(refusal):
            mine = member is refusal
            try:
                landing = self._repaired(member, mutation) if mine and mutation is not None else self._again(member)
                found = self._land_one(landing)
            except Refused as refused:
                if mine:
                    raise
                text = f"mutation {member.row['n']} of the same unit is still refused: {refused.code}"
                raise Refused("unit_failed", text, n=member.row["n"], because=refused.code) from None
            self._close(landing, mutation if mine else None)
            receipt = found if mine else receipt
        assert receipt is not None
        return receipt

    def _repaired(self, refusal: Cell, mutation: Mutation) -> Landing:
        before = readable_content(refusal, self.versions).set
        same = frozenset(f for f, v in mutation.set.items() if f in before and before[f] == v)
        origin = self.origin
        if mutation.kind not in KINDS:
            origin = msgspec.structs.replace(origin, at=refusal.row["created_at"])
        return Landing(refusal, mutation, origin, Kept(same, refusal.row["created_at"]))

    def _again(self, refusal: Cell) -> Landing:
        first = _root(self.door, refusal)
        if first is not refusal and first.row["status"] == "repaired":
            raise Refused("already_repaired", key=first.key, repaired_by=first.row["repaired_by"])
        content = self._content(kept_content(refusal, self.versions))
        origin = Origin(
            self.who.user_key,
            refusal.row["created_at"],
            self.origin.stored_at,
            refusal.row["device_key"],
            refusal.row["n"],
            content.at,
        )
        return Landing(refusal, content, origin, Kept(frozenset(content.set), origin.at))

    def _content(self, content: Mutation) -> Mutation:
        """As it was refused, under the keys that rows have now."""
        set_ = {field: self._renamed(content, field, value) for field, value in content.set.items()}
        key = self.renamed.get((content.entity, content.key), content.key)
        return msgspec.structs.replace(content, key=key, set=set_)

    def _renamed(self, content: Mutation, field: str, value: Any) -> Any:
        """A key in `set` that the repair of a create gave up for another one."""
        target = SHAPES[content.entity].references.get(field) if content.entity in SHAPES else None
        if content.kind.endswith(".merge") and field == "into":
            target = content.entity
        return self.renamed.get((target, value), value) if target is not None and is_key(value) else value

    def _land_one(self, landing: Landing) -> Receipt:
        mutation, row = landing.mutation, landing.refusal.row
        device = row["device_key"] if mutation.kind in TRANSITIONS else ""
        name = landing.origin.device_key or row["device_key"]
        place = (mutation.entity, mutation.key)
        known = self.door.cell(*place).rev if mutation.entity in SHAPES and is_key(mutation.key) else 0
        if place in self.made and mutation.kind != "create":
            mutation = msgspec.structs.replace(mutation, base=known)
        taker = Again(self.door, self.who, self.commands, device, name, landing.kept)
        receipt = Taker._one(taker, mutation, landing.origin)
        if mutation.kind == "create":
            self.made.update({place} if known == 0 else ())
            if row["row_key"] != mutation.key:
                self.renamed[mutation.entity, row["row_key"]] = mutation.key
        return msgspec.structs.replace(receipt, key=receipt.key or mutation.key)

    def _close(self, landing: Landing, repaired: Mutation | None) -> None:
        """The refusal, and every earlier try to repair the same, in the transaction in which it lands."""
        first = _root(self.door, landing.refusal)
        for cell in dict.fromkeys((landing.refusal, first, *self._tries(first))):
            if cell.row["status"] == "repaired":
                continue
            values: dict[str, Any] = {"status": "repaired", "repaired_by": self.by}
            if cell is landing.refusal or cell is first:
                values["repaired_with"] = _said(repaired or landing.mutation)
            self.door.put(cell, values, self.origin, "refusal.repair")
            self.landed.append(cell)

    # -- what belongs together ----------------------------------------------------------------------------------------

    def _found(self, *where: Any) -> list[Cell]:
        """The author's refusals, locked, as they are in this transaction."""
        table = ROWS["refusals"]
        mine = select(table.c.key).where(table.c.author_key == self.who.user_key, ~table.c.gone, *where)
        keys = set(self.door.connection.execute(mine).scalars())
        self.door.load("refusals", keys)
        return [cell for cell in self.door.cells_of("refusals") if cell.exists and self._is_mine(cell)]

    def _is_mine(self, cell: Cell) -> bool:
        return bool(cell.row["author_key"] == self.who.user_key)

    def _tries(self, first: Cell) -> Iterable[Cell]:
        found = self._found(ROWS["refusals"].c.repairs_key == first.key)
        return [cell for cell in found if cell.row["repairs_key"] == first.key]

    def _unit_of(self, refusal: Cell) -> list[Cell]:
        """The refusal with what is still open of its unit, in order (S20)."""
        row = refusal.row
        unit = row["mutation"].get("unit")
        if unit is None:
            return [refusal]
        table, reach = ROWS["refusals"], unit["size"] - 1
        low, high = row["n"] - reach, row["n"] + reach
        found = self._found(table.c.device_key == row["device_key"], table.c.n.between(low, high))
        mates = [
            cell
            for cell in found
            if cell.row["device_key"] == row["device_key"]
            and is_repairable(cell.row)
            and cell.row["mutation"].get("unit") == unit
            and (cell is refusal or cell.row["status"] == "open")
        ]
        return sorted(mates, key=lambda cell: int(cell.row["n"]))

    def _waiting_for(self, cause: Cell) -> list[Cell]:
        row = cause.row
        found = [
            cell
            for cell in self._found(ROWS["refusals"].c.depends_on_n == row["n"])
            if cell.row["status"] == "open" and cell.row["code"] == WAITS and cell.row["depends_on_n"] == row["n"]
            if is_repairable(cell.row)
            and _mentions(readable_content(cell, self.versions), row["entity"], row["row_key"])
        ]
        return sorted(found, key=lambda cell: (cell.row["device_key"], cell.row["n"]))

    # -- offering again -----------------------------------------------------------------------------------------------

    def offer_waiting(self) -> dict[str, str]:
        """Refusal -> what became of it: an outcome, or the code of what is wrong with it now."""
        became: dict[str, str] = {}
        while self.landed:
            waiting = self._waiting_for(self.landed.pop(0))
            load(self.door, [self._content(readable_content(cell, self.versions)) for cell in waiting])
            for cell in waiting:
                if cell.row["status"] == "open" and cell.row["code"] == WAITS:  # not taken along by its unit
                    became[cell.key] = self._offer(cell)
        return became

    def _offer(self, cell: Cell) -> str:
        mark, landed = self.door.mark(), len(self.landed)
        made, renamed = set(self.made), dict(self.renamed)
        try:
            return self.land(cell).outcome
        except Refused as refused:
            self.door.undo_to(mark)
            del self.landed[landed:]
            self.made, self.renamed = made, renamed
            return self._still_refused(cell, refused)

    def _still_refused(self, cell: Cell, refused: Refused) -> str:
        """It stays open, and says what is wrong with it now."""
        content = self._content(readable_content(cell, self.versions))
        item = Numbered(cell.row["n"], "", b"", content, None)
        taker = Taker(self.door, self.who, cell.row["device_key"], self.commands)
        now = taker.refused(item, content.entity, content.key, refused)
        values = {"code": now.code, "text": now.text, "depends_on_n": now.depends_on_n}
        changed = {field: value for field, value in values.items() if cell.row[field] != value}
        if changed:
            self.door.put(cell, changed, self.origin, "refusal.offer")
        return str(now.code)


def _mentions(content: Mutation, entity: str, key: str) -> bool:
    """Whether a mutation is about a row, or names it."""
    if (content.entity, content.key) == (entity, key):
        return True
    references = SHAPES[content.entity].references if content.entity in SHAPES else {}
    return any(target == entity and content.set.get(field) == key for field, target in references.items()) or (
        content.entity == entity and content.set.get("into") == key
    )
