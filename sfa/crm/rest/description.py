"""What the general routes say of themselves in the OpenAPI: parameters, bodies and rows, read off the entities."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sfa.core.access import ALWAYS_READ_ONLY, READ_ONLY, SET_ONCE
from sfa.core.entities import ENTITIES
from sfa.core.rules import TRANSITIONS
from sfa.core.shapes import SHAPES
from sfa.crm.decisions import PAGE_DEFAULT, PAGE_MAX
from sfa.crm.rest import listing
from sfa.web.openapi import Json, schema_of
from sfa.web.samples import sample as sample_of

KEY: Json = {"type": "string", "pattern": r"^[A-Za-z0-9_.\-]{1,64}$"}
PLACES = {
    "list": "/api/{entity}",
    "create": "/api/{entity}",
    "read": "/api/{entity}/{key}",
    "change": "/api/{entity}/{key}",
    "delete": "/api/{entity}/{key}",
    "command": "/api/{entity}/{key}/{command}",
}
ARGUMENTS: dict[str, Json] = {
    "account.merge": {"into": KEY},
    "contact.merge": {"into": KEY},
}


class Described(msgspec.Struct, frozen=True):
    """What one handler of all entities does; `commands` are those of each (entity, last part of the address)."""

    what: str
    commands: Mapping[tuple[str, str], str] = {}

    @property
    def place(self) -> str:
        """The address in words."""
        return PLACES[self.what]

    def write(self, path: str, operation: Json, schemas: Json) -> None:
        """Describe the operation at this address; schemas of its own go into `schemas`."""
        entity, word = path.split("/")[2], path.rpartition("/")[2]
        operation["tags"] = [entity]
        _SAYS[self.what](operation, schemas, entity, self.commands.get((entity, word), ""))


def _list(operation: Json, schemas: Json, entity: str, _: str) -> None:
    operation["summary"] = f"List {entity}"
    operation["operationId"] = f"list_{entity}"
    said = [
        _parameter(field, _plain(SHAPES[entity].types[field]), f"Only rows with this {field}; `null` for none.")
        for field in listing.filters(entity)
    ]
    orders = [f"{sign}{field}" for field in listing.orders(entity) for sign in ("", "-")]
    said.append(_parameter("order", {"type": "string", "enum": orders, "default": "key"}, "By what, `-` backwards."))
    limit = {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT}
    said.append(_parameter("limit", limit, "Rows of a page."))
    said.append(_parameter("after", {"type": "string"}, "The `next` of the page before."))
    operation["parameters"] = said
    items = {"type": "array", "items": _row(schemas, entity)}
    page = {"items": items, "next": {"type": ["string", "null"]}}
    _answers(
        operation,
        "200",
        {"type": "object", "required": ["items", "next"], "properties": page},
        {"items": [example_view(entity)], "next": None},
    )


def _read(operation: Json, schemas: Json, entity: str, _: str) -> None:
    operation["summary"] = f"Read one of {entity}"
    operation["operationId"] = f"read_{entity}"
    _answers(operation, "200", _row(schemas, entity), example_view(entity))
    operation["responses"]["304"] = {"description": "The revision in If-None-Match is the one that stands"}


def _create(operation: Json, schemas: Json, entity: str, _: str) -> None:
    operation["summary"] = f"Create one of {entity}"
    operation["operationId"] = f"create_{entity}"
    fields = _writable(entity, creating=True)
    required = sorted(SHAPES[entity].required & fields.keys() - {"owner_key", "author_key"})
    row = _object(fields, required)
    body = {
        "type": "object",
        "additionalProperties": False,
        "required": ["row"],
        "properties": {"key": KEY, "row": row},
    }
    sample = {field: value for field, value in example(entity).items() if field in fields}
    _takes(operation, body, {"row": sample})
    _answers(operation, "201", _row(schemas, entity), example_view(entity))
    operation["responses"]["200"] = {**operation["responses"]["201"], "description": "Made before, and the same"}


def _change(operation: Json, schemas: Json, entity: str, _: str) -> None:
    operation["summary"] = f"Change one of {entity}"
    operation["operationId"] = f"change_{entity}"
    fields = _writable(entity, creating=False)
    row = _object(fields, [])
    sample = {field: value for field, value in example(entity).items() if field in fields}
    _takes(operation, _object({"row": row}, ["row"]), {"row": dict(list(sample.items())[:1])})
    _answers(operation, "200", _row(schemas, entity), example_view(entity))


def _delete(operation: Json, _schemas: Json, entity: str, _: str) -> None:
    operation["summary"] = f"Delete one of {entity}"
    operation["operationId"] = f"delete_{entity}"
    operation["responses"]["204"] = {"description": "It is deleted"}


def _command(operation: Json, schemas: Json, entity: str, command: str) -> None:
    operation["summary"] = f"{command} on one of {entity}"
    operation["operationId"] = command.replace(".", "_")
    if command in TRANSITIONS:
        schema = schema_of(TRANSITIONS[command].args)
    else:
        properties = ARGUMENTS.get(command)
        schema = {"type": "object"} if properties is None else {"type": "object", "properties": properties}
        if properties is not None:
            schema |= {"required": list(properties), "additionalProperties": False}
    sample = {name: sample_of(kind, {}, name) for name, kind in schema.get("properties", {}).items()}
    _takes(operation, schema, sample, required=bool(schema.get("required")))
    _answers(operation, "200", _row(schemas, entity), example_view(entity))


_SAYS = {"list": _list, "read": _read, "create": _create, "change": _change, "delete": _delete, "command": _command}


# -- parts -----------------------------------------------------------------------------------------------------------


def _object(fields: Json, required: list[str]) -> Json:
    """An object of these fields and no other."""
    found: Json = {"type": "object", "additionalProperties": False, "properties": fields}
    return {**found, "required": required} if required else found


def _writable(entity: str, *, creating: bool) -> Json:
    hidden = ALWAYS_READ_ONLY | READ_ONLY.get(entity, frozenset())
    hidden = hidden if creating else hidden | SET_ONCE.get(entity, frozenset())
    return {field: schema_of(kind) for field, kind in SHAPES[entity].types.items() if field not in hidden}


def _row(schemas: Json, entity: str) -> Json:
    """A reference to the entity's row with key and revision, described once."""
    name = f"{ENTITIES[entity].__name__}Row"
    if name not in schemas:
        fields = {field: schema_of(kind) for field, kind in SHAPES[entity].types.items()}
        row = {"type": "object", "required": list(fields), "properties": fields}
        view = {"key": KEY, "rev": {"type": "integer", "minimum": 1}, "row": row}
        schemas[name] = {
            "type": "object",
            "description": (ENTITIES[entity].__doc__ or "").strip(),
            "required": ["key", "rev", "row"],
            "properties": view,
        }
    return {"$ref": f"#/components/schemas/{name}"}


def _plain(kind: Any) -> Json:
    """What a filter takes: the words of a list, or text."""
    words = listing.words(kind)
    return {"type": "string", "enum": [*words, "null"]} if words else {"type": "string", "maxLength": 254}


def _parameter(name: str, schema: Json, text: str) -> Json:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _takes(operation: Json, schema: Json, sample: Any, *, required: bool = True) -> None:
    content = {"application/json": {"schema": schema, "example": sample}}
    operation["requestBody"] = {"required": required, "content": content}


def _answers(operation: Json, status: str, schema: Json, sample: Any) -> None:
    headers = {"ETag": {"schema": {"type": "string"}, "description": "The revision in quotes"}}
    said = {"description": "Done", "content": {"application/json": {"schema": schema, "example": sample}}}
    operation["responses"][status] = said if "next" in (sample or ()) else {**said, "headers": headers}


def example_view(entity: str) -> Json:
    blank = dict.fromkeys(SHAPES[entity].types) | SHAPES[entity].defaults
    return {"key": f"{entity[:-1]}-1", "rev": 3, "row": {**blank, **example(entity)}}


def example(entity: str) -> Json:
    """A row that says what must be said."""
    shape = SHAPES[entity]
    return {f: sample_of(schema_of(kind), {}, f) for f, kind in shape.types.items() if f in shape.required}
