"""How an edit meets what others did meanwhile: pure, and the same on server, reference device and in tests (S24, S29).

A group of fields is *concurrent* when its stamp is newer than the edit's base and is not this device's own last value
stored verbatim. Edits of different groups both survive; equal values are no conflict; every losing value is reported.
A stamp is `[rev, device or None, corrected time, device that wrote, its author]`: the second is None when the value
came out of a merge, so that it counts as foreign to everybody.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from sfa.core.shapes import SHAPES
from sfa.core.transitions import Rule
from sync import words
from sync.policy import strategy_of

GONE = "gone"
# field, this device's text, the one that stands -> both sides' words; None where that cannot be said, so that it is
# settled as by `ask`.
MergeTexts = Callable[[str, str, str], str | None]


class Edit(Struct, frozen=True):
    """A device's change of one row: made on revision `base`, at corrected time `at`."""

    values: Mapping[str, Any]
    base: int
    device: str
    at: int


class Lost(Struct, frozen=True):
    """A value that did not stand, with the one that does; `open` asks a person to decide."""

    group: str
    strategy: str
    losing: dict[str, Any]
    standing: dict[str, Any]
    open: bool
    lost_is_theirs: bool  # the value that stood before lost, not the edit's


class Merged(Struct, frozen=True):
    """`values` are to be written; of them the groups in `verbatim` are the device's own words."""

    values: dict[str, Any]
    verbatim: frozenset[str]
    lost: tuple[Lost, ...]


def is_concurrent(stamps: Mapping[str, list[Any]], group: str, base: int, rev: int, device: str) -> bool:
    """Whether somebody else set the group after `base`. A base that this server never gave (it was restored from a
    backup) cannot prove what the device had seen, so everything foreign counts."""
    stamp = stamps.get(group)
    if stamp is None or stamp[1] == device:
        return False
    return bool(stamp[0] > base or base > rev)


def merge(
    entity: str,
    row: Mapping[str, Any],
    rev: int,
    stamps: Mapping[str, list[Any]],
    edit: Edit,
    value_at_base: Callable[[str], Any],
    strategy: Callable[[str, str], str] = strategy_of,
    merge_texts: MergeTexts | None = None,
) -> Merged:
    """Merge one edit into a row. `value_at_base(field)` answers what the device held in the field before this edit: the
    value at its base, with its own edits since. It is asked only for a concurrent group that the edit names in part,
    for `union`, and for `text` where `merge_texts` is not given, which merges words without a document."""
    shape = SHAPES[entity]
    values: dict[str, Any] = {}
    verbatim: set[str] = set()
    lost: list[Lost] = []
    touched: dict[str, dict[str, Any]] = {}
    if merge_texts is None:

        def merge_texts(field: str, mine: str, theirs: str) -> str | None:
            return words.merge(value_at_base(field) or "", theirs, mine)

    for field, value in edit.values.items():
        touched.setdefault(shape.group_of[field], {})[field] = value
    for group, mine in touched.items():
        concurrent = is_concurrent(stamps, group, edit.base, rev, edit.device)
        if concurrent and strategy(entity, group) == "text":
            texts = {field: merge_texts(field, value, row[field]) for field, value in mine.items()}
            if None in texts.values():
                lost.append(Lost(group, "ask", mine, {field: row[field] for field in mine}, True, False))
            else:
                values.update((field, text) for field, text in texts.items() if text != row[field])
            continue
        if all(row[field] == value for field, value in mine.items()):
            continue
        if not concurrent:
            values.update(mine)
            verbatim.add(group)
            continue
        fields = shape.groups[group]
        theirs = {field: row[field] for field in fields}
        mine = {field: mine[field] if field in mine else _held(entity, field, value_at_base, row) for field in fields}
        if mine == theirs:
            continue
        settled, loss = _settle(group, strategy(entity, group), mine, theirs, stamps[group], edit, value_at_base)
        values.update(settled)
        if loss is not None:
            lost.append(loss)
    return Merged(values, frozenset(verbatim), tuple(lost))


def _held(entity: str, field: str, value_at_base: Callable[[str], Any], row: Mapping[str, Any]) -> Any:
    """What the device held in a field that its edit does not name. Of a row that it never had (base 0) it held nothing;
    where a field is never null, what stands stays."""
    value = value_at_base(field)
    return row[field] if value is None and SHAPES[entity].defaults.get(field, "") is not None else value


def merge_command(rule: Rule, values: Mapping[str, Any], merge_group: Callable[[Mapping[str, Any]], Merged]) -> Merged:
    """Merge what a command would set: the fields that follow its state land where that lands, and nowhere else."""
    group_of = SHAPES[rule.entity].group_of
    merged = merge_group({field: value for field, value in values.items() if field not in rule.follow})
    state = group_of[rule.agree[0]]
    along = {field: values[field] for field in rule.follow if field in values}
    if not along or all(group_of[field] != state for field in merged.values):
        return merged
    verbatim = merged.verbatim | {group_of[field] for field in along}
    return structs.replace(merged, values={**merged.values, **along}, verbatim=verbatim)


def _settle(
    group: str,
    strategy: str,
    mine: dict[str, Any],
    theirs: dict[str, Any],
    stamp: list[Any],
    edit: Edit,
    value_at_base: Callable[[str], Any],
) -> tuple[dict[str, Any], Lost | None]:
    """-> (values to write, the loss to report)."""
    match strategy:
        case "latest":
            # Equal only for this device itself, whose later edit in one millisecond is the later one.
            if (edit.at, edit.device) >= (stamp[2], stamp[3] or ""):
                return mine, Lost(group, strategy, theirs, mine, False, True)
            return {}, Lost(group, strategy, mine, theirs, False, False)
        case "server":
            return {}, Lost(group, strategy, mine, theirs, False, False)
        case "union":
            return {f: union(value_at_base(f) or [], theirs[f] or [], mine[f] or []) for f in mine}, None
        case "greatest":
            best = {f: _greatest(theirs[f], mine[f]) for f in mine}
            return ({} if best == theirs else best), None
        case _:
            return {}, Lost(group, "ask", mine, theirs, True, False)


def union(base: list[Any], theirs: list[Any], mine: list[Any]) -> list[Any]:
    """Both sides' additions and removals, theirs first; an element removed by one and kept by the other goes."""
    removed = [x for x in base if x not in mine]
    merged = [x for x in theirs if x not in removed]
    return merged + [x for x in mine if x not in base and x not in merged]


def _greatest(theirs: Any, mine: Any) -> Any:
    return mine if theirs is None or (mine is not None and mine > theirs) else theirs


def edited_since(stamps: Mapping[str, list[Any]], base: int, rev: int, device: str) -> list[str]:
    """The groups that others set after `base`: what a deletion would have thrown away (S26)."""
    return sorted(g for g in stamps if g != GONE and is_concurrent(stamps, g, base, rev, device))
