"""What a push service is to the waker: a name, a check of addresses, and one message that says "sync now".

A service never raises for what a network or the other side does; it answers an `Outcome`. Addresses, tokens and keys
are secrets: an outcome's `why` names a status or a kind of failure, and nothing that came from the device.
"""

from typing import Protocol

import httpx
from msgspec import Struct

from sfa.web.outward import retry_after_s
from sync.protocol import WAKE_TIMEOUT_MS, WAKES_AT_ONCE

SENT, GONE, LATER, REFUSED = "sent", "gone", "later", "refused"
TOPIC = "sync"  # a later wake takes the place of one that still waits at the service
RETRY_AFTER_MAX_S = 24 * 3600


class Outcome(Struct, frozen=True):
    """`sent`; `gone` where the address will never work again; `later` where the service has trouble; `refused` where
    it takes no wake as this server sends it, which somebody has to look at. `after_s`: not before."""

    kind: str
    why: str = ""
    after_s: float = 0.0


class PushService(Protocol):
    name: str

    def check(self, address: str) -> None:
        """Refuses `wake_address_invalid` what cannot be an address of this service."""
        ...

    async def send(self, address: str) -> Outcome: ...

    async def close(self) -> None: ...


def client(transport: httpx.AsyncBaseTransport | None = None, *, http2: bool = False) -> httpx.AsyncClient:
    """Bounded in time and in connections; follows nobody anywhere and asks no proxy of the environment."""
    limits = httpx.Limits(max_connections=WAKES_AT_ONCE, max_keepalive_connections=WAKES_AT_ONCE)
    timeout = httpx.Timeout(WAKE_TIMEOUT_MS / 1000)
    return httpx.AsyncClient(
        transport=transport, http2=http2, limits=limits, timeout=timeout, follow_redirects=False, trust_env=False
    )


def failed(error: httpx.HTTPError | OSError) -> Outcome:
    """No answer. The error's own words may hold an address."""
    return Outcome(LATER, type(error).__name__)


def judged(answer: httpx.Response, now_ms: int, why: str = "") -> Outcome:
    """What a status means everywhere: 2xx sent, 404 and 410 gone, 429 and 5xx later, everything else refused."""
    status = answer.status_code
    said = f"HTTP {status}{f' {why}' if why else ''}"
    if 200 <= status < 300:
        return Outcome(SENT)
    if status in (404, 410):
        return Outcome(GONE, said)
    if status in (408, 429) or status >= 500:
        said_wait = answer.headers.get("retry-after", "")
        return Outcome(LATER, said, retry_after_s(said_wait, now_ms, RETRY_AFTER_MAX_S))
    return Outcome(REFUSED, said)
