"""One event posted to one endpoint: what came of it, and nothing of what was answered but its status.

Ten seconds for everything, no redirect followed, no proxy of the environment, no connection kept: each delivery looks
anew where the name leads. Of the answer at most 8 KB are read and thrown away. Whatever a network or the other side
does becomes an `Outcome`; its `problem` is shown to administrators and repeats nothing that the other side said.
"""

import asyncio
import ssl
from functools import partial

import httpx
from msgspec import Struct

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.web import outward
from sfa.web.hooks.backoff import RETRY_AFTER_MAX_S
from sfa.web.hooks.guard import allowed, target_of
from sfa.web.outward import GuardedTransport, Resolve, retry_after_s

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 8 << 10
WAITS = (429, 503)  # whose Retry-After is heard
AGENT = "sfa-webhooks/1"


class Outcome(Struct, frozen=True):
    """`status` is None where nobody answered; `problem` says in words what went wrong."""

    status: int | None
    problem: str | None = None
    wait_s: float = 0.0


class Sender:
    """`resolve` and `verify` are for tests: where names lead, and whose certificates are believed."""

    def __init__(
        self,
        clock: Clock,
        private: frozenset[str],
        resolve: Resolve = outward.resolve,
        verify: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.private, self.resolve = private, resolve
        self._clock, self._verify, self._timeout_s = clock, verify, timeout_s

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, body, headers)
        except TimeoutError:
            return Outcome(None, f"no answer within {self._timeout_s:g} seconds")
        except Refused as refused:
            return Outcome(None, refused.text)
        except httpx.ConnectError as error:
            refused_here = outward.NOT_PUBLIC in str(error)
            return Outcome(None, outward.NOT_PUBLIC if refused_here else _words(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Outcome(None, _words(error))

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        target = target_of(url, self.private)
        if self._verify is None:
            self._verify = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
        transport = GuardedTransport(partial(allowed, target), self._verify, resolve=self.resolve, at_once=1, keep=0)
        said = {"content-type": "application/json", "user-agent": AGENT, **headers}
        client = httpx.AsyncClient(
            transport=transport, timeout=self._timeout_s, follow_redirects=False, trust_env=False
        )
        async with client, client.stream("POST", url, content=body, headers=said) as answer:
            await _throw_away(answer)
            return self._outcome(answer)

    def _outcome(self, answer: httpx.Response) -> Outcome:
        status = answer.status_code
        if 200 <= status < 300:
            return Outcome(status)
        asked = answer.headers.get("retry-after", "") if status in WAITS else ""
        wait_s = retry_after_s(asked, self._clock.now_ms(), RETRY_AFTER_MAX_S)
        return Outcome(status, f"answered {status}", wait_s)


async def _throw_away(answer: httpx.Response) -> None:
    """The status has been said: how the rest comes, or that it does not, changes nothing."""
    size = 0
    try:
        async with asyncio.timeout(1.0):
            async for piece in answer.aiter_raw():
                size += len(piece)
                if size >= ANSWER_BYTES_MAX:
                    return
    except (httpx.HTTPError, TimeoutError):
        return


def _words(error: Exception) -> str:
    """The error's own words may hold an address."""
    return {
        "ConnectError": "no connection, or a certificate that is not believed",
        "ConnectTimeout": "no connection in time",
        "ReadError": "the connection broke before an answer",
        "RemoteProtocolError": "what came is no answer of HTTP",
    }.get(type(error).__name__, type(error).__name__)
