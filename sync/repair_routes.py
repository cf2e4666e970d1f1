"""`POST /api/refusals/{key}/repair`: a refused mutation repaired at a screen (S19), by the functions of the push."""

from collections.abc import Mapping
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct, structs
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm.commands import Command
from sfa.crm.explained import is_repairable
from sfa.crm.online import Online, RowView, begin, check_rev, seen, shown
from sfa.crm.routes import IfMatch, revision
from sfa.web.principal import Principal
from sync import repairs
from sync.kept import kept_content
from sync.protocol import Mutation, Receipt
from sync.versions import VERSIONS, Versions


class RepairRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What differs from the refused content: fields to `set`, fields that it goes `without` (in the words that are kept
    or in those of today), the `key` of a row that is created under another one, the `base` that the caller looked at.
    Nothing: it is offered again as it is. A `reason` makes the edit of a locked visit its amendment (R14)."""

    set: dict[str, Any] = {}
    without: list[str] = []
    key: Annotated[str, Meta(max_length=200)] | None = None
    base: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None


class RepairAnswer(Struct, frozen=True):
    refusal: RowView
    receipt: Receipt


def repair_online(
    connection: Connection,
    now_ms: int,
    user_key: str,
    key: str,
    asked: RepairRequest,
    rev: int | None,
    commands: Mapping[str, Command],
    versions: Versions = VERSIONS,
) -> RepairAnswer:
    """Land the repair or refuse it; a refused one leaves nothing, because its author is there to see it."""
    screen = begin(connection, now_ms, user_key)
    cell = seen(screen, "refusals", key)
    if cell.gone or cell.row["author_key"] != user_key:
        raise Refused("not_found")
    if not is_repairable(cell.row):
        raise Refused("repair_impossible", key=key)
    if cell.row["status"] != "repaired":
        check_rev(cell, rev)
    mutation = _patched(kept_content(cell, versions, asked.without), cell.key, asked, now_ms)
    receipt = repairs.repair(screen.door, screen.who, commands, mutation, screen.origin, versions)
    screen.door.flush()
    return RepairAnswer(shown(cell), structs.replace(receipt, entity=mutation.entity, digest=""))


def _patched(content: Mutation, refusal: str, asked: RepairRequest, now_ms: int) -> Mutation:
    said = {**content.set, **asked.set}
    if asked.reason is not None:  # of a locked visit, which is amended (R14): any other refusal says that it is not one
        content, said = structs.replace(content, kind="visit.amend"), {"values": said, "reason": asked.reason}
    return structs.replace(
        content,
        key=asked.key if asked.key is not None else content.key,
        set=said,
        base=asked.base if asked.base is not None else content.base,
        at=now_ms,
        unit=None,
        repairs=refusal,
    )


def repair_route(screens: Online) -> HTTPRouteHandler:
    @post("/api/refusals/{key:str}/repair", status_code=HTTP_200_OK, tags=["decisions"])
    async def repaired(
        request: Request[Principal, Any, Any],
        key: FromPath[str],
        data: JSONBody[RepairRequest],
        if_match: IfMatch = None,
    ) -> Response[RepairAnswer]:
        rev = revision(if_match)
        user = request.user.user_key
        answer = await screens.write(repair_online, user, key, data, rev, screens.commands)
        return Response(answer, status_code=HTTP_200_OK, headers={"ETag": f'"{answer.refusal.rev}"'})

    return repaired
