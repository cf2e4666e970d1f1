"""Web Push (RFC 8030) with VAPID (RFC 8292), and without a payload: there is nothing to tell but "sync now", so nothing
has to be encrypted and the push service learns nothing but the moment.

The key pair names this server to push services; browsers bind their subscription to its public half. A signed token is
good for one push service and half a day, and kept meanwhile.
"""

import base64
import binascii

import httpx
from py_vapid import Vapid02

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.web.outward import GuardedTransport
from sync.protocol import WAKE_TTL_S
from sync.wakes.guard import HTTPS_PORT, check_endpoint
from sync.wakes.services import GONE, TOPIC, Outcome, client, failed, judged

TOKEN_S = 12 * 3600  # a push service takes up to 24 hours
RENEW_S = 3600
ORIGINS_MAX = 1_000
KEY_BYTES = 32
ANSWER_BYTES_MAX = 16_384  # nobody needs to say more; whoever does is cut off


class WebPush:
    name = "webpush"

    def __init__(
        self,
        private_key: str,
        contact: str,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        ports: tuple[int, ...] = (HTTPS_PORT,),
    ) -> None:
        """`private_key` as `make_keys` writes it; `contact` is a mailto: or https: address for the people of push
        services. A test gives a transport that may go to loopback, and its ports."""
        self._vapid = Vapid02.from_raw(_raw(private_key).encode())
        self._contact, self._clock, self._ports = contact, clock, ports
        self._client = client(transport if transport is not None else GuardedTransport())
        self._tokens: dict[str, tuple[str, int]] = {}
        self._authorization("https://push.example.com", 0)  # a contact that cannot be signed is noticed here
        self._tokens.clear()

    @property
    def public_key(self) -> str:
        """What a browser wants as `applicationServerKey`: base64url without padding."""
        return public_half(self._vapid)

    def check(self, address: str) -> None:
        check_endpoint(address, self._ports)

    async def send(self, address: str) -> Outcome:
        now_ms = self._clock.now_ms()
        try:
            origin = check_endpoint(address, self._ports)
        except Refused:
            return Outcome(GONE, "not an endpoint")
        headers = {
            "Authorization": self._authorization(origin, now_ms // 1000),
            "TTL": str(WAKE_TTL_S),
            "Urgency": "normal",
            "Topic": TOPIC,
            "Content-Length": "0",
        }
        try:
            async with self._client.stream("POST", address, headers=headers) as answer:
                await _emptied(answer)
                return judged(answer, now_ms)
        except httpx.InvalidURL:
            return Outcome(GONE, "not an endpoint")
        except (httpx.HTTPError, OSError) as error:
            return failed(error)

    def _authorization(self, origin: str, now_s: int) -> str:
        found = self._tokens.get(origin)
        if found is None or found[1] - now_s < RENEW_S or found[1] - now_s > TOKEN_S:
            until = now_s + TOKEN_S
            signed = self._vapid.sign({"aud": origin, "exp": until, "sub": self._contact})
            found = (str(signed["Authorization"]), until)
            if len(self._tokens) >= ORIGINS_MAX:
                self._tokens.clear()
            self._tokens[origin] = found
        return found[0]

    async def close(self) -> None:
        await self._client.aclose()


async def _emptied(answer: httpx.Response) -> None:
    """Read what the other side has to say, so that the connection can be used again, but not without end."""
    count = 0
    async for chunk in answer.aiter_raw():
        count += len(chunk)
        if count > ANSWER_BYTES_MAX:
            return


def make_keys() -> tuple[str, str]:
    """-> (private, public) of a new pair, base64url without padding."""
    made = Vapid02()
    made.generate_keys()
    number = made.private_key.private_numbers().private_value
    return _text(number.to_bytes(KEY_BYTES, "big")), public_half(made)


def public_half(key: Vapid02) -> str:
    numbers = key.public_key.public_numbers()
    return _text(b"\x04" + numbers.x.to_bytes(KEY_BYTES, "big") + numbers.y.to_bytes(KEY_BYTES, "big"))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(private_key: str) -> str:
    """Raises ValueError for what is no key, in words that do not repeat it."""
    try:
        raw = base64.b64decode(private_key + "=" * (-len(private_key) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES or not any(raw):
        raise ValueError("a VAPID key is 32 bytes in base64url, as `sfa vapid-keys` makes it")
    return private_key
