"""Google's push service (HTTP v1): an access token for the service account, and a data message that says nothing.

The access token is fetched with a signed assertion (RFC 7523) and kept until shortly before it ends; one request at a
time fetches it.
"""

import asyncio
import re
from typing import Any

import httpx
import jwt
import msgspec
from msgspec import Struct

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sync.protocol import WAKE_ADDRESS_CHARACTERS_MAX, WAKE_TTL_S
from sync.wakes.services import GONE, LATER, REFUSED, TOPIC, Outcome, client, failed, judged

FCM_URL = "https://fcm.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_S = 3600
RENEW_S = 300
ADDRESS = re.compile(rf"[A-Za-z0-9_:.%/=+-]{{20,{WAKE_ADDRESS_CHARACTERS_MAX}}}\Z")
UNREGISTERED = "UNREGISTERED"


class ServiceAccount(Struct, frozen=True):
    """What is used of the file that Google gives for a service account; the rest of it is passed over."""

    project_id: str
    private_key: str
    private_key_id: str
    client_email: str
    token_uri: str = "https://oauth2.googleapis.com/token"


class Granted(Struct):
    access_token: str
    expires_in: float = 3600


class Detail(Struct):
    errorCode: str = ""  # noqa: N815 - Google's name


class Error(Struct):
    status: str = ""
    details: list[Detail] = []


class Problem(Struct):
    error: Error


class NoToken(Exception):
    """No access token was given; the outcome says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


class Fcm:
    name = "fcm"

    def __init__(
        self, account: ServiceAccount, clock: Clock, url: str = FCM_URL, http: httpx.AsyncClient | None = None
    ) -> None:
        self._account, self._clock = account, clock
        self._url = f"{url.rstrip('/')}/v1/projects/{account.project_id}/messages:send"
        self._client = http if http is not None else client(http2=True)
        self._token: tuple[str, int] | None = None
        self._fetching = asyncio.Lock()
        self._assertion(0)  # a key that cannot sign is noticed here

    def check(self, address: str) -> None:
        if not ADDRESS.match(address):
            raise Refused("wake_address_invalid", "this is no registration token of FCM")

    async def send(self, address: str) -> Outcome:
        now_ms = self._clock.now_ms()
        try:
            token = await self._access_token(now_ms)
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            answer = await self._client.post(self._url, content=_message(address), headers=headers)
        except NoToken as none:
            return none.outcome
        except (httpx.HTTPError, OSError) as error:
            return failed(error)
        if answer.status_code == 401:
            self._token = None
            return Outcome(LATER, "HTTP 401")
        code = _code(answer.content) if answer.status_code >= 400 else ""
        outcome = judged(answer, now_ms, code)
        if outcome.kind == GONE and code != UNREGISTERED:
            return Outcome(REFUSED, outcome.why)  # no such project, say
        return outcome

    async def _access_token(self, now_ms: int) -> str:
        async with self._fetching:
            if self._token is None or self._token[1] <= now_ms:
                self._token = await self._fetched(now_ms)
            return self._token[0]

    async def _fetched(self, now_ms: int) -> tuple[str, int]:
        form = {"grant_type": GRANT, "assertion": self._assertion(now_ms // 1000)}
        answer = await self._client.post(self._account.token_uri, data=form)
        if answer.status_code != 200:
            outcome = judged(answer, now_ms, "for the access token")
            raise NoToken(Outcome(LATER if outcome.kind == LATER else REFUSED, outcome.why, outcome.after_s))
        try:
            granted = msgspec.json.decode(answer.content, type=Granted)
        except msgspec.MsgspecError:
            raise NoToken(Outcome(REFUSED, "no access token in the answer")) from None
        return granted.access_token, now_ms + max(0, int((granted.expires_in - RENEW_S) * 1000))

    def _assertion(self, now_s: int) -> str:
        account = self._account
        claims = {
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": now_s,
            "exp": now_s + ASSERTION_S,
        }
        return jwt.encode(claims, account.private_key, algorithm="RS256", headers={"kid": account.private_key_id})

    async def close(self) -> None:
        await self._client.aclose()


def _message(address: str) -> bytes:
    """For Android a data message, for iOS the same as `apns` sends; both collapse with an earlier one."""
    message: dict[str, Any] = {
        "token": address,
        "data": {"do": TOPIC},
        "android": {"collapse_key": TOPIC, "priority": "NORMAL", "ttl": f"{WAKE_TTL_S}s"},
        "apns": {
            "headers": {"apns-push-type": "background", "apns-priority": "5", "apns-collapse-id": TOPIC},
            "payload": {"aps": {"content-available": 1}},
        },
    }
    return msgspec.json.encode({"message": message})


def _code(body: bytes) -> str:
    """Google's code for what was wrong, or its status: capitals only, so that it may stand in a log."""
    try:
        error = msgspec.json.decode(body, type=Problem).error
    except msgspec.MsgspecError:
        return ""
    code = next((detail.errorCode for detail in error.details if detail.errorCode), error.status)
    return code if re.fullmatch(r"[A-Z_]{1,64}", code) else ""
