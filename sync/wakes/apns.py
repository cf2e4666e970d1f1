"""Apple's push service: HTTP/2, a token signed with the team's key (ES256), and a background notification.

A background notification has no text and no sound: the app is given some seconds to sync. Apple's rules decide when it
is delivered, and drop what comes too often.
"""

import re

import httpx
import jwt
import msgspec

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sync.protocol import WAKE_TTL_S
from sync.wakes.services import GONE, LATER, TOPIC, Outcome, client, failed, judged

APNS_URL = "https://api.push.apple.com"
WORD_CHARACTERS_MAX = 40  # shorter than any device token
TOKEN_S = 40 * 60  # Apple takes a token for an hour and no new one within twenty minutes
ADDRESS = re.compile(r"[0-9a-fA-F]{64,200}\Z")
BODY = b'{"aps":{"content-available":1}}'
DEAD = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic", "ExpiredToken", "Unregistered"})
RENEW = frozenset({"ExpiredProviderToken", "InvalidProviderToken", "MissingProviderToken"})


class Problem(msgspec.Struct):
    reason: str = ""


class Apns:
    name = "apns"

    def __init__(
        self,
        key: str,
        key_id: str,
        team_id: str,
        topic: str,
        clock: Clock,
        url: str = APNS_URL,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """`key` is the text of the .p8 file, `topic` the app's bundle identifier."""
        self._key, self._key_id, self._team_id, self._topic = key, key_id, team_id, topic
        self._clock, self._url = clock, url.rstrip("/")
        self._client = http if http is not None else client(http2=True)
        self._signed: tuple[str, int] | None = None
        self._token(0)  # a key that cannot sign is noticed here
        self._signed = None

    def check(self, address: str) -> None:
        if not ADDRESS.match(address):
            raise Refused("wake_address_invalid", "a device token of APNs is 64 hexadecimal digits or more")

    async def send(self, address: str) -> Outcome:
        outcome, reason = await self._try(address)
        if reason in RENEW:
            self._signed = None  # the next one signs anew; this one is sent again in a while
            return Outcome(LATER, outcome.why)
        return outcome

    async def _try(self, address: str) -> tuple[Outcome, str]:
        now_ms = self._clock.now_ms()
        headers = {
            "authorization": f"bearer {self._token(now_ms // 1000)}",
            "apns-topic": self._topic,
            "apns-push-type": "background",
            "apns-priority": "5",
            "apns-expiration": str(now_ms // 1000 + WAKE_TTL_S),
            "apns-collapse-id": TOPIC,
        }
        try:
            answer = await self._client.post(f"{self._url}/3/device/{address}", headers=headers, content=BODY)
        except (httpx.HTTPError, OSError) as error:
            return failed(error), ""
        reason = _reason(answer.content)
        outcome = judged(answer, now_ms, reason)
        if outcome.kind == GONE and answer.status_code == 404:
            return Outcome("refused", outcome.why), reason  # a wrong path, not a wrong token
        if answer.status_code in (400, 410) and reason in DEAD:
            return Outcome(GONE, outcome.why), reason
        return outcome, reason

    def _token(self, now_s: int) -> str:
        if self._signed is None or not 0 <= now_s - self._signed[1] < TOKEN_S:
            claims = {"iss": self._team_id, "iat": now_s}
            signed = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})
            self._signed = (signed, now_s)
        return self._signed[0]

    async def close(self) -> None:
        await self._client.aclose()


def _reason(body: bytes) -> str:
    """Apple's word for what was wrong: letters only, so that it may stand in a log."""
    try:
        reason = msgspec.json.decode(body, type=Problem).reason if body else ""
    except msgspec.MsgspecError:
        return ""
    return reason if reason.isascii() and reason.isalpha() and len(reason) <= WORD_CHARACTERS_MAX else ""
