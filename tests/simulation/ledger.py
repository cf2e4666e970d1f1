"""What the phones sent and what they were told: the books that the checkers audit.

Every mutation of every request is written down under its (device, n), and every receipt that any answer carried. A
number that is sent with two contents, or answered with two receipts, is noticed at once; but for the numbers of phones
whose file was copied: there a second content is somebody else's, and noted beside the first.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sync.protocol import DURABLE_AFTER_MS
from tests.simulation.failure import Failed

Mark = tuple[str, int]  # device, n
REUSED = "mutation_reused"


class Ledger:
    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.sent: dict[Mark, dict[str, Any]] = {}
        self.receipts: dict[Mark, dict[str, Any]] = {}
        self.cloned: set[str] = set()  # registrations that several phones use
        self.copies: dict[Mark, list[dict[str, Any]]] = {}  # other contents of such a number
        self.reused: list[tuple[str, dict[str, Any]]] = []  # device, content that was answered so
        self.drained: list[tuple[str, dict[str, Any]]] = []  # device, content that the quarantine has
        self.erased: set[str] = set()  # registrations whose phones hold nothing any more
        self.left: set[str] = set()  # registrations that have drained
        self.durable: set[Mark] = set()  # lost with a backup, but acknowledged too long ago to be sent again
        self.restores = 0
        self._told_at: dict[Mark, int] = {}

    def note_sent(self, device: str, body: bytes) -> None:
        for mutation in msgspec.json.decode(body).get("mutations", ()):
            known = self.sent.setdefault((device, mutation["n"]), mutation)
            if known != mutation:
                if device not in self.cloned:
                    raise Failed("exactly_once", f"{device} sends {mutation} and before {known}")
                others = self.copies.setdefault((device, mutation["n"]), [])
                others += [mutation] if mutation not in others else []

    def note_answer(self, device: str, body: bytes, answer: bytes) -> None:
        request, told = msgspec.json.decode(body), msgspec.json.decode(answer.split(b"\n", 1)[0])
        said = request.get("mutations", ())
        if "drained" in told:
            self.left |= {device} if told["next_part"] is None else set()
            self.drained += [(device, mutation) for mutation in said]
        push = told.get("push")
        for receipt in push["receipts"] if push else ():
            if receipt.get("code") == REUSED:
                self.reused += [(device, mutation) for mutation in said if mutation["n"] == receipt["n"]]
                continue
            if (receipt["outcome"], receipt.get("code")) == ("refused", "handed_over") and request.get(
                "contract", 1
            ) < 2:
                receipt["outcome"] = "handed_over"  # in the words of its version (S32)
            known = self.receipts.setdefault((device, receipt["n"]), receipt)
            self._told_at.setdefault((device, receipt["n"]), self._now_ms())
            if known != receipt:
                raise Failed("exactly_once", f"{device} is answered {receipt} and before {known}")

    def note_restored(self, last_n: dict[str, int]) -> None:
        """The server is as it was when these were the last numbers: what it said after that is forgotten."""
        self.restores += 1
        old = self._now_ms() - DURABLE_AFTER_MS
        for mark in [mark for mark in self.receipts if mark[1] > last_n.get(mark[0], 0)]:
            del self.receipts[mark]
            if self._told_at.pop(mark) <= old:
                self.durable.add(mark)
        self.reused, self.drained = [], []
        self.durable |= {mark for mark in self.sent if mark[0] in self.erased | self.left}
