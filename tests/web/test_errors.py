"""Every failure is one problem body with a code of the catalogue; an unexpected one keeps its text to itself."""

import logging
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.params import Parameter
from litestar.testing import TestClient
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sfa.core.errors import CATALOGUE, Refused
from sfa.web.errors import answer_problem, problem_of
from tests.web.conftest import Server


def test_a_refusal_becomes_a_problem_body_with_its_details(server: Server) -> None:
    problem = problem_of(Refused("sequence_gap", "the text", expected_n=7, status="hidden"))
    assert problem.status == 409
    import msgspec

    assert msgspec.json.decode(problem.body) == {
        "type": "/docs/errors#sequence_gap",
        "title": CATALOGUE["sequence_gap"].title,
        "status": 409,
        "detail": "the text",
        "code": "sequence_gap",
        "expected_n": 7,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/auth/login", 405, "method_not_allowed"),
        ("GET", "/sync", 405, "method_not_allowed"),
        ("GET", "/auth/me", 401, "unauthenticated"),
        ("POST", "/auth/logout", 401, "unauthenticated"),
        ("POST", "/sync", 401, "unauthenticated"),
    ],
)
def test_what_the_server_itself_refuses_has_a_code_too(
    server: Server, method: str, path: str, status: int, code: str
) -> None:
    answer = server.client.request(method, path)
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)


def test_a_wrong_method_is_told_the_right_one(server: Server) -> None:
    assert "POST" in server.client.get("/sync").headers["allow"]


def test_only_what_says_so_is_public(server: Server) -> None:
    public = set()
    for route in server.client.app.routes:
        for handler in getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]:
            if handler is not None and handler.opt.get("public"):
                public.add(route.path)
    assert public - {"/schema", "/schema/openapi.json", "/schema/{path:str}"} == {
        "/auth/login",
        "/auth/refresh",
        "/health",
        "/docs/errors",
        "/docs/api",
        "/sync",
        "/sync/live",
        "/sync/drain",
        "/files/uploads",  # these seven ask for the token themselves, but for OPTIONS
        "/files/uploads/{upload:str}",
        "/files/{key:str}",
        "/files/{key:str}/thumbnail",
        "/api/proposals/{key:str}/pdf",
        "/api/proposal-pictures",
        "/api/proposal-pictures/{sha256:str}",
        "/verify",  # anybody may ask
        "/verify/{sha256:str}",
        "/calendar/{token:str}",  # the token is the key
        "/p/assets/{digest:str}/{name:str}",
        *(f"/p/{{token:str}}{rest}" for rest in ("", "/stop", "/choose", "/accept", "/decline", "/ask", "/again")),
        *(f"/p/{{token:str}}{rest}" for rest in ("/seen", "/document.pdf", "/final.pdf", "/certificate.pdf")),
        *(f"/p/{{token:str}}/{named}/{{name:str}}" for named in ("enclosures", "pictures")),
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "json_invalid"),
        (b'{"email": "\xff"}', "json_invalid"),
        (b"", "request_invalid"),
        (b"[]", "request_invalid"),
        (b"[" * 10_000, "json_too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "json_too_deep"),
    ],
)
def test_a_broken_body_is_refused_by_what_is_wrong_with_it(server: Server, body: bytes, code: str) -> None:
    answer = server.client.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_wrong_field_is_named(server: Server) -> None:
    answer = server.client.post("/auth/refresh", json={"refresh_token": 7})
    assert "refresh_token" in answer.text


def test_an_unexpected_failure_leaves_its_text_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    @get("/boom", sync_to_thread=False)
    def boom(number: int = Parameter(default=0)) -> Any:
        raise ValueError("the password is hunter2")

    app = Litestar([boom], exception_handlers={Exception: answer_problem}, logging_config=None)
    with TestClient(app) as client, caplog.at_level(logging.ERROR, "sfa.web"):
        answer = client.get("/boom")
        wrong = client.get("/boom?number=x")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (500, "internal")
    assert "hunter2" not in answer.text
    (record,) = caplog.records
    assert body["error_id"] in record.getMessage()
    assert "hunter2" in (caplog.text)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "request_invalid")


@pytest.mark.parametrize("error", [PoolTimeoutError(), ConnectionRefusedError()])
def test_a_database_that_does_not_answer_is_busy_not_broken(error: Exception) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code, problem.headers["Retry-After"]) == (503, "server_busy", "1")


def test_the_page_of_codes_has_an_anchor_for_each(server: Server) -> None:
    page = server.client.get("/docs/errors")
    assert page.status_code == 200
    assert all(f'id="{code}"' in page.text for code in CATALOGUE)
    assert "http" not in page.text.replace("<!doctype html>", "")
