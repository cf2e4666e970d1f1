"""Registrations as the sync sees them: the lock, the last number, receipts, clock skew (S18, S21, S28).

A registration is one installation used by one user. Receipts of one push are one row, first_n..last_n. `durable_n` is
the newest number that is older than the stated time: a device keeps what is newer, in case the server is restored.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, exists, func, insert, select, update

from sfa.core.clock import skew_is_large
from sfa.core.errors import Refused
from sfa.core.registrations import check_active
from sfa.db.bulk import inserting
from sfa.db.prepared import Prepared
from sfa.db.tables import ROWS, devices, receipts
from sync.protocol import Receipt, Skip

SEEN_EVERY_MS = 60_000  # an unchanged poll need not write; a push may, once a minute


class Registration(Struct, frozen=True):
    key: str
    user: str
    role: str
    last_n: int
    durable_n: int
    last_seen_at: int
    has_reused: bool = False  # its user has refusals of content that came under a number used before


_USERS = ROWS["users"]
_REFUSALS = ROWS["refusals"].c
_HAS_REUSED = exists().where(
    _REFUSALS.author_key == devices.c.user_key,
    _REFUSALS.code == "mutation_reused",
    _REFUSALS.status == "open",
    ~_REFUSALS.gone,
)
_LOCK = Prepared(
    select(
        devices.c.user_key,
        devices.c.state,
        _USERS.c.role,
        devices.c.last_n,
        devices.c.durable_n,
        devices.c.last_seen_at,
        _HAS_REUSED,
    )
    .where(devices.c.key == bindparam("device"), _USERS.c.key == devices.c.user_key)
    .with_for_update(of=devices)
)
_DURABLE = Prepared(
    select(func.max(receipts.c.last_n)).where(
        receipts.c.device_key == bindparam("device"),
        receipts.c.last_n > bindparam("known"),
        receipts.c.at <= bindparam("before"),
    )
)
_ADVANCE = Prepared(
    update(devices)
    .where(devices.c.key == bindparam("device"))
    .values(
        last_n=bindparam("n"),
        durable_n=bindparam("durable"),
        last_seen_at=bindparam("now"),
        skew_ms=bindparam("skew"),
        skewed=bindparam("large"),
    )
)
_RECEIPTS = inserting(receipts)
_FOUND = (
    select(receipts.c["items"])
    .where(
        receipts.c.device_key == bindparam("device"),
        receipts.c.last_n >= bindparam("low"),
        receipts.c.first_n <= bindparam("high"),
    )
    .order_by(receipts.c.last_n)
)


def lock(connection: Connection, user: str, device: str) -> Registration:
    """The registration, locked: two pushes of one device take turns. The role is the one that stands in this
    transaction, not the one of the login."""
    rows = _LOCK.rows(connection, device=device)
    if not rows or rows[0][0] != user:
        raise Refused("device_unknown")
    row = rows[0]
    check_active(row[1])
    return Registration(device, user, row[2], row[3], row[4], row[5] or 0, bool(row[6]))


def durable_n(connection: Connection, device: Registration, before: int) -> int:
    """The last number whose receipt is at least as old as `before`."""
    rows = _DURABLE.rows(connection, device=device.key, known=device.durable_n, before=before)
    return rows[0][0] or device.durable_n


def advance(connection: Connection, device: Registration, n: int, now_ms: int, skew: int, durable: int) -> None:
    values = {"device": device.key, "n": n, "durable": durable, "now": now_ms, "skew": skew}
    _ADVANCE.rows(connection, **values, large=skew_is_large(skew))


def note_sync(connection: Connection, device: Registration, now_ms: int, skew: int, durable: int) -> None:
    """Nothing new was sent: written only when there is something to note."""
    if durable != device.durable_n or now_ms - device.last_seen_at > SEEN_EVERY_MS:
        advance(connection, device, device.last_n, now_ms, skew, durable)


def store_receipts(connection: Connection, device: Registration, made: Sequence[Receipt], now_ms: int) -> None:
    row = {"device_key": device.key, "first_n": made[0].n, "last_n": made[-1].n, "at": now_ms}
    _RECEIPTS.run(connection, [{**row, "items": made}])


def read_receipts(connection: Connection, device: Registration, numbers: Sequence[int]) -> dict[int, Receipt]:
    """number -> the stored receipt, of those among `numbers` that are still kept."""
    values = {"device": device.key, "low": min(numbers), "high": max(numbers)}
    found: dict[int, Receipt] = {}
    for (items,) in connection.execute(_FOUND, values):
        for receipt in msgspec.convert(items, list[Receipt]):
            if receipt.outcome == "skipped" and receipt.details:
                skipped = (n for n in numbers if receipt.n <= n <= receipt.details["last_n"])
                found.update({n: msgspec.structs.replace(receipt, n=n) for n in skipped})
            else:
                found[receipt.n] = receipt
    return found


def skip(connection: Connection, device: Registration, declared: Skip, now_ms: int) -> Registration:
    """Record numbers that the device no longer has (S21); only from the expected one on, once."""
    if declared.last_n <= device.last_n:
        return device
    if declared.first_n > device.last_n + 1 or declared.last_n < declared.first_n:
        raise Refused("sequence_gap", expected_n=device.last_n + 1)
    first = device.last_n + 1
    receipt = Receipt(first, "skipped", details={"last_n": declared.last_n}, text="the device no longer has it")
    row = {"device_key": device.key, "first_n": first, "last_n": declared.last_n, "at": now_ms}
    connection.execute(insert(receipts), [{**row, "items": [msgspec.to_builtins(receipt)]}])
    connection.execute(update(devices).where(devices.c.key == device.key).values(last_n=declared.last_n))
    return msgspec.structs.replace(device, last_n=declared.last_n)
