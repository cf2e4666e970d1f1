"""What a row will look like when the queue has landed: a pure prediction, by the server's own merge (S24, S29).

`on_top` lays the kept mutations of one row over its synced copy. The device holds no field stamps, so it derives them:
a group that differs between the row at the edit's base and the synced row was set by somebody else, unless an own
acknowledged mutation says so. When somebody else set it is not known, so `latest` shows the own edit; the server may
decide otherwise, and the next page says so. Decides no rights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from sfa.core.deal_states import handed_on
from sfa.core.errors import Refused
from sfa.core.rules import TRANSITIONS, transition
from sfa.core.shapes import SHAPES
from sfa.core.transitions import Lookup
from sync import words
from sync.device.outbox import Queued
from sync.merge import Edit, Merged, edited_since, merge, merge_command
from sync.policy import strategy_of
from sync.protocol import KINDS

Stamps = dict[str, list[Any]]

# Commands that run on the server only; of their effect the device shows the status at most.
SERVER_COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "account.merge": ("accounts", {}),
    "contact.merge": ("contacts", {}),
    "account.unmerge": ("accounts", {}),
    "contact.unmerge": ("contacts", {}),
    "conflict.restore": ("conflicts", {"status": "restored"}),
    "conflict.dismiss": ("conflicts", {"status": "dismissed"}),
    "refusal.dismiss": ("refusals", {"status": "dismissed"}),
    "suggestion.accept": ("suggestions", {"status": "accepted"}),
    "suggestion.decline": ("suggestions", {"status": "declined"}),
    "visit.amend": ("visits", {}),
    "quota.approve": ("quotas", {"status": "approved"}),
    "quota.reset": ("quotas", {"status": "draft"}),
    "quota.challenge": ("quotas", {}),
    "quota.decide": ("quotas", {}),
    "quota.spread": ("quotas", {}),
    "deal.quote": ("deals", {}),
    "deal.propose": ("deals", {}),
    "proposal.submit": ("proposals", {}),
    "proposal.approve": ("proposals", {}),
    "proposal.reject": ("proposals", {}),
    "proposal.render": ("proposals", {}),
    "proposal.send": ("proposals", {}),
    "proposal.withdraw": ("proposals", {}),
    "proposal.revise": ("proposals", {}),
    "proposal.resend": ("proposals", {}),
    "proposal.revoke_link": ("proposals", {}),
    "proposal_question.answer": ("proposal_questions", {}),
}
UNTOLD = frozenset({"created_at", "created_by"})  # set by the server: no edit of anybody
STAYS = (None, "applied", "merged")  # any other outcome: what the server made of it is on its way


class Synced(Struct, frozen=True):
    """The server's last word on a row."""

    rev: int
    row: dict[str, Any]


def entity_of(command: str) -> str | None:
    """The entity that a command acts on."""
    if command in TRANSITIONS:
        return TRANSITIONS[command].entity
    return SERVER_COMMANDS[command][0] if command in SERVER_COMMANDS else None


def blank(entity: str) -> dict[str, Any]:
    """A row with every field at its default, as a create starts from."""
    shape = SHAPES[entity]
    row: dict[str, Any] = dict.fromkeys(shape.types)
    row.update({f: list(v) if isinstance(v, list) else v for f, v in shape.defaults.items()})
    return row


def completed(entity: str, row: dict[str, Any]) -> dict[str, Any]:
    """A document that an older app or server wrote, with what the entity has gained since at its default."""
    return row if len(row) >= len(SHAPES[entity].types) else {**blank(entity), **row}


def _base_row(edit: Queued) -> dict[str, Any]:
    return completed(edit.entity, edit.base_row) if edit.base_row else blank(edit.entity)


def on_top(
    synced: Synced | None, queue: Sequence[Queued], seen_seq: int, device: str, user: str, lookup: Lookup
) -> dict[str, Any] | None:
    """The row as the user sees it, or None. `queue` is everything kept about this row, oldest first."""
    return _Prediction(synced, device, user, lookup).of(queue, seen_seq)


def _says(synced: Any, said: Any, corrected: bool) -> bool:
    """Whether it says the same; of what the server corrected, that there is one."""
    return bool(synced == said or (corrected and None not in (synced, said)))


class _Prediction:
    """The row while edits are laid over it one by one. `own` are the groups whose synced value is this device's."""

    def __init__(self, synced: Synced | None, device: str, user: str, lookup: Lookup) -> None:
        self.synced, self.device, self.user, self.lookup = synced, device, user, lookup
        self.row = dict(synced.row) if synced is not None else None
        self.rev = synced.rev if synced is not None else 0
        self.own: set[str] = set()
        self.last: Queued | None = None  # the last own edit: what the next one was made on top of
        self.shown: dict[str, Any] = {}  # the row as its user saw it right after that
        self.stamps: Stamps = {}

    def of(self, queue: Sequence[Queued], seen_seq: int) -> dict[str, Any] | None:
        for edit in queue:
            if edit.outcome not in STAYS:
                continue
            if edit.outcome is not None and (edit.seq <= seen_seq or edit.rev <= self.rev):
                self._recognise(edit)
            else:
                self._lay(edit)
        return self.row

    def _recognise(self, edit: Queued) -> None:
        """The synced row holds this edit already: the groups that still say what it said are this device's own."""
        if self.synced is None or edit.kind == "delete":
            return
        shape = SHAPES[edit.entity]
        said = self._said(edit, _base_row(edit))
        if edit.kind in TRANSITIONS:  # its instants were corrected by the server
            said = {field: said[field] for field in TRANSITIONS[edit.kind].agree if field in said}
        for group in {shape.group_of[field] for field in said}:
            fields = [field for field in shape.groups[group] if field in said]
            corrected = {field for field in fields if edit.kind in TRANSITIONS and field.endswith("_at")}
            is_own = all(_says(self.synced.row[field], said[field], field in corrected) for field in fields)
            (self.own.add if is_own else self.own.discard)(group)
        self._show(edit, said)

    def _held(self, edit: Queued, base_row: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the user saw before this edit: its base, and on top the own edits that the base did not hold yet."""
        if self.last is None or not self.shown or 0 < self.last.rev <= edit.base:
            return base_row
        if self.last.base == edit.base:
            return {**base_row, **self.shown}
        before = _base_row(self.last)
        both = {f: words.merge(before[f] or "", base_row[f] or "", v) for f, v in self.shown.items()}
        return {**base_row, **{f: v for f, v in both.items() if v is not None}}

    def _show(self, edit: Queued, said: Mapping[str, Any]) -> None:
        held = self._held(edit, _base_row(edit))
        merging = (f for f in SHAPES[edit.entity].types if strategy_of(edit.entity, f) == "text")
        self.shown = {field: said.get(field, held[field]) for field in merging}
        self.last = edit

    def _said(self, edit: Queued, row: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that an edit would set; nothing where the row's state forbids it."""
        if edit.kind in SERVER_COMMANDS:
            return SERVER_COMMANDS[edit.kind][1]
        if edit.kind not in TRANSITIONS:
            return edit.fields if edit.kind in KINDS else {}  # what an unknown command does, the server knows
        try:
            done = transition(edit.kind, row, edit.fields, edit.at, self.lookup)
        except Refused:
            return {}
        agrees = all(row[field] == done.values[field] for field in TRANSITIONS[edit.kind].agree)
        return {} if done.illegal is not None or agrees else done.values

    def _lay(self, edit: Queued) -> None:
        if edit.kind == "delete":
            self._delete(edit)
        elif self.row is None:
            if edit.kind == "create":
                self._create(edit)
        else:
            self._merge(edit, self._said(edit, self.row))

    def _create(self, edit: Queued) -> None:
        self.row = {**blank(edit.entity), "created_at": edit.at, "created_by": self.user, **edit.fields}
        self._stamp(edit, edit.fields, frozenset(SHAPES[edit.entity].groups))
        self._show(edit, edit.fields)

    def _delete(self, edit: Queued) -> None:
        """A deletion that would throw away what others wrote is offered again, not done (S26)."""
        if self.row is None:
            return
        stamps = self._stamps(edit, SHAPES[edit.entity].groups)
        if not edited_since(stamps, edit.base, self.rev, self.device):
            self.row = None

    def _merge(self, edit: Queued, said: Mapping[str, Any]) -> None:
        assert self.row is not None
        row = self.row
        base_row = _base_row(edit)
        stamps = self._stamps(edit, {SHAPES[edit.entity].group_of[field] for field in said})
        meant = Edit(said, edit.base, self.device, edit.at)
        held = self._held(edit, base_row)

        def texts(field: str, mine: str, theirs: str) -> str | None:
            return words.merge(held[field], theirs, mine)

        def merged_with(values: Mapping[str, Any]) -> Merged:
            part = structs.replace(meant, values=values)
            return merge(edit.entity, row, self.rev, stamps, part, base_row.__getitem__, merge_texts=texts)

        rule = TRANSITIONS.get(edit.kind)
        merged = merge_command(rule, said, merged_with) if rule is not None else merged_with(said)
        values = dict(merged.values)
        if edit.entity == "deals":
            values |= handed_on(row, values, self.lookup)
        self.row.update(values)
        self._show(edit, said)
        self._stamp(edit, values, merged.verbatim)

    def _stamps(self, edit: Queued, groups: "Mapping[str, Any] | set[str]") -> Stamps:
        """The stamps as far as this device can know them: its own later edits, and others' since the edit's base."""
        found: Stamps = {}
        base_row = _base_row(edit)
        for group in groups:
            if group in self.stamps:
                found[group] = self.stamps[group]
            elif self.synced is not None and group not in self.own and group not in UNTOLD:
                fields = SHAPES[edit.entity].groups[group]
                if any(self.synced.row[field] != base_row[field] for field in fields):
                    found[group] = [self.rev, None, 0, None]
        return found

    def _stamp(self, edit: Queued, values: Mapping[str, Any], verbatim: frozenset[str]) -> None:
        """What the door would stamp: one revision later, and foreign to everybody where it came out of a merge."""
        for group in {SHAPES[edit.entity].group_of[field] for field in values}:
            own = self.device if group in verbatim else None
            self.stamps[group] = [self.rev + 1, own, edit.at, self.device]
