"""`/verify` and `/verify/{sha256}`: anybody may ask whether a file is genuine; nothing of it is kept.

People get a page, which works without a script; programs that accept JSON get a `Verdict`. A file comes as a form's
upload or as the body itself. An address may ask so often; what one file costs is bounded by `examining`.
"""

import hashlib
import re
from collections.abc import Sequence

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.types import Send
from sqlalchemy import Connection

from proposals.evidence import verify_page
from proposals.evidence.examining import Examiner
from proposals.evidence.inspecting import Inspected
from proposals.evidence.verifying import Verdict, known_file, our_keys, verdict
from proposals.evidence.words import language_of
from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.db.database import Database
from sfa.files.wire import Asked, allowed, answer, plain, refuse
from sfa.web.attempts import network
from sfa.web.errors import problem_of
from sfa.web.limits import RequestRate, read_body

GET, HEAD, POST = HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST
FILE_BYTES_MAX = 20 << 20
FORM_BYTES_MAX = FILE_BYTES_MAX + (64 << 10)  # with what a browser writes around the file
PER_S, BURST = 1, 20
SHA256 = re.compile(r"[0-9a-f]{64}")
BOUNDARY = re.compile(r'boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?')
JSON = "application/json"
NO_FILE, TOO_LARGE = "Choose a PDF file first.", "The file is larger than 20 MB."
TOO_OFTEN, NO_DIGEST = (
    "Too many checks at once. Try again in a minute.",
    "This is no SHA-256: it has 64 digits from 0 to 9 and a to f.",
)
PROBLEMS = {"body_too_large": TOO_LARGE, "too_many_requests": TOO_OFTEN, "server_busy": TOO_OFTEN}


class Verifier:
    def __init__(self, database: Database, clock: Clock, examiner: Examiner | None = None) -> None:
        self._database, self._examiner = database, examiner or Examiner()
        self._rate = RequestRate(clock, per_s=PER_S, burst=BURST)

    async def of_digest(self, asked: Asked, digest: str) -> Verdict:
        self._rate.check(network(asked.address or ""))
        if not SHA256.fullmatch(digest):
            raise Refused("request_invalid", NO_DIGEST)
        return await self._judged(digest, None)

    async def of_file(self, asked: Asked) -> Verdict:
        self._rate.check(network(asked.address or ""))
        body = await read_body(asked.receive, asked.raw, body_max=FORM_BYTES_MAX, inflated_max=FORM_BYTES_MAX)
        pdf = uploaded(body, asked.get("content-type") or "")
        if len(pdf) > FILE_BYTES_MAX:
            raise Refused("body_too_large", f"a file has at most {FILE_BYTES_MAX} bytes")
        if not pdf:
            raise Refused("request_invalid", NO_FILE)
        return await self._judged(hashlib.sha256(pdf).hexdigest(), await self._examiner.inspect(pdf))

    async def _judged(self, digest: str, found: Inspected | None) -> Verdict:
        return await self._database.read_async(_verdict, digest, found)


def _verdict(connection: Connection, digest: str, found: Inspected | None) -> Verdict:
    return verdict(digest, known_file(connection, digest), found, our_keys(connection))


def uploaded(body: bytes, content_type: str) -> bytes:
    """The file of a form, or the body itself; nothing where a form has none (pure)."""
    if not content_type.lower().startswith("multipart/"):
        return body
    found = BOUNDARY.search(content_type)
    if found is None:
        return b""
    mark = b"\r\n--" + found[1].strip().encode()
    for part in (b"\r\n" + body).split(mark)[1:]:
        head, between, content = part.partition(b"\r\n\r\n")
        if between and re.search(rb'name="?file"?(?:[;\r\n]|\Z)', head):
            return content
    return b""


def verify_routes(verifier: Verifier) -> Sequence[HTTPRouteHandler]:
    async def form(asked: Asked, send: Send) -> None:
        try:
            if asked.method == "POST":
                await _tell(asked, send, await verifier.of_file(asked))
                return
            allowed(asked, "GET", "HEAD")
            body = verify_page.page(language_of(asked.get("accept-language")))
            await _page(asked, send, 200, body)
        except Exception as error:  # the translator logs what it does not know
            await _refuse(asked, send, error)

    async def digest(asked: Asked, send: Send) -> None:
        try:
            allowed(asked, "GET", "HEAD")
            await _tell(asked, send, await verifier.of_digest(asked, str(asked.parameters["sha256"])))
        except Exception as error:  # as above
            await _refuse(asked, send, error)

    return [plain("/verify", (GET, HEAD, POST), form), plain("/verify/{sha256:str}", (GET, HEAD), digest)]


async def _tell(asked: Asked, send: Send, found: Verdict) -> None:
    if _wants_json(asked):
        body = msgspec.json.encode(found)
        headers = [("content-type", JSON), ("cache-control", "no-store"), ("vary", "accept, accept-language")]
        await answer(send, 200, headers, b"" if asked.method == "HEAD" else body)
        return
    await _page(asked, send, 200, verify_page.page(language_of(asked.get("accept-language")), found))


async def _page(asked: Asked, send: Send, status: int, body: bytes, retry_after: str | None = None) -> None:
    headers = [*verify_page.headers().items(), ("content-length", str(len(body)))]
    headers += [("retry-after", retry_after)] if retry_after is not None else []
    await answer(send, status, headers, b"" if asked.method == "HEAD" else body)


async def _refuse(asked: Asked, send: Send, error: Exception) -> None:
    """People are told on the page, programs by a problem body."""
    if _wants_json(asked) or not isinstance(error, Refused):
        await refuse(send, error, silent=asked.method == "HEAD")
        return
    problem = problem_of(error)
    text = error.text if error.text in (NO_FILE, NO_DIGEST) else PROBLEMS.get(error.code)
    if text is None:
        await refuse(send, error, silent=asked.method == "HEAD")
        return
    body = verify_page.page(language_of(asked.get("accept-language")), problem=text)
    await _page(asked, send, problem.status, body, problem.headers.get("Retry-After"))


def _wants_json(asked: Asked) -> bool:
    """A program says so; a browser asks for HTML first."""
    accept = (asked.get("accept") or "").lower()
    return "text/html" not in accept and JSON in accept
