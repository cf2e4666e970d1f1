"""The server's books at the end of a seed, read once for all checkers that audit them."""

from typing import Any

import msgspec
from msgspec import Raw
from sqlalchemy import Connection, select

from sfa.db.tables import devices, drains, history, receipts, redirects
from sync.numbers import read_item
from tests.older_contract import VERSIONS_FROM_0
from tests.simulation.ledger import Ledger, Mark
from tests.simulation.snapshot import Snapshot


class Books:
    """`made` are the history entries of each (device, n), `told` its stored receipt, `sent` what was taken under it."""

    def __init__(self, connection: Connection, snapshot: Snapshot, ledger: Ledger) -> None:
        self.snapshot, self.ledger = snapshot, ledger
        self.history = [dict(row._mapping) for row in connection.execute(select(history).order_by(history.c.rev))]
        self.made: dict[Mark, list[dict[str, Any]]] = {}
        for entry in self.history:
            if entry["device_key"] is not None:
                self.made.setdefault((entry["device_key"], entry["n"]), []).append(entry)
        self.receipt_rows = [dict(row._mapping) for row in connection.execute(select(receipts))]
        self.told: dict[Mark, dict[str, Any]] = {}
        for row in self.receipt_rows:
            for item in row["items"]:
                last = item["details"]["last_n"] if item["outcome"] == "skipped" else item["n"]
                for n in range(item["n"], last + 1):
                    self.told.setdefault((row["device_key"], n), item)
        numbers = connection.execute(select(devices.c.key, devices.c.last_n))
        self.last_n: dict[str, int] = {key: last_n for key, last_n in numbers}  # noqa: C416 - rows are no pairs
        self.state: dict[str, tuple[str, int | None]] = {
            row.key: (row.state, row.ended_at)
            for row in connection.execute(select(devices.c.key, devices.c.state, devices.c.ended_at))
        }
        self.drains = [dict(row._mapping) for row in connection.execute(select(drains))]
        self.sent = self._taken()
        self.redirects = [dict(row._mapping) for row in connection.execute(select(redirects))]

    def as_it_was_merged(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        """The row whose key an edit named, as it was when it was merged: the merge may have been undone since."""
        row: dict[str, Any] = {}
        found = None
        for made in self.history:
            if (made["entity"], made["key"]) == (entry["entity"], entry["via"]) and made["stored_at"] <= entry[
                "stored_at"
            ]:
                row.update({field: new for field, (_, new) in (made["changes"] or {}).items()})
                found = dict(row) if made["kind"] == "merge" else found
        return found

    def refusal_of(self, mark: Mark) -> dict[str, Any]:
        """The refusal of a mutation, empty if it was not refused."""
        stored = self.snapshot.rows.get(("refusals", f"{mark[0]}.{mark[1]}"))
        return stored.row if stored is not None else {}

    def is_repaired(self, mark: Mark) -> bool:
        """Whether it was refused, and landed later (S19)."""
        return self.refusal_of(mark).get("status") == "repaired"

    def landed_together(self, one: dict[str, Any], two: dict[str, Any]) -> bool:
        """Whether two history entries came of one repair."""
        by = [self.refusal_of((e["device_key"], e["n"])).get("repaired_by") for e in (one, two)]
        names = [
            b or (f"{e['device_key']}.{e['n']}" if e["n"] else "screen") for b, e in zip(by, (one, two), strict=True)
        ]
        return any(by) and names[0] == names[1] and one["stored_at"] == two["stored_at"]

    def conflicts_of(self, mark: Mark) -> list[dict[str, Any]]:
        start = f"{mark[0]}.{mark[1]}."
        return [s.row for (e, k), s in self.snapshot.rows.items() if e == "conflicts" and k.startswith(start)]

    def repeated(self, mark: Mark) -> dict[str, Any] | None:
        """The refusal that a mutation repairs with the words with which it was repaired already, by another copy or
        device of its author or at a screen: both are one repair (S2). None for what is no such repeat."""
        mutation, told = self.sent[mark], self.told.get(mark)
        if mutation.get("repairs") is None or told is None or told["outcome"] in ("refused", "skipped"):
            return None
        stored = self.snapshot.rows.get(("refusals", mutation["repairs"]))
        row = stored.row if stored is not None else {}
        if row.get("repaired_by") in (None, f"{mark[0]}.{mark[1]}"):
            return None
        first = self.snapshot.rows.get(("refusals", row["repairs_key"] or ""))
        landed = row["repaired_with"] or (first.row["repaired_with"] if first is not None else None)
        said = read_item(Raw(msgspec.json.encode(mutation)), mark[1], VERSIONS_FROM_0).mutation
        same = said is not None and {"key": said.key, "set": said.set} == landed
        return row if same else None

    def named(self, name: str) -> Mark | None:
        """The mutation that a name, `device.n`, is of."""
        device, _, n = name.rpartition(".")
        return (device, int(n)) if n.isdigit() and (device, int(n)) in self.told else None

    def conflict_keys(self, mark: Mark) -> list[str]:
        start = f"{mark[0]}.{mark[1]}."
        return sorted(k for e, k in self.snapshot.rows if e == "conflicts" and k.startswith(start))

    def _taken(self) -> dict[Mark, dict[str, Any]]:
        """What was taken under each number: of a copied phone's contents the one that the receipt is about."""
        found = dict(self.ledger.sent)
        for mark, others in self.ledger.copies.items():
            told = self.told.get(mark)
            for content in (found[mark], *others):
                if told is not None and read_item(Raw(msgspec.json.encode(content)), mark[1]).digest == told.get(
                    "digest"
                ):
                    found[mark] = content
        return found
