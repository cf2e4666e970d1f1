"""`/api/conflicts`, `/api/refusals`, `/api/suggestions`: listed, explained, decided; `/api/handovers`, listed for their
authors. Each route is one transaction.

The work is that of `decisions`, `explained` and `online`, so a decision at a screen is the decision of a phone.

A decision may carry `If-Match` with the revision that was looked at; answers carry it as `ETag`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct

from sfa.core.errors import Refused
from sfa.crm import decisions, explained, online
from sfa.crm.decisions import RowList, Wanted
from sfa.crm.explained import ACTIONS, Told
from sfa.crm.online import Online, Order, RowView
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="The revision that was looked at.")]


def decision_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    routes: list[HTTPRouteHandler] = []
    for what in decisions.ENTITIES:
        routes += [_list(screens, what), _explain(screens, what)]
        routes += [_decide(screens, what, action) for action in ACTIONS.get(what, ("dismiss",))]
    return [*routes, _list(screens, "handovers")]


def revision(if_match: str | None) -> int | None:
    """`If-Match: "3"` -> 3. `*` and no header compare nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise Refused("request_invalid", 'If-Match is the revision in quotes, as "3"')
    return int(text)


class Declined(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of a decline, which may be left out."""

    reason: Annotated[str, Meta(max_length=2_000)] | None = None


def reasons(body: bytes) -> dict[str, Any]:
    """The arguments that a body says: `{"reason": text}`, or nothing."""
    if not body.strip():
        return {}
    try:
        said: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(body, type=Declined))
    except msgspec.ValidationError as error:
        raise Refused("request_invalid", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("json_invalid", str(error)) from None
    return said


def tagged(view: RowView) -> Response[RowView]:
    return Response(view, status_code=HTTP_200_OK, headers={"ETag": f'"{view.rev}"'})


def _list(screens: Online, what: str) -> HTTPRouteHandler:
    @get(f"/api/{what}", tags=["decisions"])
    async def listed(
        request: Asked,
        status: FromQuery[str] = "open",
        entity: FromQuery[str | None] = None,
        row: FromQuery[str | None] = None,
        kind: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = decisions.PAGE_DEFAULT,
    ) -> RowList:
        wanted = Wanted(status, entity, row, kind, after, limit)
        return await screens.read(decisions.page, request.user.user_key, what, wanted)

    return listed


def _explain(screens: Online, what: str) -> HTTPRouteHandler:
    @get(f"/api/{what}/{{key:str}}", tags=["decisions"])
    async def told(request: Asked, key: FromPath[str]) -> Response[Told]:
        found = await screens.read(explained.told, request.user.user_key, what, key)
        return Response(found, headers={"ETag": f'"{found.rev}"'})

    return told


def _decide(screens: Online, what: str, action: str) -> HTTPRouteHandler:
    command = f"{what[:-1]}.{action}"

    @post(f"/api/{what}/{{key:str}}/{action}", status_code=HTTP_200_OK, tags=["decisions"])
    async def decided(request: Asked, key: FromPath[str], if_match: IfMatch = None) -> Response[RowView]:
        said = reasons(await request.body()) if action == "decline" else {}
        asked = Order(request.user.user_key, command, key, said, rev=revision(if_match))
        return tagged(await screens.write(online.order, asked, screens.commands))

    return decided
