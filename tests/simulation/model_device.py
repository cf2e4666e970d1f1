"""A second, independent device in a hundred lines of memory: the protocol as its document tells it, and nothing else.

Rows are held through buckets and go with the last one (S13); a reset marks a generation and sweeps the older one at
`caught_up` (S15); the outbox keeps what has no receipt (S17), what has one is kept until it is durable and shown, and
sent again to a server that was restored (S21); what a registration that ended still has is drained (S31). The reference
device and this one play in the same runs, so that a mistake which both server and reference device share is not
overlooked.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from sync.device.transport import ConnectionLost
from sync.protocol import CONTRACT_MAX
from tests.simulation.failure import Failed

Post = Callable[[str, bytes], tuple[int, bytes]]
ROUNDS_MAX = 400


class ModelDevice:
    """`on_page(caught_up)` is called after every answer that was taken in."""

    def __init__(self, user: str, post: Post, now: Callable[[], int]) -> None:
        self.user, self._post, self._now = user, post, now
        self.rows: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self._held: dict[tuple[str, str], dict[str, int]] = {}  # row -> bucket -> generation
        self._came: dict[tuple[str, str], int] = {}  # row -> generation
        self._generation = 0
        self._sweeping = False
        self.cursor: str | None = None
        self.outbox: list[dict[str, Any]] = []
        self.kept: list[tuple[dict[str, Any], int]] = []  # answered, with the clock of their push
        self._last_n = 0
        self._units = 0
        self._push_seq = 0
        self._expected = 1
        self._epoch: str | None = None
        self.heard_at = 0  # by its own clock
        self._moving = False
        self.ended: str | None = None  # why this registration pushes no more
        self.contract = CONTRACT_MAX
        self.handed: dict[str, tuple[str, str]] = {}  # suggestion -> the row that it was about
        self.carried: dict[str, Any] = {}  # attachment -> its file (`pockets`)
        self.erasures = 0

    def speak(self, contract: int) -> None:
        """The app is of another version from now on; what it holds and has queued stays as it is (S32)."""
        self.contract = contract

    @property
    def epoch(self) -> str | None:
        """The history of the server that its last answer was of."""
        return self._epoch

    # -- the queue ----------------------------------------------------------------------------------------------

    def queue(self, kind: str, entity: str, key: str, fields: dict[str, Any]) -> dict[str, Any]:
        base = 0 if kind == "create" else self.rows.get((entity, key), (0, {}))[0]
        self._last_n += 1
        mutation: dict[str, Any] = {"n": self._last_n, "entity": entity, "key": key, "kind": kind}
        mutation |= {"at": self._now(), "base": base, "set": fields, "contract": self.contract}
        self.outbox.append(mutation)
        return mutation

    def queue_repair(self, refusal: str, set: dict[str, Any], without: list[str], key: str) -> bool:  # noqa: A002
        """A refused mutation again, in place of its refusal, on the revision that it was made on (S19)."""
        found = self.rows.get(("refusals", refusal))
        if found is None:
            return False
        content = found[1]["mutation"]
        kept = {field: value for field, value in content.get("set", {}).items() if field not in without}
        mutation = self.queue(content["kind"], content["entity"], key, {**kept, **set})
        mutation |= {"base": content.get("base", 0), "repairs": refusal}
        return True

    def queue_unit(self, parts: list[tuple[str, str, str, dict[str, Any]]]) -> None:
        made = [self.queue(*part) for part in parts]
        if not made:
            return
        self._units += 1
        for mutation in made:
            mutation["unit"] = {"id": f"u{self._units}", "size": len(made)}

    # -- the round ----------------------------------------------------------------------------------------------

    def sync(self, page_rows: int, on_page: Callable[[bool], None]) -> bool:
        for _ in range(ROUNDS_MAX):
            cursor = self.cursor
            request: dict[str, Any] = {"user": self.user, "now": self._now(), "page_rows": page_rows}
            request |= {"at_least": self._push_seq, "digest": True, "mutations": [], "contract": self.contract}
            request |= {"lines": True, "early": True}
            if cursor is not None:
                request["cursor"] = cursor
            if self.ended is None and not self._moving:
                request["mutations"] = self.outbox
                first = min([m["n"] for m in self._everything()], default=self._last_n + 1)
                if self._expected < first:
                    request["skip"] = {"first_n": 1, "last_n": first - 1}
            try:
                status, body = self._post("/sync", msgspec.json.encode(request))
            except ConnectionLost as lost:
                self._take_lines(getattr(lost, "received", b""), cursor, on_page)
                raise
            if status != 200:
                self._refused(msgspec.json.decode(body))
                raise ConnectionLost(f"{status} {body.decode()}")
            caught_up = self._take_lines(body, cursor, on_page)
            if caught_up and (not self.outbox or self.ended is not None):
                return not self.outbox
        return False

    def _everything(self) -> list[dict[str, Any]]:
        return [m for m, _ in self.kept] + self.outbox

    def _refused(self, problem: dict[str, Any]) -> None:
        """What ends a registration: unknown, lost, or its person left (S31)."""
        code = problem["code"]
        if code == "replica_behind":
            self._push_seq = 0  # it was restored, or it only lags: without the demand it can say so
        if code == "device_revoked" and problem.get("drain"):
            self.drain()
        if code in ("device_revoked", "device_wiped"):
            self.erase()
        if code in ("device_revoked", "device_wiped", "device_unknown"):
            self.ended = code

    def drain(self) -> None:
        request: dict[str, Any] = {"user": self.user, "now": self._now(), "mutations": self._everything()}
        status, body = self._post("/sync/drain", msgspec.json.encode(request))
        if status != 200 or msgspec.json.decode(body)["next_part"] is not None:
            raise ConnectionLost(f"{status} {body.decode()}")

    def erase(self) -> None:
        self.rows, self._held, self.outbox, self.kept, self.handed, self.cursor = {}, {}, [], [], {}, None
        self._last_n, self._push_seq, self._expected, self._epoch, self._moving = 0, 0, 1, None, False
        self.carried = {}
        self.erasures += 1

    def register_anew(self) -> None:
        """Another registration: the queue moves along, when the next answer has said whether anything else must."""
        self.ended, self._moving, self.cursor, self._push_seq = None, True, None, 0
        self.start_over()

    def _take_lines(self, body: bytes, asked_with: str | None, on_page: Callable[[bool], None]) -> bool:
        """Each line is a page that goes on where the one before ended; behind the last line break nothing is whole."""
        caught_up, head = False, dict[str, Any]()
        for line in body.split(b"\n")[:-1]:
            answer = head | msgspec.json.decode(line)
            push = answer.get("push")
            if push is not None and push["epoch"] == answer["epoch"]:
                answer["durable_n"] = push["durable_n"]
            head = head or {name: value for name, value in answer.items() if name != "push"}
            caught_up = self._take(answer, asked_with)
            on_page(caught_up)
            asked_with = answer["page"]["cursor"] if "page" in answer else asked_with
        return caught_up

    def _take(self, answer: dict[str, Any], asked_with: str | None) -> bool:
        push = answer.get("push")
        if push is not None and push["epoch"] != answer["epoch"]:
            push = None
        if self._epoch not in (None, answer["epoch"]):  # a backup was restored: its numbers of before mean nothing
            self._push_seq, self.handed = 0, {}
            self.outbox, self.kept = self._everything(), []
        self._epoch = answer["epoch"]
        self.heard_at = self._now()
        if self._moving:
            self.outbox, self.kept, self._moving, self._expected = [dict(m) for m in self.outbox], [], False, 1
            for n, mutation in enumerate(self.outbox, 1):
                mutation["n"] = n
            self._last_n = len(self.outbox)
        if push is not None:
            self._take_receipts(push)
        if self.cursor != asked_with or "page" not in answer:
            return False  # another sync of this device was faster: its page counts
        caught_up = self._take_page(answer["page"])
        if caught_up and "durable_n" in answer:
            self._forget(answer["durable_n"], answer["page"]["seq"])
        return caught_up

    def _take_receipts(self, push: dict[str, Any]) -> None:
        done = {r["n"] for r in push["receipts"] if r.get("code") != "mutation_reused"}
        handed = (r for r in push["receipts"] if r["outcome"] == "handed_over")
        self.handed |= {r["suggestion"]: (r["entity"], r["key"]) for r in handed}
        self.kept += [(m, push["seq"]) for m in self.outbox if m["n"] in done]
        again = [m for m, _ in self.kept if m["n"] >= push["expected_n"]]
        self.kept = [(m, seq) for m, seq in self.kept if m["n"] < push["expected_n"]]
        self.outbox = again + [m for m in self.outbox if m["n"] not in done]
        self._expected, self._push_seq = push["expected_n"], max(self._push_seq, push["seq"])
        if push["register_anew"] or push["expected_n"] > self._last_n + 1:
            self.ended = "mutation_reused"

    def _forget(self, durable_n: int, seen_seq: int) -> None:
        while self.kept and self.kept[0][0]["n"] <= durable_n and self.kept[0][1] <= seen_seq:
            del self.kept[0]

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
                    self._hold(place, changes["bucket"], item, page)
        if page["caught_up"] and self._sweeping:
            self.sweep()
        self.cursor = page["cursor"]
        if page["caught_up"] and page["digests"] != self.digests():
            raise Failed("agreed", f"{self.user}'s sums are {self.digests()}, the page's {page['digests']}")
        if page["caught_up"]:
            self._look_for_what_was_handed_over()
        return bool(page["caught_up"])

    def _hold(self, place: tuple[str, str], bucket: str, item: dict[str, Any], _page: dict[str, Any]) -> None:
        """A row that comes early comes again with its bucket: it is the same membership."""
        self._held.setdefault(place, {})[bucket] = self._generation
        of_before = self._came.get(place, 0) < self._generation  # a restored server's revisions are smaller
        if of_before or item["rev"] >= self.rows.get(place, (0, {}))[0]:
            self.rows[place] = (item["rev"], item["row"])
            self._came[place] = self._generation

    def _look_for_what_was_handed_over(self) -> None:
        """Its author finds what he typed, and what became of it (S37), as long as he holds anything."""
        missing = [key for key in self.handed if ("handovers", key) not in self.rows]
        if missing and self.rows:
            raise Failed("handed_over", f"{self.user} is not told of {missing}")

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
