"""`/api/imports`: a CSV file of one entity, rehearsed or written, and how far it is.

The request carries the file and is answered when it is through; each batch is a transaction of its own, so phones sync
between them. A request that was cut is sent again and goes on.
"""

import asyncio
import csv
import io
from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.status_codes import HTTP_200_OK

from sfa.core.errors import Refused
from sfa.core.formulas import safe
from sfa.crm.imports import sheets
from sfa.crm.imports.columns import IDENTITY
from sfa.crm.imports.sheets import Progress
from sfa.crm.online import Online, person
from sfa.web.limits import read_body
from sfa.web.openapi import TAKES
from sfa.web.principal import Principal

FILE_BYTES_MAX = 16 << 20  # as it arrives
FILE_INFLATED_BYTES_MAX = 64 << 20
CSV = "text/csv"
EXAMPLE = "external_id,name,city\nC-1001,Talleres Ruiz,Bilbao\n"
Asked = Request[Principal, Any, Any]


def import_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    reading = asyncio.Semaphore(1)  # a large file is much memory
    takes = (CSV, {"type": "string"}, EXAMPLE)

    @post("/api/imports/{entity:str}", status_code=HTTP_200_OK, tags=["imports"], opt={TAKES: takes})
    async def imported(request: Asked, entity: FromPath[str], dry_run: FromQuery[bool] = False) -> Progress:
        """Create and change rows of one entity from a CSV file."""
        if entity not in IDENTITY:
            raise Refused("entity_unknown", f"{', '.join(IDENTITY)} can be imported")
        user = request.user.user_key
        await screens.read(_check, user, entity)
        limits = {"body_max": FILE_BYTES_MAX, "inflated_max": FILE_INFLATED_BYTES_MAX}
        data = await read_body(request.receive, request.scope["headers"], **limits)
        async with reading:
            sheet = await asyncio.to_thread(sheets.read_sheet, user, entity, data)
        if dry_run:
            return await screens.read(sheets.rehearse, screens.clock.now_ms(), sheet)
        now = await screens.write(sheets.start, sheet)
        while now.done < now.lines:
            now = await screens.write(sheets.advance, sheet)
        return now

    @get("/api/imports/runs/{key:str}", tags=["imports"])
    async def progress(request: Asked, key: FromPath[str]) -> Progress:
        """How far an import is, with its faults."""
        return await screens.read(sheets.progress, request.user.user_key, key)

    @get("/api/imports/runs/{key:str}/faults.csv", media_type=CSV, tags=["imports"])
    async def faults(request: Asked, key: FromPath[str]) -> Response[str]:
        """The faults as a file, to be mended beside the lines."""
        found = await screens.read(sheets.progress, request.user.user_key, key)
        return Response(faults_csv(found), media_type=CSV)

    return [imported, progress, faults]


def _check(connection: Any, user_key: str, entity: str) -> None:
    """Before a large body is read."""
    sheets.check_importer(person(connection, user_key), entity)


def faults_csv(found: Progress) -> str:
    """`line,field,code,text`. What begins like a formula is told as text, because spreadsheets would run it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("line", "field", "code", "text"))
    for fault in found.faults:
        writer.writerow((fault.line, safe(fault.field), fault.code, safe(fault.text)))
    return out.getvalue()
