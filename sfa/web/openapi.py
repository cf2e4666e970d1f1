"""The description of the API: Litestar's, completed once with what every route of this server has.

Promises: each operation names every status that it answers, errors as problem bodies with the codes that they may
carry, whether it needs a token, and an example of what it takes and answers. The general routes describe themselves
(`GENERAL` in a handler's `opt`). The others are named, and what has a protocol of its own is described, by the words
that the application is made with (`api_words` in its state: summaries by operation, and raw paths with theirs).
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec
from litestar import Litestar, Request
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from sfa.core.errors import CATALOGUE
from sfa.web.errors import ERRORS_PAGE, PROBLEM_TYPE
from sfa.web.forms import AS_CSV, describe_csv
from sfa.web.samples import sample

GENERAL = "general"
TAKES = "takes"  # in a handler's `opt`: (media type, JSON schema, example) of a body that it reads by itself
ALSO = "also"  # in a handler's `opt`: {media type: schema} of further forms of its answer
JSON_TYPE = "application/json"
Json = dict[str, Any]
EVERYBODY = (429, 503, 507)
# What a write may be refused with: rights, what stands, limits, what the body says, rules.
OF_WRITES = (403, 404, 409, 412, 422)
OF_BODIES = (400, 413, 415)
FEW: dict[int, tuple[str, ...]] = {
    401: ("unauthenticated", "token_expired", "device_unknown", "device_revoked", "device_wiped"),
    429: ("too_many_requests",),
    503: ("server_busy",),
}


class Describing(Protocol):
    """What a general handler has in its `opt`."""

    def write(self, path: str, operation: Json, schemas: Json) -> None: ...


def description(app: Litestar) -> Json:
    """The whole description, made at the first question."""
    found: Json | None = app.state.get("api_description")
    if found is None:
        found = app.state["api_description"] = _completed(app)
    return found


class DescriptionPlugin(JsonRenderPlugin):
    """Serves the completed description in place of Litestar's own."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:  # noqa: ARG002
        return msgspec.json.encode(description(request.app))


def _completed(app: Litestar) -> Json:
    found: Json = worded(msgspec.to_builtins(copy.deepcopy(app.openapi_schema.to_schema()), str_keys=True))
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    components["securitySchemes"] = {
        "AccessToken": {"type": "http", "scheme": "bearer", "description": "`access_token` of POST /auth/login"}
    }
    schemas["Problem"] = _problem_schema()
    every = {*EVERYBODY, *OF_WRITES, *OF_BODIES, 401}
    components["responses"] = {f"Refused{status}": _refusal(status) for status in sorted(every)}
    summaries, raw = app.state.get("api_words", ({}, {}))
    for path, method, handler in _operations(app):
        operation = found["paths"].get(path, {}).get(method)
        if operation is None:
            continue
        if (general := handler.opt.get(GENERAL)) is not None:
            general.write(path, operation, schemas)
        if (takes := handler.opt.get(TAKES)) is not None:
            kind, schema, example = takes
            needed = kind != JSON_TYPE or bool(schema.get("required"))
            operation["requestBody"] = {"required": needed, "content": {kind: {"schema": schema, "example": example}}}
        if (columns := handler.opt.get(AS_CSV)) is not None:
            describe_csv(operation, columns)
        operation["summary"] = summaries.get(f"{method.upper()} {path}", operation.get("summary"))
        for kind, schema in handler.opt.get(ALSO, {}).items():
            operation["responses"]["200"]["content"][kind] = {"schema": schema}
        _secure(operation, handler.opt)
        _refusals(operation, path, method, handler.opt)
        _examples(operation, schemas)
    for path, methods in raw.items():
        for method, operation in copy.deepcopy(methods).items():
            _secure(operation, {})
            _refusals(operation, path, method, {})
            found["paths"].setdefault(path, {})[method] = operation
    found["paths"] = dict(sorted(found["paths"].items()))  # one order for everybody
    return found


def _operations(app: Litestar) -> Iterator[tuple[str, str, Any]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    yield route.path_format, str(method).lower(), handler


def _secure(operation: Json, opt: Mapping[str, Any]) -> None:
    operation["security"] = [] if opt.get("public") else [{"AccessToken": []}]


def _refusals(operation: Json, path: str, method: str, opt: Mapping[str, Any]) -> None:
    """Every other status that may come, in the form in which it comes."""
    responses = operation["responses"]
    wanted = set(EVERYBODY)
    if not opt.get("public"):
        wanted.add(401)
    if path.startswith("/auth/"):
        wanted |= {401}
    if "{" in path or operation.get("parameters"):  # a question may name somebody, too
        wanted.add(404)
    if operation.get("parameters") or operation.get("requestBody"):
        wanted |= {400, 422}
    if method != "get":
        wanted |= {*OF_WRITES, *OF_BODIES}
    elif path == "/health":
        wanted = set()
    else:
        wanted |= {400, 403}
    for status in sorted(wanted):
        responses[str(status)] = {"$ref": f"#/components/responses/Refused{status}"}


def _refusal(status: int) -> Json:
    codes = FEW.get(status) or tuple(code for code, entry in CATALOGUE.items() if entry.status == status)
    example = _problem(codes[0])
    schema = {"$ref": "#/components/schemas/Problem"}
    text = f"Refused: {', '.join(f'`{code}`' for code in codes)}"
    return {"description": text, "content": {PROBLEM_TYPE: {"schema": schema, "example": example}}}


def _problem(code: str) -> Json:
    entry = CATALOGUE[code]
    said = {"type": f"{ERRORS_PAGE}#{code}", "title": entry.title, "status": entry.status}
    return {**said, "detail": entry.title, "code": code}


def _problem_schema() -> Json:
    properties = {
        "type": {"type": "string", "description": "Where the code is explained"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong with this request"},
        "code": {"type": "string", "enum": list(CATALOGUE), "description": "Never changes its meaning"},
    }
    return {
        "type": "object",
        "description": "An error (RFC 9457), with more members where they help to repair the request.",
        "required": list(properties),
        "properties": properties,
    }


def _examples(operation: Json, schemas: Json) -> None:
    bodies = [operation.get("requestBody"), *operation["responses"].values()]
    for body in bodies:
        for content in (body or {}).get("content", {}).values():
            if "schema" in content and "example" not in content:
                content["example"] = sample(content["schema"], schemas)


# -- the words of JSON Schema ----------------------------------------------------------------------------------------


def worded(schema: Any) -> Any:
    """A schema whose patterns end in `$`: `\\Z` is a word of Python's."""
    if isinstance(schema, Mapping):
        return {name: worded(part) for name, part in schema.items()}
    if isinstance(schema, list | tuple):
        return [worded(part) for part in schema]
    return schema[:-2] + "$" if isinstance(schema, str) and schema.endswith(r"\Z") else schema


def schema_of(kind: Any) -> Json:
    """The JSON schema of a type, without references to others."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="#/parts/{name}")
    while "$ref" in schema:
        schema = parts[schema["$ref"].rpartition("/")[2]]
    found: Json = worded(schema)
    return found
