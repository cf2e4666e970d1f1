"""An example of a value, made from its JSON schema: pure. The names of fields say what is likely in them."""

from typing import Any

DEPTH_MAX = 6
BY_NAME: dict[str, Any] = {
    "email": "ana@example.com",
    "password": "correct horse",
    "currency": "EUR",
    "code": "EUR",
    "base_currency": "EUR",
    "quote_currency": "USD",
    "platform": "ios",
    "app_version": "1.0",
    "end_on": "2026-03-31",
    "valid_to": "2027-01-01",
    "start_time": "09:30",
    "zone": "UTC",
    "media_type": "image/jpeg",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


def sample(schema: Any, schemas: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value of the schema; `schemas` are those that it may refer to."""
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return None
    if "example" in schema or "default" in schema:
        return schema.get("example", schema.get("default"))
    if "$ref" in schema:
        return sample(schemas.get(schema["$ref"].rpartition("/")[2]), schemas, name, depth + 1)
    for either in ("oneOf", "anyOf", "allOf"):
        if either in schema:
            parts = [part for part in schema[either] if part.get("type") != "null"]
            return sample(parts[0], schemas, name, depth) if parts else None
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "object" if "properties" in schema else "null")
    kind = kinds if isinstance(kinds, str) else next((k for k in kinds if k != "null"), "null")
    if kind == "object":
        fields = schema.get("properties", {})
        return {field: sample(part, schemas, field, depth + 1) for field, part in fields.items()}
    if kind == "array":
        return [sample(schema["items"], schemas, name, depth + 1)] if schema.get("items") else []
    if kind == "string":
        return text(name, schema.get("pattern", ""))
    return {"integer": max(1, schema.get("minimum", 1)), "number": 1.5, "boolean": True}.get(kind)


def text(name: str, pattern: str) -> str:
    """What a text field of this name and form might say."""
    if name in BY_NAME:
        return str(BY_NAME[name])
    if pattern.startswith("^(") and "|" in pattern:
        return pattern[2:].partition("|")[0]
    if pattern.startswith("^[0-9]{4}-"):
        return "2026-03-02"
    if pattern.startswith("^[0-9]"):
        return "1.25"
    if pattern.startswith(("^[A-Z]", "^[A-D]")):
        return "EUR" if "{3}" in pattern else "A"
    if pattern.startswith("^[a-z]"):
        return name.lower()
    if name == "key" or name.endswith(("_key", "_id")) or pattern.startswith("^[A-Za-z0-9"):
        return f"{name.removesuffix('_key').removesuffix('_id') or 'row'}-1"
    return name.replace("_", " ").capitalize() or "text"
