"""What the columns of a file mean for an entity, and what its cells say: pure.

A column is named after a field. `territory_external_id` in place of `territory_key` names a row by its external id,
`user_email` a person, `period` a fiscal period by its name; `amount` in place of `amount_minor` is a decimal of the
currency on the line, and so is a quota's `target` where it is money. An empty cell says nothing; `null` empties the
field. Promises: each line becomes typed values or a fault; which lines are one row is told by `IDENTITY`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core.access import ALWAYS_READ_ONLY, READ_ONLY
from sfa.core.errors import Refused
from sfa.core.money import parse_minor
from sfa.core.rules import QUOTA_FILTERS, QUOTA_OWNERS
from sfa.core.shapes import SHAPES
from sfa.core.targets import parse_target
from sfa.crm.imports.table import Fault, Line, shown

# By which fields a line finds its row again.
IDENTITY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("accounts", "contacts", "products", "users", "territories"), ("external_id",)),
    "prices": ("product_key", "currency", "valid_from"),
    "territory_edges": ("territory_key", "valid_from"),
    "territory_members": ("territory_key", "user_key", "valid_from"),
    "quotas": (*QUOTA_OWNERS, "period_key", "measure", *QUOTA_FILTERS),
}
# What of it a line may leave open; of the owners a file has one column at least.
MAY_LACK: dict[str, frozenset[str]] = {"quotas": frozenset((*QUOTA_OWNERS, *QUOTA_FILTERS))}
# Beside its key a row is named by one of these: (its entity, the end of the column in place of `_key`, by what).
NAMED_BY = (("users", "_email", "email"), ("fiscal_periods", "", "name"))
TRUE, FALSE = frozenset(("true", "yes", "1")), frozenset(("false", "no", "0"))
LIST_MARK = ";"
NOTHING = "null"


class Columns(Struct, frozen=True):
    """`named` are fields that a cell states as a name of a row: field -> (column, entity, by which of its fields);
    `money` those that it states as a decimal: field -> (column, the currency's column); `measured` those in the unit
    of the line's measure."""

    plain: tuple[str, ...]
    named: dict[str, tuple[str, str, str]]
    money: dict[str, tuple[str, str]]
    measured: tuple[str, ...] = ()


class Stated(Struct, frozen=True):
    """One good line: what it states of which row. `named` are references still to be found: field -> external id."""

    line: int
    values: dict[str, Any]
    named: dict[str, str]


@cache
def known(entity: str) -> dict[str, tuple[str, str, str]]:
    """Every column that a file of this entity may have: name -> (how, field, of what)."""
    shape = SHAPES[entity]
    hidden = ALWAYS_READ_ONLY | READ_ONLY.get(entity, frozenset())
    found: dict[str, tuple[str, str, str]] = {}
    for field in shape.types:
        if field in hidden:
            continue
        found[field] = ("measured" if (entity, field) == ("quotas", "target") else "plain", field, "")
        target, stem = shape.references.get(field, ""), field.removesuffix("_key")
        if target and "external_id" in SHAPES[target].types:
            found[f"{stem}_external_id"] = ("external_id", field, target)
        for of, end, by in NAMED_BY:
            if of == target:
                found[f"{stem}{end}"] = (by, field, target)
        if field.endswith("_minor"):
            stem = field.removesuffix("_minor")
            currency = "currency" if "currency" in shape.types else f"{stem}_currency"
            found[stem] = ("money", field, currency)
    return found


def header_faults(entity: str, file: str, names: Sequence[str]) -> tuple[Fault, ...]:
    """Columns that mean nothing, come twice, say one field twice, or lack what tells rows apart."""
    columns = known(entity)
    faults = [
        Fault(file, 1, shown(name), "field_unknown", f"the columns of {entity} are {', '.join(columns)}")
        for name in names
        if name not in columns
    ]
    fields = [columns[name][1] for name in names if name in columns]
    twice = sorted({field for field in fields if fields.count(field) > 1})
    faults += [Fault(file, 1, field, "field_invalid", "two columns state this field") for field in twice]
    lacking = MAY_LACK.get(entity, frozenset())
    missing = [field for field in IDENTITY[entity] if field not in fields and field not in lacking]
    if entity == "quotas" and not set(fields) & set(QUOTA_OWNERS):
        missing.insert(0, QUOTA_OWNERS[0])
    faults += [Fault(file, 1, f, "field_required", "this column tells the rows apart") for f in missing]
    faults += [
        Fault(file, 1, columns[name][2], "field_required", f"{name} needs the currency")
        for name in names
        if name in columns and columns[name][0] == "money" and columns[name][2] not in names
    ]
    return tuple(faults)


def columns_of(entity: str, names: Sequence[str]) -> Columns:
    """The columns of a header without faults."""
    every = {name: known(entity)[name] for name in names}
    return Columns(
        tuple(name for name, (how, _, _) in every.items() if how == "plain"),
        {f: (name, of, how) for name, (how, f, of) in every.items() if how not in ("plain", "money", "measured")},
        {field: (name, of) for name, (how, field, of) in every.items() if how == "money"},
        tuple(name for name, (how, _, _) in every.items() if how == "measured"),
    )


def stated(entity: str, columns: Columns, line: Line, file: str) -> Stated | Fault:
    """What a line says, or its first fault."""
    values: dict[str, Any] = {}
    named: dict[str, str] = {}
    place = ""
    try:
        for place in columns.plain:
            if line.values[place]:
                values[place] = _value(entity, place, line.values[place])
        for field, (place, currency) in columns.money.items():
            if line.values[place]:
                values[field] = _money(line.values, place, currency)
        for place in columns.measured:
            if line.values[place]:
                values[place] = parse_target(
                    line.values[place], line.values.get("measure", ""), line.values.get("currency")
                )
        for field, (place, _, _) in columns.named.items():
            text = line.values[place]
            if text == NOTHING:
                values[field] = None
            elif text:
                named[field] = text
        for place in IDENTITY[entity]:
            if values.get(place) is None and place not in named and place not in MAY_LACK.get(entity, ()):
                raise Refused("field_required", "the line cannot be told from others without it")
    except Refused as refused:
        return Fault(file, line.number, place, refused.code, refused.text)
    return Stated(line.number, values, named)


def _value(entity: str, field: str, text: str) -> Any:
    """A cell as a value of the field's type; the rules of the entity check the rest."""
    required = field in SHAPES[entity].required
    if text == NOTHING and not required:
        return None
    default = SHAPES[entity].defaults.get(field)
    if isinstance(default, list):
        return [part.strip() for part in text.split(LIST_MARK) if part.strip()]
    if isinstance(default, bool):
        if text.lower() not in TRUE | FALSE:
            raise Refused("field_invalid", f"{text[:40]!r} is neither yes nor no")
        return text.lower() in TRUE
    try:
        return msgspec.convert(text, SHAPES[entity].types[field], strict=False)
    except msgspec.ValidationError as error:
        raise Refused("field_invalid", f"{text[:40]!r}: {error}") from None


def _money(values: Mapping[str, str], name: str, currency: str) -> int | None:
    if values[name] == NOTHING:
        return None
    return parse_minor(values[name], values[currency])


def in_order(entity: str, found: Sequence[Stated]) -> list[Stated]:
    """Lines that name another line of the file come after it; those in a circle stay where they are."""
    above = next((f for f, target in SHAPES[entity].references.items() if target == entity), None)
    if above is None or "external_id" not in SHAPES[entity].types:
        return list(found)
    by_id = {item.values.get("external_id"): item for item in found}
    depth: dict[int, int] = {}
    for item in found:
        chain: list[Stated] = []
        here: Stated | None = item
        while here is not None and here.line not in depth and here not in chain:
            chain.append(here)
            here = by_id.get(here.named.get(above))
        start = depth.get(here.line, -1) + 1 if here is not None else 0
        for place, member in enumerate(reversed(chain)):
            depth[member.line] = start + place
    return sorted(found, key=lambda item: (depth[item.line], item.line))
