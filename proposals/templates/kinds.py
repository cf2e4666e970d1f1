"""What each field of a sheet is, read off its types: what templates may print, loop over and look into."""

from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from markupsafe import Markup
from msgspec import Struct

from proposals.templates.sheet import Sheet

TEXT, MARKUP, NUMBER, FLAG, LOOP = "text", "markup", "number", "flag", "loop"
PRINTED = frozenset((TEXT, MARKUP, NUMBER))
_BARE: dict[Any, "Kind"] = {str: TEXT, Markup: MARKUP, int: NUMBER, bool: FLAG}


class Many(Struct, frozen=True):
    """A list of what is `of` one kind."""

    of: "Kind"


Kind = str | type[Struct] | Many
_LOOP: dict[str, Kind] = {"index": NUMBER, "index0": NUMBER, "length": NUMBER, "first": FLAG, "last": FLAG}


@lru_cache(maxsize=64)
def fields_of(kind: Kind) -> dict[str, Kind]:
    """The fields of a value of this kind; texts, numbers and lists have none."""
    if kind == LOOP:
        return _LOOP
    if isinstance(kind, str | Many):
        return {}
    hints = get_type_hints(kind)
    found = {name: hints[name] for name in kind.__struct_fields__}
    for name, made in vars(kind).items():
        if isinstance(made, property):
            found[name] = get_type_hints(made.fget)["return"]
    return {name: _kind_of(hint) for name, hint in found.items()}


def merge_fields(kind: Kind = Sheet, path: str = "sheet") -> dict[str, str]:
    """path -> what it is, of everything that a template can reach; lists have `[]` behind their name."""
    found: dict[str, str] = {}
    for name, value in fields_of(kind).items():
        here, inner = f"{path}.{name}", value
        if isinstance(inner, Many):
            here, inner = f"{here}[]", inner.of
        if isinstance(inner, str):
            found[here] = inner
        else:
            found |= merge_fields(inner, here)
    return found


def _kind_of(hint: Any) -> Kind:
    if hint in _BARE:
        return _BARE[hint]
    if get_origin(hint) is tuple:
        return Many(_kind_of(get_args(hint)[0]))
    if get_origin(hint) in (UnionType, Union):
        (inner,) = [each for each in get_args(hint) if each is not NoneType]
        return _kind_of(inner)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    raise TypeError(f"templates cannot be told what {hint} is")
