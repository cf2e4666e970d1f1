"""Work that was queued for a row which its author has lost meanwhile: kept, and offered to who has the row now (S37).

`HandOver.offer` is asked about a mutation that was refused. If its author held the row at the revision on which he made
the edit, and might have made it then, the mutation becomes a suggestion where the row lies now, and a `handovers` row
of its author; otherwise the refusal stands as it was, to the letter, so that nobody learns of rows that he never held.
What builds on a hand-over of the same push joins it, unless it is a command that is no part of several; what builds on
an earlier one waits for that. What is done by the rights of who asks alone is never handed over. Nothing is applied
here (`sync.decisions` does, when it is accepted), and nothing is answered that the row as it is now would tell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import select

from sfa.core import access, handover
from sfa.core.access import AUTHORED, FIELD_WORK
from sfa.core.errors import CATALOGUE, Refused
from sfa.core.handover import ALWAYS, last_held, life_of
from sfa.core.ids import is_key
from sfa.core.rules import TRANSITIONS, check_required, check_values
from sfa.core.shapes import PARENTS, SHAPES
from sfa.crm import edits
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import scope
from sfa.db.cells import Cell
from sfa.db.stays import Past
from sfa.db.tables import ROWS, scope_intervals
from sfa.db.writes import Door, Origin
from sync import notes, refusals
from sync.numbers import Numbered
from sync.protocol import CONTRACT_MAX, KINDS, MUTATION_BYTES_MAX, UNIT_SIZE_MAX, Mutation, Receipt

HANDED = FIELD_WORK | {"account_members"}  # targets and prices are set by who decides them today
QUESTIONS = "proposal_questions"  # the server writes them; who may change their proposal answers
LOSS = frozenset({"row_unknown", "reference_unknown", "out_of_scope", "not_permitted", "field_not_permitted"})
DECIDES = frozenset({"rep", "manager", "director"})
Place = tuple[str, str]  # entity, key
Mark = tuple[int, int, int, int]


class Offer(Struct, frozen=True):
    """Where a hand-over belongs, and an earlier one of the same device that must be decided first, or joined."""

    anchor: Place
    prior: str | None = None


class HandOver:
    """The hand-overs of one push."""

    def __init__(self, door: Door, who: Who, device: str, commands: Mapping[str, Command]) -> None:
        self.door, self.who, self.device, self.commands = door, who, device, commands
        self.author = who.user_key or ""
        self.past = Past(door.connection, self.author)
        self._offers: dict[int, Offer] = {}
        self._read = False

    def offer(self, item: Numbered, origin: Origin, refused: Refused) -> tuple[Receipt | None, Refused]:
        """Hand a refused mutation over; -> its receipt, or None and the refusal: as it was, or why it would have been
        refused even while its author held the row."""
        mutation = item.mutation
        if refused.code not in LOSS or mutation is None or not self._can_be_handed(mutation):
            return None, refused
        try:
            found = self._find(mutation)
        except Refused as other:
            return None, other
        if found is None:
            return None, refused
        self._offers[item.n] = found
        key = self._join(item, origin, found) or self._write([item], [origin], found)
        return _waits(item, key), refused

    def offer_unit(
        self, mark: Mark, part: Sequence[Numbered], taken: Sequence[Receipt], origins: Sequence[Origin]
    ) -> list[Receipt]:
        """Hand a whole unit over as one: `taken` says what became of each, which is undone to `mark`. It lies where
        whoever sees it may see all of it; if there is no such place, in its author's book, for the managers above."""
        own = {refusals.key_of(self.device, item.n) for item in part}
        offers = [self._offers[r.n] for r in taken if r.suggestion is not None]
        places = [("suggestions", r.suggestion) if r.suggestion is not None else (r.entity, r.key) for r in taken]
        homes = [set(self.door.buckets(self.door.cell(*place))) for place in places]
        whole = (offer.anchor for offer in offers if all(lies_in(self.door, offer.anchor) <= home for home in homes))
        prior = next((offer.prior for offer in offers if offer.prior not in (None, *own)), None)
        offer = Offer(next(whole, ("users", self.author)), prior)
        self.door.undo_to(mark)
        suggestion = self._write(part, origins, offer)
        return [_waits(item, suggestion) for item in part]

    # -- whether, and where ---------------------------------------------------------------------------------------

    def _can_be_handed(self, mutation: Mutation) -> bool:
        if mutation.entity not in HANDED or not is_key(mutation.key):
            return False
        if mutation.kind in KINDS:
            return True
        command = self.commands.get(mutation.kind)
        if command is not None:
            return command.handed and command.entity == mutation.entity
        return mutation.kind in TRANSITIONS and TRANSITIONS[mutation.kind].entity == mutation.entity

    def _is_alone(self, kind: str) -> bool:
        command = self.commands.get(kind)
        return command is not None and command.alone

    def _find(self, mutation: Mutation) -> Offer | None:
        lost = self._lost(mutation)
        for cell in self._earlier():
            made = {(m["entity"], m["key"]) for m in cell.row["mutations"] if m["kind"] == "create"}
            touched = {(m["entity"], m["key"]) for m in cell.row["mutations"]}
            needed = made & self._needs(mutation)
            if needed:
                return self._after(mutation, cell, needed.pop(), lost)
            if lost is not None and ((mutation.entity, mutation.key) in touched or made & self._names(mutation)):
                return Offer(lost, cell.key if cell.row["status"] == "open" else None)
        return Offer(lost) if lost is not None else None

    def _after(self, mutation: Mutation, prior: Cell, made: Place, lost: Place | None) -> Offer | None:
        """Where a change of a row, or below a row, belongs that an earlier hand-over creates."""
        if lost is not None:
            return Offer(lost, prior.key if prior.row["status"] == "open" else None)
        self._check_form(mutation, self.who.role, mutation.kind == "create")
        if prior.row["status"] == "open":
            told = self.door.cell("suggestions", prior.key, "none").row
            return Offer((told["entity"], told["row_key"]), prior.key)
        cell = self._survivor(self.door.cell(made[0], made[1], "share"))
        if cell.rev:
            return Offer((cell.entity, cell.key)) if not self._may_work_on(cell) else None
        n = prior.row["n"]
        raise Refused("depends_on_refused", f"it depends on mutation {n}, which was handed over and declined", n=n)

    def _lost(self, mutation: Mutation) -> Place | None:
        """The row that the author lost, as it is known now; where it would lie, if it is new and below none."""
        cell = self.door.cell(mutation.entity, mutation.key)
        if cell.rev:
            return self._lost_row(mutation, cell)
        if mutation.kind != "create":
            return None
        parent, field = PARENTS.get(mutation.entity, ("", ""))
        key = mutation.set.get(field)
        if parent and is_key(key):
            above = self.door.cell(parent, key, "share")
            if above.rev == 0:
                return None
            survivor = self._survivor(above)
            may = self._may_work_on(survivor) if mutation.entity in access.BELOW_DEALS else self._sees(survivor)
            if not may:
                number = last_held(ALWAYS, self.past.spells(parent, key), self.past.intervals)
                return self._if_right(mutation, number, (parent, survivor.key))
        return self._lost_bucket(mutation)

    def _lost_row(self, mutation: Mutation, cell: Cell) -> Place | None:
        survivor = self._survivor(cell)
        if self._may_work_on(cell) and self._may_work_on(survivor):
            return None
        base = 0 if mutation.kind == "create" else mutation.base
        life = life_of(base, self.past.revisions(cell.entity, cell.key))
        if life is None:
            return None
        number = last_held(life, self.past.spells(cell.entity, cell.key), self.past.intervals)
        return self._if_right(mutation, number, (survivor.entity, survivor.key))

    def _lost_bucket(self, mutation: Mutation) -> Place | None:
        """A customer of a territory, or a deal or task of a person, whose work was its author's to give."""
        said = mutation.set
        if mutation.entity == "accounts":
            place = ("territories", str(said.get("territory_key")))
            bucket = f"territory:{place[1]}"
        elif mutation.entity in ("deals", "tasks"):
            place = ("users", str(said.get("owner_key", self.author)))
            bucket = f"book:{place[1]}"
        else:
            return None
        if bucket in (self.who.held or ()):
            return None
        ended = [held.span.end - 1 for held in self.past.intervals if held.bucket == bucket]
        return self._if_right(mutation, max(ended, default=None), place)

    def _if_right(self, mutation: Mutation, number: int | None, place: Place) -> Place | None:
        if number is None:
            return None
        self._check_form(mutation, self.past.role_at(number), self.door.cell(mutation.entity, mutation.key).rev == 0)
        return place

    def _check_form(self, mutation: Mutation, role: str, creates: bool) -> None:
        """What would have been refused whoever had the row: form, fields, and what the author's role did not allow."""
        entity = mutation.entity
        then = Who(self.author, role, frozenset())
        if mutation.kind not in ("create", "update"):
            written = PARENTS[entity][0] if entity == QUESTIONS and mutation.kind not in KINDS else entity
            edits.check_rights(then, written, (), creating=False)
            self._check_arguments(mutation)
            return
        said = {f: v for f, v in mutation.set.items() if (entity, f) != (notes.ENTITY, notes.UPDATE_FIELD)}
        edits.check_rights(then, entity, said, creating=creates)
        check_values(entity, said)
        owner = AUTHORED.get(entity)
        if not creates:
            return
        if owner is not None:
            said.setdefault(owner, self.author)
            if said[owner] != self.author and not self.past.held(f"book:{said[owner]}"):
                raise Refused("field_not_permitted", f"{entity}.{owner} must be you or one of your people", field=owner)
        check_required(entity, said)

    def _check_arguments(self, mutation: Mutation) -> None:
        rule = TRANSITIONS.get(mutation.kind)
        if rule is None:
            return
        try:
            msgspec.convert(mutation.set, rule.args)
        except msgspec.ValidationError as error:
            raise Refused("command_invalid", f"{mutation.kind}: {error}") from None

    def _survivor(self, cell: Cell) -> Cell:
        if not cell.gone:
            return cell
        return self.door.cell(cell.entity, self.door.survivor(cell.entity, cell.key))

    def _sees(self, cell: Cell) -> bool:
        return edits.is_visible(self.door, self.who, cell)

    def _may_work_on(self, cell: Cell) -> bool:
        work = edits.work_of(self.door, cell)
        return self._sees(cell) and access.may_change_row(work.entity, work.row, self.who.held or frozenset())

    # -- what it builds on ----------------------------------------------------------------------------------------

    def _needs(self, mutation: Mutation) -> set[Place]:
        """Without which it cannot be: the row itself, and the parent of a new one."""
        parent, field = PARENTS.get(mutation.entity, ("", ""))
        above = {(parent, mutation.set[field])} if mutation.kind == "create" and is_key(mutation.set.get(field)) else ()
        return {(mutation.entity, mutation.key), *above}

    def _names(self, mutation: Mutation) -> set[Place]:
        return {
            (target, mutation.set[field])
            for field, target in SHAPES[mutation.entity].references.items()
            if is_key(mutation.set.get(field))
        }

    def _earlier(self) -> list[Cell]:
        """This device's hand-overs, the newest first."""
        if not self._read:
            table = ROWS["handovers"]
            mine = (table.c.author_key == self.author, table.c.device_key == self.device)
            keys = self.door.connection.execute(select(table.c.key).where(*mine)).scalars().all()
            self.door.load("handovers", keys, "none")
            self._read = True
        mine_here = (c for c in self.door.cells_of("handovers") if c.exists and c.row["device_key"] == self.device)
        return sorted(mine_here, key=lambda cell: -int(cell.row["n"]))

    # -- keeping it -----------------------------------------------------------------------------------------------

    def _join(self, item: Numbered, origin: Origin, offer: Offer) -> str | None:
        """Into a hand-over of this push, which nobody can have seen yet."""
        if offer.prior is None:
            return None
        cell = self.door.cell("suggestions", offer.prior, "none")
        kept = [*(cell.row["mutations"] or ()), _kept(item, origin)] if cell.exists else []
        if any(self._is_alone(str(one["mutation"]["kind"])) for one in kept):
            return None  # it cannot be one of several: it waits for what it builds on
        same = cell.exists and (cell.row["entity"], cell.row["row_key"]) == offer.anchor
        if cell.stored or not same or len(kept) > UNIT_SIZE_MAX or len(msgspec.json.encode(kept)) > MUTATION_BYTES_MAX:
            return None
        own, origin = self.door.cell("handovers", cell.key, "none"), _noted(origin)
        self.door.put(cell, {"mutations": kept}, origin, "join")
        self.door.put(own, {"mutations": [*own.row["mutations"], refusals.content_of(item)]}, origin, "join")
        return cell.key

    def _write(self, items: Sequence[Numbered], origins: Sequence[Origin], offer: Offer) -> str:
        first, origin = items[0], _noted(origins[0])
        key = refusals.key_of(self.device, first.n)
        shared = {"author_key": self.author, "device_key": self.device}
        told = {
            **shared,
            "entity": offer.anchor[0],
            "row_key": offer.anchor[1],
            "other_key": "",
            "kind": "handover",
            "score_bp": 0,
            "mutations": [_kept(item, at) for item, at in zip(items, origins, strict=True)],
            "also_in": self._also_in(lies_in(self.door, offer.anchor)),
            "after_key": offer.prior,
        }
        self.door.put(self.door.cell("suggestions", key, "none"), told, origin, "create")
        mutation = first.mutation
        assert mutation is not None
        own = {
            **shared,
            "n": first.n,
            "entity": mutation.entity,
            "row_key": mutation.key,
            "kind": mutation.kind,
            "mutations": [refusals.content_of(item) for item in items],
        }
        self.door.put(self.door.cell("handovers", key, "none"), own, origin, "create")
        return key

    def _also_in(self, buckets: set[str]) -> str | None:
        """Where else it lies: nowhere, if anybody works with the row; else with the author's managers, or directors,
        unless the author sees that bucket himself."""
        if has_decider(self.door, buckets, self.author):
            return None
        organisation = scope.read_organisation(self.door.connection)
        today, held = scope.today(self.door.connection, self.door.now_ms), self.who.held or frozenset()
        team = handover.deciding_team(organisation, self.author, today, held)
        if team is not None:
            return f"manage:{team}"
        return "unassigned" if "unassigned" not in held else None


def lies_in(door: Door, anchor: Place) -> set[str]:
    """Where a hand-over of this row lies, or of what is new in this territory or in this person's book."""
    entity, key = anchor
    if entity == "territories":
        return {f"territory:{key}"}
    return {f"book:{key}"} if entity == "users" else set(door.buckets(door.cell(entity, key)))


def has_decider(door: Door, buckets: set[str], author: str) -> bool:
    """Whether anybody else who works with customers holds one of these buckets; `unassigned` is nobody's work."""
    users, held = ROWS["users"], scope_intervals
    found = (
        select(held.c.user_key)
        .join(users, users.c.key == held.c.user_key)
        .where(held.c.bucket.in_(buckets - {"unassigned"}), held.c.until_seq.is_(None))
        .where(users.c.role.in_(DECIDES), users.c.active, held.c.user_key != author)
    )
    return door.connection.execute(found.limit(1)).first() is not None


def _noted(origin: Origin) -> Origin:
    """These rows are the server's: what history has under a mutation's number is what it changed when it landed."""
    return Origin(origin.author_key, origin.at, origin.stored_at)


def _kept(item: Numbered, origin: Origin) -> dict[str, Any]:
    """In words of today: a later version turns them from there (S32)."""
    assert item.mutation is not None
    said = msgspec.structs.replace(item.mutation, contract=CONTRACT_MAX)
    return {"mutation": msgspec.to_builtins(said), "at": origin.at}


def _waits(item: Numbered, suggestion: str) -> Receipt:
    """The receipt of what was handed over; the code is for devices that know no such outcome."""
    assert item.mutation is not None
    entity, key, code = item.mutation.entity, item.mutation.key, "handed_over"
    text = CATALOGUE[code].title
    return Receipt(item.n, code, entity, key, code=code, text=text, suggestion=suggestion, digest=item.digest)
