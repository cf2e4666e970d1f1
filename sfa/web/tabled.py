"""How an answer that is a table leaves the server: as JSON, or as a CSV or XLSX file with `format`.

Files are made of the very answer that the JSON would be, off the event loop, and are no more to be kept by others than
it is: every such answer is one person's.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, Any

from litestar import MediaType, Response
from litestar.params import QueryParameter

from sfa.core.errors import Refused
from sfa.web.sheets import CSV, XLSX, Table, as_csv, as_xlsx

JSON, FORMS = "json", ("json", "csv", "xlsx")
AS_FILES = {
    "text/csv": {"type": "string", "description": "With `format=csv`: a line of names, then one for each row."},
    XLSX: {"type": "string", "description": "With `format=xlsx`."},
}
Format = Annotated[
    str,
    QueryParameter(name="format", description="`json`, or `csv` or `xlsx` for a file.", schema_extra={"enum": FORMS}),
]
NO_STORE = {"Cache-Control": "private, no-store"}


def form_of(said: str) -> str:
    """Checked before anything is read. `request_invalid`."""
    if said not in FORMS:
        raise Refused("request_invalid", f"`format` is {', '.join(FORMS)}", format=said[:20])
    return said


async def answered(
    found: Any, form: str, table: Callable[[], Table], headers: dict[str, str] | None = None
) -> Response[Any]:
    """`found` as JSON, or its table as a file; `headers` are said beside those of every answer."""
    more = {**NO_STORE, **(headers or {})}
    if form == JSON:
        return Response(found, media_type=MediaType.JSON, headers=more)
    made = table()
    more["Content-Disposition"] = f'attachment; filename="{_file_name(made)}.{form}"'
    if form == "csv":
        return Response(await asyncio.to_thread(as_csv, made), media_type=CSV, headers=more)
    return Response(await asyncio.to_thread(as_xlsx, made), media_type=XLSX, headers=more)


def _file_name(table: Table) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", f"{table.name}-{table.as_of}")
