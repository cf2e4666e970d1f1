"""The wire: messages, limits and the history of contract versions.

Bodies are JSON. Instants are integer milliseconds since the epoch, UTC. A page's rows arrive as ready-made documents
`{"entity", "key", "rev", "row"}` or `{"entity", "key", "rev", "gone": true}`, grouped under their bucket.

Versions: 1 (2026-11-21), the first. 2 (open): `suggestions`, and refused mutations with their details
(`refusals.details`). `sync/contracts/` describes each, `sync.versions` serves them (S32).
"""

from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from sfa.core.digests import BucketDigest

CONTRACT_PUSH_MIN = 1  # the oldest whose queue is still taken
CONTRACT_MIN = 1
CONTRACT_MAX = 2

BODY_BYTES_MAX = 8 << 20  # as it arrives
INFLATED_BYTES_MAX = 32 << 20
JSON_DEPTH_MAX = 32
MUTATIONS_MAX = 1_000
UNIT_SIZE_MAX = 100
MUTATION_BYTES_MAX = 512 << 10
PAGE_ROWS_DEFAULT = 5_000
PAGE_ROWS_MAX = 20_000
PAGE_BYTES_MAX = 4 << 20
PAGE_BYTES_MIN = 1 << 10  # the least that a request may ask for; a larger row fits all the same
CURSOR_BYTES_MAX = 1 << 20
REFILL_MAX = 100
DRAIN_PARTS_MAX = 1_000
DRAINS_MAX = 100  # of one registration: each copy of its phone has one
DRAINED_BYTES_MAX = 256 << 20  # of one registration, as bodies
DURABLE_AFTER_MS = 7 * 24 * 3600 * 1000
LEASE_MS = 14 * 24 * 3600 * 1000
LIVE_CONNECTIONS_MAX = 5_000  # in each server process
LIVE_PER_DEVICE_MAX = 2
LIVE_PAUSE_MS = 200
LIVE_HEARTBEAT_MS = 15_000
LIVE_SEND_MS = 10_000
LIVE_RETRY_MS = 3_000
WAKE_PAUSE_MS = 1_000
WAKE_EVERY_MS = 60_000
WAKE_CLAIM_MS = 120_000
WAKE_LIVE_MS = 60_000
WAKE_SWEEP_MS = 300_000
WAKE_RETRY_MS = 30_000
WAKE_RETRY_MAX_MS = 3_600_000
WAKE_TTL_S = 24 * 3600
WAKE_TIMEOUT_MS = 10_000
WAKES_AT_ONCE = 20
WAKE_BATCH = 100
WAKE_ADDRESS_CHARACTERS_MAX = 4_096
RECEIPT_OUTCOMES = ("applied", "merged", "conflict", "handed_over", "refused", "skipped")
KINDS = ("create", "update", "delete")

N = Annotated[int, Meta(ge=1, le=2**53)]
Millis = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class Unit(Struct, frozen=True, forbid_unknown_fields=True):
    """`size` consecutive mutations of which all land or none (S20)."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    size: Annotated[int, Meta(ge=1, le=UNIT_SIZE_MAX)]


class Mutation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One queued change (S17). `set` holds the changed fields, or a command's arguments; absent and null differ.
    `repairs` is the key of the refusal that it is sent in place of (S19). `contract` is the version in whose words it
    was queued: it stays what it was when the app is upgraded."""

    n: N
    entity: Annotated[str, Meta(max_length=64)]
    key: Annotated[str, Meta(max_length=200)]
    kind: Annotated[str, Meta(max_length=64)]
    at: Millis
    base: Annotated[int, Meta(ge=0, le=2**53)] = 0
    set: dict[str, Any] = {}
    unit: Unit | None = None
    repairs: Annotated[str, Meta(max_length=200)] | None = None
    contract: Annotated[int, Meta(ge=0, le=2**31)] = 1


class Skip(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers that this device no longer has, declared after the server was restored (S21)."""

    first_n: N
    last_n: N


class SyncRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /sync`. Push and pull may each be absent: no mutations, or `pull: false`."""

    user: Annotated[str, Meta(max_length=64)]
    now: Millis
    contract: int = 1
    mutations: list[Raw] = []
    skip: Skip | None = None
    pull: bool = True
    cursor: Annotated[str, Meta(max_length=CURSOR_BYTES_MAX)] | None = None
    at_least: Annotated[int, Meta(ge=0, le=2**62)] = 0
    page_rows: Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX)] = PAGE_ROWS_DEFAULT
    page_bytes: Annotated[int, Meta(ge=PAGE_BYTES_MIN, le=PAGE_BYTES_MAX)] = PAGE_BYTES_MAX
    lines: bool = False
    early: bool = False
    digest: bool = False
    refill: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=REFILL_MAX)] = []
    queued: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class Receipt(Struct, frozen=True, omit_defaults=True):
    """What became of one mutation, for ever (S18). `digest` names its content and stays on the server."""

    n: int
    outcome: str
    entity: str = ""
    key: str = ""
    rev: int = 0
    code: str | None = None
    text: str | None = None
    details: dict[str, Any] | None = None
    conflicts: list[str] = []
    depends_on_n: int | None = None
    restored: bool = False
    suggestion: str | None = None
    digest: str = ""


class PushAnswer(Struct, frozen=True):
    """`expected_n` is the next number the server takes; `stopped` says why it took none after it."""

    receipts: list[Receipt]
    expected_n: int
    durable_n: int
    seq: int
    epoch: str
    stopped: str | None = None
    register_anew: bool = False


class Page(Struct, frozen=True, omit_defaults=True):
    """One page as a client decodes it; the server joins the same from bytes. `reset` names the reason why the device
    must mark what arrives from here on and sweep the rest at `caught_up`. `digests` has every held bucket that is not
    empty, where the page is `caught_up` and the request asked for them (S16). `early` says `part` while today's rows
    are coming before all others, and `complete` where the last of them came."""

    cursor: str
    caught_up: bool
    seq: int
    changes: list["BucketChanges"] = []
    drops: list[str] = []
    reset: str | None = None
    rows: int = 0
    digests: dict[str, BucketDigest] | None = None
    early: str | None = None


class BucketChanges(Struct, frozen=True):
    bucket: str
    items: list["Item"]


class Item(Struct, frozen=True, omit_defaults=True):
    entity: str
    key: str
    rev: int
    row: dict[str, Any] | None = None
    gone: bool = False


class SyncAnswer(Struct, frozen=True, omit_defaults=True):
    """What `POST /sync` answers; `push` and `page` are there when they were asked for. After `lease_until`, by the
    server's clock, a device that has not synced again shows nothing."""

    contract: int
    epoch: str
    now: int
    push: PushAnswer | None = None
    page: Page | None = None
    lease_until: int | None = None


class Line(Struct, frozen=True):
    """A further line of an answer in lines; the first one is a `SyncAnswer` with the first part of the page."""

    page: Page
