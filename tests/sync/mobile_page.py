"""docs/mobile.md read as a script: its exchanges in the order of the page, played against the real application.

On the page an exchange is a line `→ ana · POST /sync` with the request's JSON below it, and a line `← 200` with the
answer's JSON. The name is a phone: `ana`, or `ana/tablet` for another one of the same person. `← 200, twice` sends the
same bytes again and wants the same answer; `← 200 push` shows that member of the answer alone. What happens between two
exchanges and is not shown stands in a comment:

    <!-- meanwhile: put contacts carl {"phone": "2"} -->     somebody at the office writes a row
    <!-- meanwhile: sync ana -->                             the phone pulls until it has caught up
    <!-- meanwhile: wait 604800000 -->                       the clock goes on
    <!-- meanwhile: restored -->                             the database gets a new epoch
    <!-- meanwhile: revoke ana -->, <!-- meanwhile: wipe ana -->

Words in angle brackets stand for values that differ: in a request for what the phone got last.
"""

import json
import re
from typing import Any

from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient
from msgspec import Struct
from sqlalchemy import insert

from sfa.app.factory import build
from sfa.app.settings import Settings
from sfa.db.scope import renew_epoch
from sfa.db.tables import credentials
from tests.office import Office

PASSWORD = "correct-horse"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NEW_EPOCH = "f" * 32
_PART = re.compile(
    r"^<!-- meanwhile: (?P<meanwhile>[^\n]+?) -->$"
    r"|^→ (?P<who>[a-z/]+) · (?P<method>GET|POST) (?P<path>\S+)$"
    r"|^← (?P<status>\d{3})(?: (?P<member>push|page))?(?P<twice>, twice)?$"
    r"|^```json\n(?P<json>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Exchange(Struct):
    """One request and the answer that it must get; `line` is where it stands on the page."""

    line: int
    who: str
    method: str
    path: str
    request: Any = None
    status: int = 0
    answer: Any = None
    member: str | None = None
    twice: bool = False


class Meanwhile(Struct, frozen=True):
    line: int
    words: str


def script(page: str) -> list[Exchange | Meanwhile]:
    """Every exchange of the page, and what happens between them. JSON outside of an exchange is an illustration."""
    found: list[Exchange | Meanwhile] = []
    open_for = ""
    for part in _PART.finditer(page):
        line = page.count("\n", 0, part.start()) + 1
        last = found[-1] if found and isinstance(found[-1], Exchange) else None
        if part["meanwhile"]:
            found.append(Meanwhile(line, part["meanwhile"]))
            open_for = ""
        elif part["who"]:
            found.append(Exchange(line, part["who"], part["method"], part["path"]))
            open_for = "request"
        elif part["status"]:
            assert last is not None, f"line {line}: an answer without a request"
            assert not last.status, f"line {line}: a second answer"
            last.status, last.member, last.twice = int(part["status"]), part["member"], bool(part["twice"])
            open_for = "answer"
        elif open_for and last is not None:
            setattr(last, open_for, json.loads(part["json"]))
            open_for = ""
    return found


class Phone(Struct):
    """What a phone got last: what the words in angle brackets stand for in a request."""

    user: str
    cursor: str | None = None
    token: str = ""
    refresh: str = ""
    device: str = ""


class Player:
    """The application on an office's database and clock, and the phones of the page."""

    def __init__(self, office: Office, client: TestClient[Litestar]) -> None:
        self.office, self.client = office, client
        self.phones: dict[str, Phone] = {}
        self.contract = 1  # what the page speaks, as its last exchange said

    def phone(self, who: str) -> Phone:
        return self.phones.setdefault(who, Phone(who.split("/")[0]))

    def play(self, exchange: Exchange) -> list[tuple[int, Any]]:
        """-> status and body of the answer, once or twice."""
        self.contract = (exchange.request or {}).get("contract", self.contract)
        answers = [self._send(exchange) for _ in range(2 if exchange.twice else 1)]
        phone, (status, text) = self.phone(exchange.who), answers[-1]
        body = json.loads(text) if text else {}
        if status == 200 and "access_token" in body:
            phone.token, phone.refresh, phone.device = body["access_token"], body["refresh_token"], body["device_id"]
        if status == 200 and "page" in body:
            phone.cursor = body["page"]["cursor"]
        return [(status, self._told(phone, text)) for status, text in answers]

    def _told(self, phone: Phone, text: str) -> Any:
        """The answer, with registrations and this phone's tokens as the page calls them."""
        words = {f"<device of {other.user}>": other.device for other in self.phones.values() if other is not phone}
        words |= {"<device>": phone.device, "<token>": phone.token, "<refresh>": phone.refresh}
        for word, value in words.items():
            text = text.replace(value, word) if value else text
        return json.loads(text) if text else None

    def _send(self, exchange: Exchange) -> tuple[int, str]:
        phone = self.phone(exchange.who)
        self._login(exchange)
        content = json.dumps(exchange.request)
        for word, value in (("<cursor>", phone.cursor), ("<refresh>", phone.refresh)):
            content = content.replace(json.dumps(word), json.dumps(value))
        content, path = (text.replace("<device>", phone.device) for text in (content, exchange.path))
        headers = {"Authorization": f"Bearer {phone.token}"} if phone.token else {}
        headers["Content-Type"] = "application/json"
        body = content.encode() if exchange.request is not None else b""
        answer = self.client.request(exchange.method, path, content=body, headers=headers)
        return answer.status_code, answer.text

    def _login(self, exchange: Exchange) -> None:
        """A phone that the page has not logged in itself is logged in behind the scenes."""
        phone = self.phone(exchange.who)
        if phone.token or exchange.path.startswith("/auth/"):
            return
        device = {"name": exchange.who, "platform": "test", "app_version": "1"}
        sent = {"email": f"{phone.user}@example.com", "password": PASSWORD, "device": device}
        got = self.client.post("/auth/login", json=sent).json()
        assert "access_token" in got, got
        phone.token, phone.refresh, phone.device = got["access_token"], got["refresh_token"], got["device_id"]

    def meanwhile(self, words: str) -> None:
        verb, _, rest = words.partition(" ")
        if verb == "put":
            entity, key, values = rest.split(" ", 2)
            self.office.put((entity, key, json.loads(values)))
        elif verb == "sync":
            self._catch_up(rest)
        elif verb == "wait":
            self.office.clock.advance(int(rest))
        elif verb == "restored":
            self.office.database.write(renew_epoch, NEW_EPOCH)
        elif verb in ("revoke", "wipe"):
            self._end(rest, verb)
        else:
            raise AssertionError(f"nobody knows how to {words!r}")

    def _catch_up(self, who: str) -> None:
        caught_up = False
        while not caught_up:
            phone, now = self.phone(who), self.office.clock.now_ms()
            asked = {"user": phone.user, "now": now, "contract": self.contract, "cursor": phone.cursor}
            ((status, body),) = self.play(Exchange(0, who, "POST", "/sync", asked))
            assert status == 200, body
            caught_up = body["page"]["caught_up"]

    def _end(self, who: str, verb: str) -> None:
        path = f"/api/devices/{self.phone(who).device}/{verb}"
        ((status, body),) = self.play(Exchange(0, "root", "POST", path))
        assert status in (200, 201), body


def players(office: Office) -> tuple[Player, TestClient[Litestar]]:
    """The player and its client, which the caller opens; everybody of the office can log in."""
    secret = CHEAP.hash(PASSWORD)
    rows = [
        {"user_key": row["key"], "password_hash": secret, "changed_at": office.clock.now_ms()}
        for row in office.rows("users")
    ]
    office.database.write(lambda connection: connection.execute(insert(credentials), rows))
    app = build(Settings(), clock=office.clock, database=office.database, hasher=CHEAP, jobs=False)
    client = TestClient(app)
    return Player(office, client), client
