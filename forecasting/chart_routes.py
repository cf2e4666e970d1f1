"""How an answer of the forecast leaves the server: as JSON, as a file, or as a picture.

`format` is json, csv or xlsx where figures are answered, and vl, svg or png at `…/chart`. Files and pictures are made
of the very answer that the JSON would be, off the event loop, and are no more to be kept by others than it is.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from litestar import MediaType, Response

from forecasting.pictures.drawing import FORMS, Order
from forecasting.pictures.studio import Studio
from forecasting.pictures.values import Picture
from forecasting.sheets import CSV, XLSX, Table, as_csv, as_xlsx
from sfa.core.errors import Refused

JSON, FILES = "json", ("csv", "xlsx")
SCALES = (1, 2, 3, 4)
NO_STORE = {"Cache-Control": "private, no-store"}


def form_of(said: str) -> str:
    """`format` of figures, checked before anything is read."""
    if said not in (JSON, *FILES):
        raise Refused("request_invalid", "`format` is json, csv or xlsx", format=said[:20])
    return said


def chart_form_of(said: str, scale: int) -> str:
    """`format` and `scale` of a picture, checked before anything is read."""
    if said not in FORMS:
        raise Refused("request_invalid", f"`format` is {', '.join(FORMS)}", format=said[:20])
    if scale not in SCALES:
        raise Refused("request_invalid", "`scale` is 1 to 4", scale=scale)
    return said


async def answered(
    found: Any, form: str, table: Callable[[], Table], headers: dict[str, str] | None = None
) -> Response[Any]:
    """`found` as JSON, or the table of it as a file; `headers` are said beside those of every answer."""
    more = {**NO_STORE, **(headers or {})}
    if form == JSON:
        return Response(found, media_type=MediaType.JSON, headers=more)
    made = table()
    more["Content-Disposition"] = f'attachment; filename="{_file_name(made)}.{form}"'
    if form == "csv":
        return Response(await asyncio.to_thread(as_csv, made), media_type=CSV, headers=more)
    return Response(await asyncio.to_thread(as_xlsx, made), media_type=XLSX, headers=more)


async def drawn(studio: Studio, picture: Picture, form: str, scale: int = 2) -> Response[bytes]:
    """The picture; the specification has its data in it, so a phone or a console can draw it itself."""
    data = await studio.draw(Order(form, picture, scale if form == "png" else 1))
    return Response(data, media_type=FORMS[form], headers=NO_STORE)


def _file_name(table: Table) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", f"{table.name}-{table.as_of}")
