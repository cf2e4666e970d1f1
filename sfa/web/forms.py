"""Answers that are told as JSON or, with `format=csv`, as a file: one parameter, one way to refuse another, one
description."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from litestar.params import QueryParameter

from sfa.core.errors import Refused

FORMS: Final = ("json", "csv")
CSV = "text/csv"
AS_CSV = "as_csv"  # in a handler's `opt`: the columns of the file
Format = Annotated[
    str | None,
    QueryParameter(name="format", description="`json`, or `csv` for a file.", schema_extra={"enum": [*FORMS]}),
]


def form_of(said: str | None) -> str | None:
    """`json` or `csv`; None where nothing was said. `request_invalid` for anything else."""
    if said is not None and said not in FORMS:
        raise Refused("request_invalid", "`format` is json or csv")
    return said


def describe_csv(operation: dict[str, Any], columns: Sequence[str]) -> None:
    """What the operation answers with 200 may also be a file."""
    schema = {"type": "string", "description": f"A line of names, then a line for each row: {', '.join(columns)}"}
    operation["responses"]["200"]["content"][CSV] = {"schema": schema, "example": f"{','.join(columns)}\r\n"}
