"""One answer taken in: epoch, receipts, page, and the copies that may go. One local transaction, all or nothing.

The order matters. A new epoch comes first: what the server lost is queued again before anything else could drop it.
Receipts come before the page, so that a mutation is acknowledged before its effect arrives. Copies go last.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, structs

from sync.device import agree, outbox, pages
from sync.device.store import Store
from sync.protocol import REFILL_MAX, Page, Receipt, SyncAnswer, SyncRequest


class Progress(Struct, frozen=True):
    """How far a sync has come: what a progress bar shows. `is_ready`: today's rows are here (a first sync, or a
    reset)."""

    rows: int
    pushed: int
    caught_up: bool
    is_ready: bool = False


class SyncResult(Struct, frozen=True):
    """What a sync did. `pushed` mutations got their first receipt, counted in `outcomes`; `handed_over` are those that
    wait for who has their row now (S37). `resets` are the reasons why
    the synced rows were fetched anew; `refilled` are buckets that differed from the server and were fetched again, and
    `differing` those that differ all the same (S16; both only where the sync checked). `stopped` says why the server or
    the device went no further with the queue; `register_anew` that this registration can push no more: log in again,
    the queue moves along. `is_ready`: the rows that today needs came before the others, after `ready_bytes` on the wire
    where the transport counts them."""

    pushed: int
    outcomes: dict[str, int]
    refused: tuple[Receipt, ...]
    conflicts: tuple[Receipt, ...]
    rows: int
    resets: tuple[str, ...]
    stopped: str | None
    register_anew: bool
    caught_up: bool
    refilled: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    is_ready: bool = False
    ready_bytes: int | None = None
    handed_over: tuple[Receipt, ...] = ()


class Settled(Struct, frozen=True):
    """What one answer brought. `stuck` says why the server took nothing of the queue and would not take it again;
    `moved` is false where nothing changed that a next request could build on."""

    receipts: list[Receipt]
    rows: int
    reset: str | None
    stuck: str | None
    caught_up: bool
    moved: bool
    refilled: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    is_ready: bool = False


class Tally:
    """The sum of a sync's answers. `received` are the bytes that the transport had counted when it began."""

    def __init__(self, received: int | None = None) -> None:
        self._received = received
        self.is_ready = False
        self.ready_bytes: int | None = None
        self.receipts: list[Receipt] = []
        self.resets: list[str] = []
        self.refilled: list[str] = []
        self.differing: tuple[str, ...] = ()
        self.rows = 0
        self.stopped: str | None = None
        self.caught_up = False

    def add(self, settled: Settled, received: int | None = None) -> None:
        if settled.is_ready:
            self.is_ready = True
            if received is not None and self._received is not None:
                self.ready_bytes = received - self._received
        self.receipts += settled.receipts
        self.rows += settled.rows
        self.resets += [settled.reset] if settled.reset is not None else []
        self.stopped = settled.stuck or self.stopped
        self.caught_up = settled.caught_up
        self.refilled += settled.refilled
        self.differing = settled.differing

    def to_refill(self) -> tuple[str, ...]:
        """What differs and was not fetched again yet: once in a sync is enough, so that no sync goes on for ever."""
        return tuple(bucket for bucket in self.differing if bucket not in self.refilled)[:REFILL_MAX]

    def progress(self) -> Progress:
        return Progress(self.rows, len(self.receipts), self.caught_up, self.is_ready)

    def result(self, store: Store) -> SyncResult:
        return SyncResult(
            pushed=len(self.receipts),
            outcomes=dict(Counter(receipt.outcome for receipt in self.receipts)),
            refused=tuple(r for r in self.receipts if r.outcome == "refused"),
            conflicts=tuple(r for r in self.receipts if r.conflicts),
            handed_over=tuple(r for r in self.receipts if r.outcome == "handed_over"),
            rows=self.rows,
            resets=tuple(self.resets),
            stopped=self.stopped,
            register_anew=store.state().registration == "reused",
            caught_up=self.caught_up,
            refilled=tuple(self.refilled),
            differing=self.differing,
            is_ready=self.is_ready,
            ready_bytes=self.ready_bytes,
        )


def next_request(
    store: Store, now_ms: int, page_rows: int, *, pushing: bool, check: bool = False, refill: Sequence[str] = ()
) -> SyncRequest:
    """What the device says next: the head of its queue, where its last page ended, what it must at least see, whether
    it compares digests, and which buckets it needs again."""
    with store.reading():
        state = store.state()
        pushing = pushing and state.registration == "active"
        head = outbox.head(store) if pushing else []
        return SyncRequest(
            user=state.user.key if state.user is not None else "",
            now=now_ms,
            contract=store.speaks,
            mutations=outbox.as_raw(head),
            skip=outbox.lost_numbers(store) if pushing else None,
            cursor=state.cursor,
            at_least=state.push_seq,
            page_rows=page_rows,
            digest=check,
            refill=[] if state.sweeping else list(refill),
            queued=outbox.waiting(store) - len(head),
        )


def after(request: SyncRequest, answer: SyncAnswer) -> SyncRequest:
    """What the next line of the same answer was asked with, so to speak: it goes on from this one's cursor."""
    cursor = answer.page.cursor if answer.page is not None else request.cursor
    return structs.replace(request, cursor=cursor, mutations=[], skip=None, refill=[])


def settle(store: Store, request: SyncRequest, answer: SyncAnswer, now_ms: int) -> Settled:
    """Take one answer in."""
    with store.transaction():
        before = store.state()
        # Receipts of a server that was restored before it read the page are worth nothing any more.
        push = answer.push if answer.push is not None and answer.push.epoch == answer.epoch else None
        is_new_epoch = before.epoch is not None and before.epoch != answer.epoch
        if is_new_epoch:
            _forget_epoch(store)
        if before.registration == "revoked":  # a server that was restored knows nothing of it: this one goes on
            store.set_state(registration="active")
        if before.registration == "moving":
            outbox.renumber(store)
        store.set_state(epoch=answer.epoch, heard_at=now_ms)
        if answer.lease_until is not None:
            store.keep_lease(now_ms, now_ms + answer.lease_until - answer.now)
        receipts = outbox.acknowledge(store, push) if push is not None else []
        if receipts:
            store.execute(_KNOWN_FILES)  # the receipt may be gone when there is signal for their bytes
        # A page goes on from the cursor that it was asked with. Another sync of this store may have been faster.
        page = answer.page if request.cursor == before.cursor else None
        reset = _take_page(store, page, request, is_new_epoch=is_new_epoch) if page is not None else None
        differing = _compare(store, page, now_ms) if page is not None else ()
        refilled = tuple(request.refill) if page is not None else ()
        if refilled:
            store.note(now_ms, "refill", ", ".join(refilled))
        if page is not None:
            store.execute(_HELD_FILES)
        if is_new_epoch and page is None:
            reset = "epoch"
        outbox.drop_durable(store)
        if reset is not None:
            store.note(now_ms, "reset", reset)
        if request.skip is not None and push is not None:
            store.note(now_ms, "skip", f"{request.skip.first_n}..{request.skip.last_n}")
        after = store.state()
        if after.registration == "reused" != before.registration:
            store.note(now_ms, "register_anew", "the numbers of this registration were used elsewhere")
    rows = sum(len(changes.items) for changes in page.changes) if page is not None else 0
    pushed_on = bool(receipts) or before.expected_n != after.expected_n
    return Settled(
        receipts=receipts,
        rows=rows,
        reset=reset,
        stuck=push.stopped if push is not None and not pushed_on else None,
        caught_up=page is not None and page.caught_up and after.seen_seq >= after.push_seq,
        moved=pushed_on or bool(rows or reset or refilled or (page is not None and page.drops)),
        refilled=refilled,
        differing=differing,
        is_ready=page is not None and page.early == "complete",
    )


def _compare(store: Store, page: Page, now_ms: int) -> tuple[str, ...]:
    """The buckets that differ from what the page says of them; rows that no bucket holds go at once (S16)."""
    if page.digests is None:
        return ()
    strays = pages.drop_strays(store)
    if strays:
        store.note(now_ms, "strays", f"{strays} rows that no bucket holds were removed")
    return agree.differing(store, page.digests)


_KNOWN_FILES = (
    "UPDATE files SET is_known = 1 WHERE key IN (SELECT key FROM outbox WHERE entity = 'attachments' "
    "AND kind <> 'delete' AND outcome IS NOT NULL AND outcome NOT IN ('refused', 'skipped'))"
)

_HELD_FILES = (
    "UPDATE files SET was_held = 1 WHERE was_held = 0 "
    "AND EXISTS (SELECT 1 FROM rows WHERE rows.entity = 'attachments' AND rows.key = files.key)"
)


def _forget_epoch(store: Store) -> None:
    """The server was restored from a backup: its numbers of before mean nothing now. All that is kept is sent again:
    for what the server has it repeats the receipts, and if another copy of this device has used a number meanwhile,
    this one hears of it."""
    outbox.requeue(store, 1)
    store.execute("UPDATE outbox SET seq = 0")
    store.execute("UPDATE files SET upload = NULL, is_sent = 0, code = NULL, stored_at = NULL, was_held = 0")
    again = "SELECT key FROM outbox WHERE entity = 'attachments' AND kind = 'create'"
    store.execute(f"UPDATE files SET is_known = 0 WHERE key IN ({again})")  # their rows go first
    store.set_state(cursor=None, seen_seq=-1, push_seq=0, durable_n=0)


def _take_page(store: Store, page: Page, request: SyncRequest, *, is_new_epoch: bool) -> str | None:
    """-> the reason of a reset that the user must hear of; the first sync of an empty device is none."""
    starts_over = page.reset is not None or request.cursor is None or is_new_epoch
    was_empty = pages.is_empty(store) if starts_over else False
    pages.apply(store, page, starts_over=starts_over, refill=request.refill)
    if not starts_over or was_empty:
        return None
    return page.reset or ("epoch" if is_new_epoch else "no_cursor")
