"""The description of the newest contract version, written from the code (S32).

`python -m tests.house.contract_shapes` adds to `sync/contracts/` what the newest version has gained; a test says when
that is due. It takes nothing away and changes nothing: whoever removes, renames or retypes what a version promises
makes a new version (docs/sync-protocol.md, Versions).
"""

import json
from typing import Any

import msgspec

from sfa.core.shapes import SHAPES
from sync.protocol import CONTRACT_MAX, RECEIPT_OUTCOMES
from sync.versions import FOLDER, Described, read_description

NEW_VERSION = "make a new contract version (docs/sync-protocol.md, Versions)"


def now() -> Described:
    """What the code says today."""
    return Described({entity: fields_of(entity) for entity in SHAPES}, list(RECEIPT_OUTCOMES))


def fields_of(entity: str) -> dict[str, Any]:
    """Field -> JSON Schema; a field without `default` must be said in a create."""
    shape = SHAPES[entity]
    found: dict[str, Any] = {}
    for name, kind in shape.types.items():
        schema = json.loads(json.dumps(msgspec.json.schema(kind)).replace(r"\\Z", "$"))  # as other languages say it
        if name in shape.references:
            schema = {**schema, "references": shape.references[name]}
        found[name] = schema if name in shape.required else {**schema, "default": shape.defaults[name]}
    return found


def broken_promises(promised: Described, found: Described) -> list[str]:
    """What a description says and another one takes back or changes; what it adds is no such thing, unless an app
    that does not know it could then say nothing any more."""
    said: list[str] = []
    for entity, fields in promised.entities.items():
        if entity not in found.entities:
            said.append(f"{entity} was removed")
            continue
        there = found.entities[entity]
        for name, schema in fields.items():
            if name not in there:
                said.append(f"{entity}.{name} was removed")
            elif there[name] != schema:
                said.append(f"{entity}.{name} was {schema}, is {there[name]}")
        needed = [name for name in there if name not in fields and "default" not in there[name]]
        said += [f"{entity}.{name} is required, and no app says it" for name in needed]
    said += [f"the outcome {word} was removed" for word in promised.outcomes if word not in found.outcomes]
    return [f"{line}: {NEW_VERSION}" for line in said]


def text_of(described: Described) -> str:
    """One line for each field, so that a change reads well."""
    entities = [
        f"    {json.dumps(entity)}: {{\n"
        + ",\n".join(f"      {json.dumps(name)}: {json.dumps(schema)}" for name, schema in fields.items())
        + "\n    }"
        for entity, fields in described.entities.items()
    ]
    body = ",\n".join(entities)
    return f'{{\n  "outcomes": {json.dumps(described.outcomes)},\n  "entities": {{\n{body}\n  }}\n}}\n'


def add() -> None:
    """Add to the newest description what the code has gained."""
    path = FOLDER / f"v{CONTRACT_MAX}.json"
    broken = broken_promises(read_description(CONTRACT_MAX), now()) if path.exists() else []
    if broken:
        raise SystemExit("\n".join(broken))
    path.write_text(text_of(now()), "utf-8")


if __name__ == "__main__":
    add()
