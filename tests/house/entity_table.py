"""The tables of docs/data-model.md, written from `sfa.core.entities`.

`python -m tests.house.entity_table` puts them into the document, between its two marks; a test says when that is due.
"""

import re
from typing import Any

import msgspec

from sfa.core.entities import ENTITIES, Row
from sfa.core.fields import INSTANT_MAX, KEY_PATTERN
from sfa.core.shapes import GROUPS, PARENTS, SHAPES
from tests.house.tree import ROOT

PLACE = "docs/data-model.md"
BEGIN, END = "<!-- entities: begin -->\n", "<!-- entities: end -->\n"
EVERY = set(Row.__struct_fields__)
ENTITY_OF = {struct: entity for entity, struct in ENTITIES.items()}


def render() -> str:
    """A section for each entity: what it is, its fields, parent and groups."""
    return "\n".join(_section(entity, struct) for entity, struct in ENTITIES.items())


def current(text: str) -> str:
    """The document with the tables as they are now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + render() + "\n" + END + rest.split(END)[1]


def _section(entity: str, struct: type[Row]) -> str:
    lines = [f"### `{entity}`", ""]
    if "__doc__" in vars(struct) and struct.__doc__:
        lines += [" ".join(struct.__doc__.split()), ""]
    if entity in PARENTS:
        parent, field = PARENTS[entity]
        lines += [f"Lies below `{parent}`, by `{field}`.", ""]
    if entity in GROUPS:
        groups = [f"{name} ({', '.join(fields)})" for name, fields in GROUPS[entity].items()]
        lines += [f"Merges as one value: {'; '.join(groups)}.", ""]
    lines += ["| field | type | default |", "|---|---|---|"]
    lines += [_field(entity, name, typ) for name, typ in SHAPES[entity].types.items() if name not in EVERY]
    return "\n".join([*lines, ""])


def _field(entity: str, name: str, typ: Any) -> str:
    shape = SHAPES[entity]
    default = "**required**" if name in shape.required else _default(shape.defaults[name])
    return f"| `{name}` | {_type(msgspec.inspect.type_info(typ))} | {default} |"


def _default(value: Any) -> str:
    return "none" if value is None else f"`{msgspec.json.encode(value).decode()}`"


def _type(kind: Any) -> str:
    match kind:
        case msgspec.inspect.Metadata(type=inner, extra=extra):
            return f"key of `{extra['ref']}`" if extra else _type(inner)
        case msgspec.inspect.UnionType(types=types):
            return _type(next(t for t in types if not isinstance(t, msgspec.inspect.NoneType)))
        case msgspec.inspect.StrType():
            return _text(kind)
        case msgspec.inspect.IntType():
            return "instant" if kind.le == INSTANT_MAX else f"integer{_range(kind)}"
        case msgspec.inspect.FloatType():
            return f"number{_range(kind)}"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.ListType():
            return f"list of {_type(kind.item_type)}, at most {kind.max_length}"
        case msgspec.inspect.DictType():
            return "object"
        case _:
            return "any JSON"


def _text(kind: msgspec.inspect.StrType) -> str:
    known = {
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z": "day",
        r"^[A-Z]{3}\Z": "currency",
        r"^[0-9]{1,12}(\.[0-9]{1,12})?\Z": "decimal number as text",
        r"^[A-D]\Z": "A, B, C or D",
        KEY_PATTERN: "key",
    }
    if kind.pattern in known:
        return known[kind.pattern]
    if kind.pattern and (found := re.fullmatch(r"\^\(([a-z_|]+)\)\\Z", kind.pattern)):
        return "one of " + ", ".join(found.group(1).split("|"))
    least = f"{kind.min_length} to " if kind.min_length else "up to "
    return f"text, {least}{kind.max_length} characters"


def _range(kind: Any) -> str:
    return "" if kind.ge is None or kind.le is None else f", {kind.ge} to {kind.le}"


if __name__ == "__main__":
    path = ROOT / PLACE
    path.write_text(current(path.read_text("utf-8")), "utf-8")
