"""What a browser sends to the prospect's page, read within limits: who asks, fields of forms, JSON of scripts (pure).

Nothing in it is trusted: a field that is not there is empty, one that comes twice is what it said last, and whatever is
no form at all is refused as `request_invalid`.
"""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from proposals.buyer.page.words import language_of
from proposals.document import LINES_MAX
from sfa.core.errors import Refused
from sfa.core.pricing.choosing import Choices
from sfa.db.proposal_timeline import Visitor
from sfa.web.middleware import decode_json

FORM_BYTES_MAX = 300 << 10  # a drawn signature of 200,000 bytes, as forms write it
BEAT_BYTES_MAX = 20 << 10
FIELDS_MAX = 3 * LINES_MAX + 50
AGENT_MAX, ADDRESS_MAX = 400, 60
STAFF_COOKIE = "proposal_staff"
DRAWN_AS = "data:image/png;base64,"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
Fields = Mapping[str, list[str]]


class Visit(Struct, frozen=True, kw_only=True):
    """One request; names of headers in small letters."""

    token: str
    headers: Mapping[str, str]
    address: str | None
    query: str = ""
    is_secure: bool = False

    @property
    def base(self) -> str:
        return f"/p/{self.token}"

    @property
    def language(self) -> str:
        return language_of(self.headers.get("accept-language"))

    @property
    def visitor(self) -> Visitor:
        agent = "".join(c for c in self.headers.get("user-agent", "") if c.isprintable())
        return Visitor((self.address or "")[:ADDRESS_MAX] or None, agent[:AGENT_MAX] or None)

    @property
    def is_staff(self) -> bool:
        cookies = self.headers.get("cookie", "").split(";")
        return any(each.strip() == f"{STAFF_COOKIE}=1" for each in cookies)

    @property
    def wants_json(self) -> bool:
        return JSON in self.headers.get("accept", "")

    @property
    def flash(self) -> str:
        return (parse_qs(self.query[:200]).get("said") or [""])[-1]


class Chosen(Struct, frozen=True):
    """What a script says where a form would have fields."""

    lines: dict[str, bool] = {}
    quantities: dict[str, str] = {}


def fields_of(body: bytes, content_type: str) -> Fields:
    if content_type.partition(";")[0].strip().lower() not in (FORM, ""):
        raise Refused("request_invalid", f"a form comes as {FORM}")
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Refused("request_invalid", f"a form has at most {FIELDS_MAX} fields") from None


def chosen_of(body: bytes, content_type: str) -> Fields | Choices:
    """What is chosen: as fields, or as JSON `{"lines": {key: taken}, "quantities": {key: text}}`."""
    if content_type.partition(";")[0].strip().lower() != JSON:
        return fields_of(body, content_type)
    try:
        said = msgspec.convert(decode_json(body), Chosen)
    except msgspec.ValidationError as error:
        raise Refused("request_invalid", str(error)) from None
    return Choices(said.lines, said.quantities)


def one(fields: Fields, name: str) -> str:
    found = fields.get(name)
    return found[-1] if found else ""


def drawing_of(fields: Fields) -> bytes | None:
    """The bytes of a drawn signature; what is no such address is no drawing, which its reader refuses."""
    said = one(fields, "drawing")
    if not said.startswith(DRAWN_AS):
        return b"" if one(fields, "method") == "drawn" else None
    try:
        return base64.b64decode(said.removeprefix(DRAWN_AS), validate=True)
    except (ValueError, binascii.Error):
        return b""


def number(fields: Fields, name: str) -> int:
    """-1 of what is none."""
    said = one(fields, name)
    return int(said) if said.isascii() and said.isdecimal() and len(said) <= 16 else -1
