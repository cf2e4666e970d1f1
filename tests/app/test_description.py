"""The description of the API, held against the running application: generated requests get documented answers only."""

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from litestar.routes import ASGIRoute, HTTPRoute
from requests import Request
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sfa.app.api_words import RAW, SUMMARIES
from sfa.app.factory import build
from sfa.app.settings import Settings
from sfa.core.access import COSTS, SERVER_ONLY_ENTITIES
from sfa.core.entities import ENTITIES
from sfa.core.errors import CATALOGUE
from sfa.core.shapes import SHAPES
from sfa.web.api_page import page
from sfa.web.openapi import description
from sfa.web.sheets import XLSX
from tests.crm.desk import CHEAP, Desk, opened
from tests.office import Office

Drawn = tuple[Any, Any, bool]  # a request, the parameters of its path, whether the row it names is to exist
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
PERIOD = {"name": "2026", "kind": "year", "start_on": "2026-01-01", "end_on": "2027-01-01"}
VISIT = {"account_key": "acme", "owner_key": "ana"}
EXAMPLES, EXAMPLES_OF_GENERAL_ROUTES = 5, 2  # the general ones are one code for all entities
OPEN = ("/auth/login", "/auth/refresh", "/health", "/calendar/{token}")
ENDS_A_LOGIN = {
    ("post", path)
    for path in ("/auth/logout", "/auth/refresh", "/api/devices/{device_key}/revoke", "/api/devices/{device_key}/wipe")
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("described")
    return description(build(Settings(database_url=f"sqlite:///{folder}/x.db"), hasher=CHEAP, jobs=False))


def operations(said: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in said["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


FILES = {"json": "application/json", "csv": "text/csv", "xlsx": XLSX}
PICTURES = {"vl": "application/vnd.vegalite.v6+json", "svg": "image/svg+xml", "png": "image/png"}


def test_whatever_takes_a_format_says_that_it_answers_a_file_too(said: dict[str, Any]) -> None:
    """And nothing else does so unsaid: who reads the description may ask for it."""
    found: dict[str, list[str]] = {}
    for method, path, operation in operations(said):
        formats = [p for p in operation.get("parameters", ()) if p["name"] == "format"]
        if not formats:
            continue
        (asked,) = formats
        kinds = PICTURES if path.endswith("/chart") else FILES
        found.setdefault(",".join(asked["schema"]["enum"]), []).append(path)
        assert (method, asked["required"]) == ("get", False)
        answers = operation["responses"]["200"]["content"]
        assert answers.keys() == {kinds[form] for form in asked["schema"]["enum"]}, path
        assert all(answer["schema"] for answer in answers.values()), path
        if ",".join(asked["schema"]["enum"]) == "json,csv":
            assert answers["text/csv"]["example"].endswith("\r\n"), path
    assert {form: sorted(paths) for form, paths in found.items()} == {
        "json,csv": [
            "/api/accounts/{key}/profit",
            "/api/campaigns/{key}/roi",
            "/api/commission/statements/{user}/{period}",
            "/api/deals/{key}/pnl",
            "/api/profit/whales",
            "/api/profit/{dimension}",
        ],
        "json,csv,xlsx": [
            "/api/forecast/accuracy",
            "/api/forecast/calls",
            "/api/forecast/changes",
            "/api/forecast/coverage",
            "/api/forecast/deals",
            "/api/forecast/honesty",
            "/api/forecast/movement",
            "/api/forecast/movement/deals",
            "/api/forecast/nodes/{node}",
            "/api/forecast/outlook",
            "/api/forecast/overrides",
            "/api/forecast/rollup",
            "/api/proposal-funnel",
        ],
        "vl,svg,png": [
            "/api/forecast/accuracy/chart",
            "/api/forecast/movement/chart",
            "/api/forecast/rollup/chart",
        ],
    }


def test_every_operation_says_who_may_ask_what_it_answers_and_an_example(said: dict[str, Any]) -> None:
    for method, path, operation in operations(said):
        where = f"{method} {path}"
        assert operation["security"] or path in OPEN, where
        if path != "/health":
            assert {"429", "503"} <= operation["responses"].keys(), where
        if operation["security"]:
            assert "401" in operation["responses"], where
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        assert all("example" in c for body in bodies for c in body.get("content", {}).values()), where
    ids = [operation["operationId"] for _, _, operation in operations(said)]
    assert len(ids) == len(set(ids))


def test_every_operation_has_a_summary_that_people_can_read(said: dict[str, Any]) -> None:
    """A handler's bare name is none."""
    for method, path, operation in operations(said):
        assert " " in operation["summary"], (method, path, operation["summary"])
    known = {f"{method.upper()} {path}" for method, path, _ in operations(said)}
    assert SUMMARIES.keys() <= known
    summaries = [operation["summary"] for _, _, operation in operations(said)]
    assert [one for one, count in Counter(summaries).items() if count > 1] == []


def test_what_has_a_protocol_of_its_own_is_described_as_it_is_mounted(
    said: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No raw route is left out, and none is made up."""
    folder: Path = tmp_path_factory.mktemp("mounted")
    app = build(Settings(database_url=f"sqlite:///{folder}/x.db"), hasher=CHEAP, jobs=False)
    described = {path: set(methods) for path, methods in RAW.items()}
    raw = {route.path_format for route in app.routes if isinstance(route, ASGIRoute)}
    assert raw <= described.keys()
    mounted: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute) and not route.path.startswith(("/docs", "/schema")):
            for handler in route.route_handlers:
                methods = {str(method).lower() for method in handler.http_methods} - {"options"}  # on every path
                if methods and not handler.resolve_include_in_schema():
                    mounted.setdefault(route.path_format, set()).update(methods)
    assert {path: methods - {"options"} for path, methods in described.items() if path not in raw} == mounted
    for path, methods in described.items():
        assert methods <= said["paths"][path].keys()


@pytest.mark.parametrize("path", sorted(path for path in RAW if path.startswith("/sync")))
def test_a_raw_route_answers_the_method_that_is_described_and_no_other(desk: Desk, path: str) -> None:
    (method,) = RAW[path]
    other = "get" if method == "post" else "post"
    assert desk.ask("ana", other.upper(), path).json()["code"] == "method_not_allowed"


def test_commands_of_a_visit_say_what_they_take(said: dict[str, Any], office: Office, desk: Desk) -> None:
    """And their examples are taken."""
    office.put(("visits", "v1", VISIT))
    for action in ("check-in", "check-out", "submit"):
        body = said["paths"][f"/api/visits/{{key}}/{action}"]["post"]["requestBody"]
        example = body["content"]["application/json"]["example"]
        assert desk.post("ana", f"/api/visits/v1/{action}", json=example).status_code == 200, action
    row = office.row("visits", "v1")
    assert (row["latitude"], row["outcome"], row["submitted"]) == (43.263, "sold", True)


def test_every_error_code_can_be_found_in_the_description(said: dict[str, Any]) -> None:
    assert said["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == list(CATALOGUE)
    assert "`rev_stale`" in said["components"]["responses"]["Refused412"]["description"]


def test_the_page_of_the_api_asks_nobody_else_for_anything(desk: Desk) -> None:
    answer = desk.client.get("/docs/api")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert not [part for part in answer.text.split('"') if part.startswith(("http:", "https:", "//"))]
    assert all(f"/api/{entity}" in answer.text for entity in ENTITIES)


def test_the_page_escapes_what_it_shows(said: dict[str, Any]) -> None:
    bad = copy.deepcopy(said)
    bad["info"]["title"] = "<script>1</script>"
    bad["paths"]["/health"]["get"]["summary"] = "<b onclick=x>"
    assert "<script" not in page(bad)
    assert "<b onclick" not in page(bad)


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


@pytest.mark.xdist_group("generated requests")
def test_generated_requests_get_documented_answers_only(desk: Desk) -> None:
    """Every operation, by a person who may do much and by one who may do little; the same requests in every run."""
    asked, wrong = fuzzed(desk, description(desk.client.app))
    assert not wrong, "\n".join(wrong)
    assert all(asked[status] > 5 for status in (200, 201, 204, 400, 403, 404, 422)), asked


def test_every_example_of_a_new_row_is_taken_when_what_it_names_exists(desk: Desk) -> None:
    desk.office.put(("fiscal_periods", "period-1", PERIOD), ("visits", "visit-1", VISIT))
    desk.office.put(("teams", "without-place", {"name": "T"}), ("territories", "without-place", {"name": "T"}))
    desk.office.put(("stages", "yes", {"name": "Yes"}))
    taken: list[str] = []
    for entity in ENTITIES:
        if entity in SERVER_ONLY_ENTITIES:
            continue
        said = description(desk.client.app)["paths"][f"/api/{entity}"]["post"]
        row = said["requestBody"]["content"]["application/json"]["example"]["row"]
        for field, target in SHAPES[entity].references.items():
            row |= {field: _known(desk.office, target)} if field in row else {}
        row |= {"email": "new@example.com"} if entity == "users" else {}
        row |= {"tiers": [{"from_minor": 0, "rate_bp": 100}]} if "tiers" in row else {}
        row |= {"contact_key": "carl"} if entity == "deal_contacts" else {}  # of the deal's customer
        made = desk.post("dirk" if entity in {*COSTS, "deal_charges"} else "root", f"/api/{entity}", json={"row": row})
        if made.status_code == 201:
            taken.append(entity)
            assert desk.get("fay", f"/api/{entity}/{made.json()['key']}").json() == made.json()
        else:  # a rule of the whole row may ask for more than is required
            codes = (
                "invariant_failed",
                "quota_owner_invalid",
                "membership_overlap",
                "contact_elsewhere",
                "forecast_node_invalid",
            )
            assert made.json()["code"] in codes, (entity, row, made.text)
    assert len(taken) > 20


def test_an_undocumented_answer_is_found(desk: Desk) -> None:
    said = copy.deepcopy(description(desk.client.app))
    one, every = "/api/accounts/{key}", "/api/accounts"
    said["paths"] = {path: {"get": said["paths"][path]["get"]} for path in (one, every)}
    del said["paths"][one]["get"]["responses"]["404"]
    page_ = said["paths"][every]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    page_["properties"]["items"] = {"type": "string"}
    _, wrong = fuzzed(desk, said)
    assert any("Undocumented" in text for text in wrong), wrong
    assert any("schema" in text for text in wrong), wrong


def fuzzed(desk: Desk, said: dict[str, Any]) -> tuple[Counter[int], list[str]]:
    """-> (answers by status, what was not as described). What deletes comes last."""
    asked: Counter[int] = Counter()
    wrong: list[str] = []
    for operation, user, requests in _generated(msgspec.json.encode(said)):
        for case, parameters, exists in requests:
            case.path_parameters = parameters and {**parameters}
            if exists and parameters and "key" in parameters:
                case.path_parameters["key"] = _known(desk.office, operation.path.split("/")[2])
            answer = _sent(desk, case, user)
            asked[answer.status_code] += 1
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as failures:
                texts = [str(failure)[:600] for failure in failures.exceptions]
                where = f"{operation.method} {operation.path} as {user}"
                wrong.append(f"{where}: {answer.status_code} {answer.text[:300]} {texts}")
    return asked, wrong


@cache
def _generated(said: bytes) -> list[tuple[Any, str, list[Drawn]]]:
    """(operation, who asks, what he asks) of a description. Nothing that is answered changes what is asked, so it is
    asked of both databases and made once: that takes most of the time."""
    description_ = msgspec.json.decode(said)
    operations_ = schemathesis.openapi.from_dict(description_).get_all_operations()
    found = [result.ok() for result in operations_ if isinstance(result, Ok)]
    assert len(found) == sum(len(methods) for methods in description_["paths"].values())
    made: list[tuple[Any, str, list[Drawn]]] = []
    for operation in sorted(
        found, key=lambda o: (o.method.lower() == "delete", o.path.endswith(("/merge", "/decline")))
    ):
        raw = operation.method.lower() in RAW.get(operation.path, {})  # a protocol with tests of its own
        if (operation.method.lower(), operation.path) not in ENDS_A_LOGIN and not raw:
            for mode, user in ((GenerationMode.POSITIVE, "root"), (GenerationMode.NEGATIVE, "ana")):
                made.append((operation, user, _drawn(operation, mode)))
    return made


def _drawn(operation: Any, mode: GenerationMode) -> list[Drawn]:
    """A few requests; of every second one the row exists."""
    found: list[Drawn] = []

    @seed(20260302)
    @settings(
        max_examples=EXAMPLES if _is_own(operation.path) else EXAMPLES_OF_GENERAL_ROUTES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), exists=booleans())
    def draw(case: Any, exists: bool) -> None:
        found.append((case, case.path_parameters, exists))

    with suppress(Unsatisfiable):  # nothing can be wrong with a request that says nothing
        draw()
    return found


def _is_own(path: str) -> bool:
    return path.split("/")[-1] not in ENTITIES and path.split("/")[-2:-1] not in [[entity] for entity in ENTITIES]


def _known(office: Office, entity: str) -> str:
    if entity == "users":
        return "cleo"  # whoever asks must remain who he is
    rows = office.rows(entity) if entity in ENTITIES else []
    return str(rows[-1]["key"]) if rows else "nothing"


def _sent(desk: Desk, case: Any, user: str) -> Any:
    desk.office.clock.advance(100)  # more would be too many requests
    said = Request(**case.as_transport_kwargs(base_url="http://testserver.local")).prepare()
    headers: Any = {
        name: value for name, value in said.headers.items() if name.lower() not in ("authorization", "host")
    }
    headers["Authorization"] = f"Bearer {desk.token(user)}"
    body: Any = said.body
    return desk.client.request(str(said.method), str(said.url), headers=headers, content=body)
