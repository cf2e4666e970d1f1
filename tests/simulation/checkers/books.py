"""The server's books at the end of a seed, read once for all checkers that audit them."""

from typing import Any

from sqlalchemy import Connection, select

from sfa.db.tables import devices, history, receipts, redirects
from tests.simulation.ledger import Ledger, Mark
from tests.simulation.snapshot import Snapshot


class Books:
    """`made` are the history entries of each (device, n), `told` its stored receipt."""

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
                self.told.setdefault((row["device_key"], item["n"]), item)
        numbers = connection.execute(select(devices.c.key, devices.c.last_n))
        self.last_n: dict[str, int] = {key: last_n for key, last_n in numbers}  # noqa: C416 - rows are no pairs
        self.redirects = [dict(row._mapping) for row in connection.execute(select(redirects))]

    def conflicts_of(self, mark: Mark) -> list[dict[str, Any]]:
        start = f"{mark[0]}.{mark[1]}."
        return [s.row for (e, k), s in self.snapshot.rows.items() if e == "conflicts" and k.startswith(start)]
