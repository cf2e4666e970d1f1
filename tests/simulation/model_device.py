"""A second, independent device in a hundred lines of memory: the protocol as its document tells it, and nothing else.

Rows are held through buckets and go with the last one (S13); a reset marks a generation and sweeps the older one at
`caught_up` (S15); the outbox keeps what has no receipt (S17). The reference device and this one play in the same runs,
so that a mistake which both server and reference device share is not overlooked.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from sync.device.transport import ConnectionLost
from tests.simulation.failure import Failed

Post = Callable[[bytes], tuple[int, bytes]]
ROUNDS_MAX = 400


class ModelDevice:
    """`on_page(caught_up)` is called after every answer that was taken in."""

    def __init__(self, user: str, post: Post, now: Callable[[], int]) -> None:
        self.user, self._post, self._now = user, post, now
        self.rows: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self._held: dict[tuple[str, str], dict[str, int]] = {}  # row -> bucket -> generation
        self._generation = 0
        self._sweeping = False
        self.cursor: str | None = None
        self.outbox: list[dict[str, Any]] = []
        self._last_n = 0
        self._push_seq = 0

    # -- the queue ----------------------------------------------------------------------------------------------

    def queue(self, kind: str, entity: str, key: str, fields: dict[str, Any]) -> dict[str, Any]:
        base = 0 if kind == "create" else self.rows.get((entity, key), (0, {}))[0]
        self._last_n += 1
        mutation: dict[str, Any] = {"n": self._last_n, "entity": entity, "key": key, "kind": kind}
        mutation |= {"at": self._now(), "base": base, "set": fields}
        self.outbox.append(mutation)
        return mutation

    def queue_unit(self, parts: list[tuple[str, str, str, dict[str, Any]]]) -> None:
        made = [self.queue(*part) for part in parts]
        for mutation in made:
            mutation["unit"] = {"id": f"u{made[0]['n']}", "size": len(made)}

    # -- the round ----------------------------------------------------------------------------------------------

    def sync(self, page_rows: int, on_page: Callable[[bool], None]) -> bool:
        for _ in range(ROUNDS_MAX):
            cursor = self.cursor
            request: dict[str, Any] = {"user": self.user, "now": self._now(), "mutations": self.outbox}
            request |= {"page_rows": page_rows, "at_least": self._push_seq, "digest": True}
            if cursor is not None:
                request["cursor"] = cursor
            status, body = self._post(msgspec.json.encode(request))
            if status != 200:
                raise ConnectionLost(f"{status} {body.decode()}")
            caught_up = self._take(msgspec.json.decode(body), cursor)
            on_page(caught_up)
            if caught_up and not self.outbox:
                return True
        return False

    def _take(self, answer: dict[str, Any], asked_with: str | None) -> bool:
        push = answer.get("push")
        if push is not None:
            done = {receipt["n"] for receipt in push["receipts"]}
            self.outbox = [m for m in self.outbox if m["n"] not in done]
            self._push_seq = max(self._push_seq, push["seq"])
        if self.cursor != asked_with:
            return False  # another sync of this device was faster: its page counts
        return self._take_page(answer["page"])

    def _take_page(self, page: dict[str, Any]) -> bool:
        if page.get("reset") is not None:
            self.start_over()
        for bucket in page["drops"]:
            for place in list(self._held):
                self._leave(place, bucket)
        for changes in page["changes"]:
            for item in changes["items"]:
                place = (item["entity"], item["key"])
                if item.get("gone"):
                    self._leave(place, changes["bucket"])
                else:
                    self._held.setdefault(place, {})[changes["bucket"]] = self._generation
                    if item["rev"] >= self.rows.get(place, (0, {}))[0]:
                        self.rows[place] = (item["rev"], item["row"])
        if page["caught_up"] and self._sweeping:
            self.sweep()
        self.cursor = page["cursor"]
        if page["caught_up"] and page["digests"] != self.digests():
            raise Failed("agreed", f"{self.user}'s sums are {self.digests()}, the page's {page['digests']}")
        return bool(page["caught_up"])

    def digests(self) -> dict[str, dict[str, Any]]:
        """Bucket -> count and sum, as the document tells them (S16)."""
        sums: dict[str, list[int]] = {}
        for place, buckets in self._held.items():
            found = hashlib.sha256("/".join((*place, str(self.rows[place][0]))).encode()).digest()[:8]
            for bucket in buckets:
                sums.setdefault(bucket, []).append(int.from_bytes(found, "big"))
        return {b: {"count": len(parts), "sum": f"{sum(parts) % 2**64:016x}"} for b, parts in sums.items()}

    def start_over(self) -> None:
        self._generation += 1
        self._sweeping = True

    def sweep(self) -> None:
        """What did not arrive since the reset is not in the scope."""
        for place, buckets in list(self._held.items()):
            for bucket in [b for b, generation in buckets.items() if generation < self._generation]:
                self._leave(place, bucket)
        self._sweeping = False

    def _leave(self, place: tuple[str, str], bucket: str) -> None:
        buckets = self._held.get(place, {})
        buckets.pop(bucket, None)
        if not buckets:
            self._held.pop(place, None)
            self.rows.pop(place, None)
