"""A trace played against another server, and what came out differently.

The other server starts with the same rows (a copy of the database, or the same made-up company) and gets the same
requests in the same order under a registration of its own. Numbers, cursors and times are translated, nothing else.
What is compared is what a device would see: what became of each mutation, and the rows that it holds whenever it has
caught up; how rows are spread over pages is not. A trace knows one device: what others changed meanwhile shows as rows
that differ, so differences say whether this device had a hand in the row.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from sync.device.trace import Exchange, Head

PAGES_MAX = 10_000
INSTANT_SLACK_MS = 5 * 60_000  # of instants in rows, where the trace is played at another time
RECEIPT = ("outcome", "code", "entity", "key", "rev", "depends_on_n", "restored")

Place = tuple[str, str]
Held = dict[Place, tuple[int, dict[str, Any]]]


class Difference(Struct, frozen=True):
    """`step` counts exchanges from 1. `own`: this device had a hand in it."""

    step: int
    what: str
    recorded: Any
    replayed: Any
    own: bool = True


class Target(Struct, frozen=True):
    """Where a trace is played: `post` answers like a transport's `/sync`; `shift(recorded_now_ms)` is told the server's
    time of the recorded answer before each request and answers how much later it is here."""

    user: str
    device: str
    post: Callable[[bytes], tuple[int, bytes]]
    shift: Callable[[int], int]


class Copies:
    """What a device holds: memberships in buckets, as pages bring them (S13, S15)."""

    def __init__(self) -> None:
        self._in: dict[str, dict[Place, tuple[int, dict[str, Any]]]] = {}
        self._marked: set[tuple[str, Place]] | None = None

    def take(self, page: Mapping[str, Any]) -> None:
        if page.get("reset"):
            self._marked = set()
        for bucket in page.get("drops", ()):
            self._in.pop(bucket, None)
        for change in page.get("changes", ()):
            rows = self._in.setdefault(change["bucket"], {})
            for item in change["items"]:
                place = (item["entity"], item["key"])
                if item.get("gone"):
                    rows.pop(place, None)
                    continue
                rows[place] = (item["rev"], item["row"])
                if self._marked is not None:
                    self._marked.add((change["bucket"], place))
        if page["caught_up"] and self._marked is not None:
            for bucket, rows in self._in.items():
                self._in[bucket] = {place: row for place, row in rows.items() if (bucket, place) in self._marked}
            self._marked = None

    def rows(self) -> Held:
        found: Held = {}
        for rows in self._in.values():
            for place, (rev, row) in rows.items():
                if place not in found or found[place][0] < rev:
                    found[place] = (rev, row)
        return found


class Replay:
    """Plays a trace; `steps` answers the differences as they appear, each once."""

    def __init__(self, head: Head, exchanges: list[Exchange], target: Target) -> None:
        self._head, self._exchanges, self._target = head, exchanges, target
        self._recorded, self._replayed = Copies(), Copies()
        self._cursor: str | None = None
        first = next((m["n"] for e in exchanges for m in e.request.get("mutations", ())), 1)
        self._less = first - 1  # the new registration counts from 1
        self._shift = 0
        self._touched: set[Place] = set()
        self._known: set[tuple[str, Any, Any]] = set()
        self._whole = True

    def steps(self) -> Iterator[list[Difference]]:
        """One list for each exchange of the trace."""
        if self._exchanges and self._exchanges[0].request.get("cursor"):
            self._whole = False  # the trace begins in the middle: only what it tells can be compared
            self._shift = self._target.shift(self._server_time(self._exchanges[0]))
            self._catch_up(self._exchanges[0].request | {"mutations": [], "cursor": None, "skip": None})
        for step, exchange in enumerate(self._exchanges, 1):
            yield [d for d in self._play(step, exchange) if self._is_new(d)]

    def _is_new(self, difference: Difference) -> bool:
        mark = (difference.what, repr(difference.recorded), repr(difference.replayed))
        new = mark not in self._known
        self._known.add(mark)
        return new

    def _play(self, step: int, exchange: Exchange) -> Iterator[Difference]:
        self._shift = self._target.shift(self._server_time(exchange))
        self._touched.update((m.get("entity", ""), m.get("key", "")) for m in exchange.request.get("mutations", ()))
        status, answer = self._send(self._translated(exchange.request))
        if exchange.answer is None:
            return  # the device never saw an answer, so this one is lost as well
        said = [exchange.status, exchange.answer.get("code")], [status, answer.get("code")]
        if said[0] != said[1]:
            yield Difference(step, "answer", *said)
            return
        yield from self._compare_push(step, exchange.answer.get("push"), answer.get("push"))
        recorded, replayed = exchange.answer.get("page"), answer.get("page")
        if recorded is None or replayed is None:
            if recorded is not replayed:
                yield Difference(step, "page", recorded is not None, replayed is not None)
            return
        if recorded.get("reset") != replayed.get("reset"):
            yield Difference(step, "reset", recorded.get("reset"), replayed.get("reset"))
        self._recorded.take(recorded)
        self._take(replayed)
        if recorded["caught_up"]:
            if not replayed["caught_up"]:
                self._catch_up(exchange.request | {"mutations": [], "skip": None, "cursor": self._cursor})
            yield from self._compare_rows(step)

    # -- requests -----------------------------------------------------------------------------------------------

    def _server_time(self, exchange: Exchange) -> int:
        """When the recorded server had the request, as far as the trace tells: the device's clock may be wrong."""
        told = exchange.request["now"]
        answered = next((e for e in (exchange, *self._exchanges) if e.answer and "now" in e.answer), None)
        if answered is None or answered.answer is None:
            return int(told)
        return int(told) + int(answered.answer["now"]) - int(answered.request["now"])

    def _translated(self, request: Mapping[str, Any]) -> dict[str, Any]:
        made = dict(request) | {"user": self._target.user, "now": request["now"] + self._shift, "at_least": 0}
        made["mutations"] = [
            {**m, "n": m["n"] - self._less, "at": m["at"] + self._shift} for m in request.get("mutations", ())
        ]
        if skip := request.get("skip"):
            made["skip"] = {field: n - self._less for field, n in skip.items()}
        made["cursor"] = self._cursor if request.get("cursor") else None
        return made

    def _send(self, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        status, body = self._target.post(msgspec.json.encode(request))
        answer = msgspec.json.decode(self._renamed(body))
        return status, answer if isinstance(answer, dict) else {}

    def _renamed(self, body: bytes) -> bytes:
        """Keys of conflicts and refusals begin with the registration that caused them."""
        return body.replace(self._target.device.encode(), self._head.device.encode())

    def _take(self, page: Mapping[str, Any]) -> None:
        self._cursor = page["cursor"]
        self._replayed.take(page)

    def _catch_up(self, request: Mapping[str, Any]) -> None:
        for _ in range(PAGES_MAX):
            _, answer = self._send(self._translated(request))
            page = answer.get("page")
            if page is None:
                return
            self._take(page)
            if page["caught_up"]:
                return
            request = {**request, "cursor": self._cursor}

    # -- what came out ------------------------------------------------------------------------------------------

    def _compare_push(self, step: int, recorded: Any, replayed: Any) -> Iterator[Difference]:
        if recorded is None or replayed is None:
            return
        ours = {r["n"] + self._less: r for r in replayed["receipts"]}
        for receipt in recorded["receipts"]:
            here, n = ours.get(receipt["n"], {}), receipt["n"]
            if "depends_on_n" in here:
                here = {**here, "depends_on_n": here["depends_on_n"] + self._less}
            for field in RECEIPT:
                if receipt.get(field) != here.get(field):
                    yield Difference(step, f"mutation {n}: {field}", receipt.get(field), here.get(field))
            if len(receipt.get("conflicts", ())) != len(here.get("conflicts", ())):
                counts = len(receipt.get("conflicts", ())), len(here.get("conflicts", ()))
                yield Difference(step, f"mutation {n}: conflicts", *counts)
        if recorded.get("stopped") != replayed.get("stopped"):
            yield Difference(step, "stopped", recorded.get("stopped"), replayed.get("stopped"))

    def _compare_rows(self, step: int) -> Iterator[Difference]:
        recorded, replayed = self._recorded.rows(), self._replayed.rows()
        for place in sorted(recorded.keys() | (replayed.keys() if self._whole else ())):
            there, here = recorded.get(place), replayed.get(place)
            own = place in self._touched or place[1].startswith(f"{self._head.device}.")
            name = f"{place[0]} {place[1]}"
            if there is None or here is None:
                yield Difference(step, name, _presence(there), _presence(here), own)
                continue
            if there[0] != here[0]:
                yield Difference(step, f"{name}: rev", there[0], here[0], own)
            for field in sorted(there[1].keys() | here[1].keys()):
                if not self._equal(field, there[1].get(field), here[1].get(field)):
                    yield Difference(step, f"{name}: {field}", there[1].get(field), here[1].get(field), own)

    def _equal(self, field: str, recorded: Any, replayed: Any) -> bool:
        if recorded == replayed:
            return True
        if isinstance(recorded, dict) and isinstance(replayed, dict):  # the mutation in a refusal
            fields = recorded.keys() | replayed.keys()
            return all(self._equal(f, recorded.get(f), replayed.get(f)) for f in fields)
        if field == "n" and isinstance(recorded, int):
            return bool(replayed == recorded - self._less)
        if not self._shift or recorded is None or replayed is None:
            return False
        if field.endswith("_on"):
            return True  # a day may have passed; that there is one was compared
        if (field == "at" or field.endswith("_at")) and isinstance(recorded, int) and isinstance(replayed, int):
            return abs(replayed - recorded - self._shift) <= INSTANT_SLACK_MS
        return False


def _presence(held: tuple[int, dict[str, Any]] | None) -> str:
    return "absent" if held is None else f"there, revision {held[0]}"
