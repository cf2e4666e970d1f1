"""The one translator: any exception becomes an RFC 9457 problem body with a code of the catalogue.

`problem_of` is pure but for the log and serves routes and raw ASGI handlers alike. What nobody expected becomes
`internal`: its traceback goes to the log under an id that the body names; its text never leaves the server.
"""

import logging
import secrets
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from msgspec import Struct
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sfa.core.errors import CATALOGUE, Refused

PROBLEM_TYPE = "application/problem+json"
ERRORS_PAGE = "/docs/errors"
CODE_OF_STATUS = {
    401: "unauthenticated",
    403: "not_permitted",
    404: "not_found",
    413: "body_too_large",
    429: "too_many_requests",
    503: "server_busy",
}

_log = logging.getLogger("sfa.web")


class Problem(Struct, frozen=True):
    """An answer: `headers` hold what belongs to the status (Retry-After, WWW-Authenticate, Allow), not the type."""

    code: str
    status: int
    headers: dict[str, str]
    body: bytes


def problem_of(error: Exception) -> Problem:
    refused = _refusal(error)
    if refused.code == "internal":
        refused.details["error_id"] = error_id = secrets.token_hex(8)
        _log.error("internal error %s", error_id, exc_info=error)
    return Problem(refused.code, refused.status, _headers(refused), problem_body(refused))


def problem_body(refused: Refused) -> bytes:
    """`{"type", "title", "status", "detail", "code", …details}`; details never hide the members before them."""
    entry = CATALOGUE[refused.code]
    body = {
        "type": f"{ERRORS_PAGE}#{refused.code}",
        "title": entry.title,
        "status": entry.status,
        "detail": refused.text,
        "code": refused.code,
    }
    return msgspec.json.encode({**body, **{k: v for k, v in refused.details.items() if k not in body}})


def _headers(refused: Refused) -> dict[str, str]:
    headers: dict[str, str] = {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_s" in refused.details:
        headers["Retry-After"] = str(refused.details["retry_after_s"])
    if "allow" in refused.details:
        headers["Allow"] = refused.details["allow"]
    return headers


def _refusal(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case ValidationException():
            return Refused("request_invalid", _detail(error), errors=_messages(error.extra))
        case MethodNotAllowedException():
            allowed = {name.lower(): value for name, value in (error.headers or {}).items()}
            return Refused("method_not_allowed", **({"allow": allowed["allow"]} if "allow" in allowed else {}))
        case HTTPException() if error.status_code in CODE_OF_STATUS:
            return Refused(CODE_OF_STATUS[error.status_code])
        case HTTPException() if error.status_code < 500:
            return Refused("request_invalid", _detail(error))
        case PoolTimeoutError() | ConnectionError():
            return Refused("server_busy", retry_after_s=1)
        case DBAPIError() if error.connection_invalidated:
            return Refused("server_busy", retry_after_s=1)
        case _:
            return Refused("internal")


def _detail(error: HTTPException) -> str:
    return error.detail if len(error.detail) <= 500 else ""


def _messages(extra: Any) -> list[dict[str, str]]:
    """Litestar's list of what is wrong with which field."""
    items = extra if isinstance(extra, list) else []
    return [{k: str(item[k]) for k in ("key", "message") if k in item} for item in items if isinstance(item, dict)]


def answer_problem(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler."""
    problem = problem_of(error)
    return Response(problem.body, status_code=problem.status, headers=problem.headers, media_type=PROBLEM_TYPE)
