"""What one transaction did to deals, in its order, as credits must know it (R17, R21).

Rows are written at the end of a transaction, when a deal that was reopened on the way may have other lines already. An
end that is reversed is credited by what stood at its reopening, so that one push of a phone says what two would have
said: `moved_by` undoes, in memory, what came after. It reads nothing and knows nothing of earlier transactions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from sfa.core.credits import Line
from sfa.db.cells import Cell
from sfa.db.storing import Version

MERGES = frozenset({"merge", "unmerge"})


class Then(Struct, frozen=True):
    """A deal at a reopening: its customer, and those of its lines that were touched later, None for what was none."""

    account_key: str | None
    lines: dict[str, Line | None]


class Moved(Struct, frozen=True):
    """`reopened` by (deal, number of the end); `merged` are the deals whose customer changed by nothing but merges,
    each with the changes (from, to) in order."""

    reopened: dict[tuple[str, int], Then] = field(default_factory=dict)
    merged: dict[str, list[tuple[str | None, str | None]]] = field(default_factory=dict)

    def account(self, deal_key: str, account_key: str | None) -> str | None:
        """What became of a customer that an end of the deal was credited at."""
        for before, after in self.merged.get(deal_key, ()):
            account_key = after if account_key == before else account_key
        return account_key


NOTHING = Moved()


def moved_by(cells: Mapping[tuple[str, str], Cell], entries: Sequence[Version]) -> Moved:
    """Of a transaction's rows as they are at its end, and its history in order."""
    ends = {place: found for place, e in enumerate(entries) if (found := _ended(e))}
    named = [e for e in entries if e.entity == "deals" and e.kind != "create" and "account_key" in e.changes]
    edited = {e.key for e in named if e.kind not in MERGES}
    merged: dict[str, list[tuple[str | None, str | None]]] = {}
    for e in named:
        if e.key not in edited:
            before, after = e.changes["account_key"]
            merged.setdefault(e.key, []).append((before, after))
    return Moved(_undone(cells, entries, ends) if ends else {}, merged)


def _ended(entry: Version) -> list[int]:
    """The numbers of the ends that a change of a deal reversed; one that was stored with its past says none."""
    if entry.entity != "deals" or entry.kind == "create" or "closings" not in entry.changes:
        return []
    before, after = (closings or [] for closings in entry.changes["closings"])
    return [n for n, end in enumerate(after, 1) if before[n - 1 : n] != [end]]


def _undone(
    cells: Mapping[tuple[str, str], Cell], entries: Sequence[Version], ends: Mapping[int, list[int]]
) -> dict[tuple[str, int], Then]:
    lived = _lived(cells, entries)
    rows: dict[str, dict[str, Any]] = {}
    accounts: dict[str, str | None] = {}
    lines: dict[str, dict[str, Line | None]] = {}
    found: dict[tuple[str, int], Then] = {}
    for place in range(len(entries) - 1, min(ends) - 1, -1):
        e = entries[place]
        if e.entity == "deals":
            account = accounts.setdefault(e.key, cells["deals", e.key].row["account_key"])
            for n in ends.get(place, ()):
                found.setdefault((e.key, n), Then(account, dict(lines.get(e.key, {}))))
            accounts[e.key] = e.changes.get("account_key", (account,))[0]
        elif e.entity == "deal_lines":
            row = rows.get(e.key, cells["deal_lines", e.key].row)
            lines.setdefault(row["deal_key"], {})[e.key] = None
            row = rows[e.key] = {**row, **{name: change[0] for name, change in e.changes.items()}}
            if lived[place]:
                lines.setdefault(row["deal_key"], {})[e.key] = Line(row["product_key"], row["quantity"])
    return found


def _lived(cells: Mapping[tuple[str, str], Cell], entries: Sequence[Version]) -> dict[int, bool]:
    """Place in the history -> whether that line was there before."""
    now: dict[str, bool] = {}
    found: dict[int, bool] = {}
    for place, e in enumerate(entries):
        if e.entity == "deal_lines":
            cell = cells["deal_lines", e.key]
            found[place] = now.get(e.key, cell.stored and not cell.was_gone)
            now[e.key] = e.kind != "delete"
    return found
