"""The reference device: what a mobile team ports, and what the simulation and `sfa device` run.

The story of one `sync()`, in order:

1. `Device.create/update/delete/command` write one queued mutation with the next number, in one local transaction.
2. Reads lay the queue over the synced rows (`view`, `overlay`), so the user sees the own edit at once.
3. `sync()` sends the head of the queue and the cursor in one request, and asks for at least its own last push.
4. The connection may be lost here: nothing changed, the same numbers are sent again, the server answers again.
5. `settle` takes an answer in ONE local transaction: receipts, page, cursor, copies that may go.
6. A new epoch (the server was restored) queues again what the server may have lost, before any copy is dropped.
7. A page first drops buckets, then counts memberships: a row is visible while any bucket is left (`pages`).
8. A reset marks what arrives from here on and sweeps the rest at `caught_up`: the app is never empty.
9. A queued mutation is seen through the overlay until a page of its push, or a refusal, takes its place.
10. Again from 3 until the queue is sent and a page says `caught_up`.
11. `wait()` does so again whenever the server says that there is news, and is patient without signal (`waiting`).
12. `sync(check=True)` compares digests then, and fetches again only the buckets that differ (`agree`).
13. `upload()` sends the bytes of files whose rows the server has, and goes on where it was cut (`files`); `fetch()`
    brings those that it keeps, alike (`fetching`).

Modules: `store` (the local SQLite file), `outbox`, `pages`, `overlay` (pure), `view`, `edits`, `settle`, `session`
(login, tokens), `trace` and `replay` (a session recorded and played elsewhere), `ending` (revoked, wiped), `waiting`
(for news), `files` (attached offline, uploaded with resume), `client` (the class `Device`), `transport` and `http`. It
imports nothing of the server but the wire (`sync.protocol`), the merge (`sync.merge`) and the pure core.
"""

from sync.device.client import Device
from sync.device.outbox import Queued
from sync.device.session import ServerRefused
from sync.device.settle import Progress, SyncResult
from sync.device.store import Store
from sync.device.transport import ConnectionLost, LiveTransport, Transport
from sync.device.waiting import Pace

__all__ = [
    "ConnectionLost",
    "Device",
    "LiveTransport",
    "Pace",
    "Progress",
    "Queued",
    "ServerRefused",
    "Store",
    "SyncResult",
    "Transport",
]
