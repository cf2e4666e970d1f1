"""What the phones sent and what they were told: the books that the checkers audit.

Every mutation of every request is written down under its (device, n), and every receipt that any answer carried. A
number that is sent with two contents, or answered with two receipts, is noticed at once.
"""

from typing import Any

import msgspec

from tests.simulation.failure import Failed

Mark = tuple[str, int]  # device, n


class Ledger:
    def __init__(self) -> None:
        self.sent: dict[Mark, dict[str, Any]] = {}
        self.receipts: dict[Mark, dict[str, Any]] = {}

    def note_sent(self, device: str, body: bytes) -> None:
        for mutation in msgspec.json.decode(body).get("mutations", ()):
            known = self.sent.setdefault((device, mutation["n"]), mutation)
            if known != mutation:
                raise Failed("exactly_once", f"{device} sends {mutation} and before {known}")

    def note_answer(self, device: str, answer: bytes) -> None:
        push = msgspec.json.decode(answer).get("push")
        for receipt in push["receipts"] if push else ():
            known = self.receipts.setdefault((device, receipt["n"]), receipt)
            if known != receipt:
                raise Failed("exactly_once", f"{device} is answered {receipt} and before {known}")
