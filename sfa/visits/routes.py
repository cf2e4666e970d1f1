"""`/api/visits/{key}/…` the commands of a visit, `/api/signals/summary`, `/api/cadence`, `/api/calendar` and the feed.

Each route is one transaction of `screens`, `summary` or `calendar`; a visit's row itself is created and edited as any
other row. Orders may carry `If-Match` with the revision that was looked at; answers carry it as `ETag`.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from sfa.core.days import check_day
from sfa.core.errors import Refused
from sfa.core.rules import TRANSITIONS
from sfa.crm import online
from sfa.crm.online import Online, Order, RowView
from sfa.crm.routes import IfMatch, revision, tagged
from sfa.db import scope
from sfa.visits import calendar, screens, summary
from sfa.visits.amending import Amend
from sfa.visits.calendar import CalendarAddress
from sfa.visits.screens import ACTIONS, VisitTold
from sfa.visits.summary import GROUPS_DEFAULT, PAGE_DEFAULT, Period, Standings, Summary
from sfa.web.middleware import PUBLIC
from sfa.web.openapi import JSON_TYPE, TAKES, schema_of
from sfa.web.principal import Principal
from sfa.web.sealed import Places

Asked = Request[Principal, Any, Any]
FEED_HEADERS = {"Cache-Control": "private, max-age=300", "Content-Disposition": 'inline; filename="visits.ics"'}
EXAMPLES: dict[str, dict[str, Any]] = {
    "visit.check_in": {"latitude": 43.263, "longitude": -2.935, "accuracy_m": 12.5},
    "visit.check_out": {"outcome": "sold"},
}
From = Annotated[str | None, QueryParameter(name="from", description="First local day, as 2026-01-31.")]
To = Annotated[str | None, QueryParameter(name="to", description="The local day after the last one.")]


def visit_routes(screen: Online, places_in: Places) -> Sequence[HTTPRouteHandler]:
    return [
        *(_act(screen, action) for action in ACTIONS),
        _amend(screen),
        _told(screen),
        _summary(screen),
        _cadence(screen, places_in),
        *_calendar(screen),
    ]


def _act(online_: Online, action: str) -> HTTPRouteHandler:
    command = f"visit.{action.replace('-', '_')}"

    takes = (JSON_TYPE, schema_of(TRANSITIONS[command].args), EXAMPLES.get(command, {}))

    @post(f"/api/visits/{{key:str}}/{action}", status_code=HTTP_200_OK, tags=["visits"], opt={TAKES: takes})
    async def acted(request: Asked, key: FromPath[str], if_match: IfMatch = None) -> Response[RowView]:
        said = _arguments(await request.body(), command)
        asked = Order(request.user.user_key, command, key, said, rev=revision(if_match))
        return tagged(await online_.write(screens.act, asked))

    return acted


def _arguments(body: bytes, command: str) -> dict[str, Any]:
    """The arguments of the command as a phone says them; no body is none."""
    if not body.strip():
        return {}
    try:
        said = msgspec.json.decode(body, type=TRANSITIONS[command].args)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"{command}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("json_invalid", str(error)) from None
    return {field: value for field, value in msgspec.structs.asdict(said).items() if value is not None}


def _amend(online_: Online) -> HTTPRouteHandler:
    @post("/api/visits/{key:str}/amend", status_code=HTTP_200_OK, tags=["visits"])
    async def amended(
        request: Asked, key: FromPath[str], data: JSONBody[Amend], if_match: IfMatch = None
    ) -> Response[VisitTold]:
        user = request.user.user_key
        asked = Order(user, "visit.amend", key, msgspec.to_builtins(data), rev=revision(if_match))
        await online_.write(online.order, asked, online_.commands)
        return _shown(await online_.read(screens.told, user, key))

    return amended


def _told(online_: Online) -> HTTPRouteHandler:
    @get("/api/visits/{key:str}/effective", tags=["visits"])
    async def told(request: Asked, key: FromPath[str]) -> Response[VisitTold]:
        return _shown(await online_.read(screens.told, request.user.user_key, key))

    return told


def _shown(told: VisitTold) -> Response[VisitTold]:
    return Response(told, status_code=HTTP_200_OK, headers={"ETag": f'"{told.rev}"'})


async def _today(online_: Online) -> str:
    """The organisation's local day (R32)."""
    return await online_.read(scope.today, online_.clock.now_ms())


def _summary(online_: Online) -> HTTPRouteHandler:
    @get("/api/signals/summary", tags=["visits"])
    async def summed(
        request: Asked,
        from_on: From = None,
        until_on: To = None,
        by: FromQuery[str] = "kind",
        limit: FromQuery[int] = GROUPS_DEFAULT,
    ) -> Summary:
        period = Period(*(check_day(day) if day is not None else None for day in (from_on, until_on)))
        today = await _today(online_)
        return await online_.read(summary.summary, request.user.user_key, today, by, period, limit)

    return summed


def _cadence(online_: Online, places_in: Places) -> HTTPRouteHandler:
    @get("/api/cadence", tags=["visits"])
    async def stands(
        request: Asked,
        as_of: FromQuery[str | None] = None,
        status: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
    ) -> Standings:
        user = request.user.user_key
        day = check_day(as_of) if as_of is not None else await _today(online_)
        about = json.dumps([user, "cadence", as_of, status])
        place = places_in.open(after, about) if after is not None else None
        found = await online_.read(summary.standings, user, day, status, place, limit)
        if found.next is None:
            return found
        return msgspec.structs.replace(found, next=places_in.seal(found.next, about))

    return stands


def _calendar(online_: Online) -> list[HTTPRouteHandler]:
    @post("/api/calendar", status_code=HTTP_201_CREATED, tags=["visits"])
    async def made(request: Asked) -> CalendarAddress:
        return await online_.write(calendar.create, request.user.user_key)

    @delete("/api/calendar", tags=["visits"])
    async def revoked(request: Asked) -> None:
        await online_.write(calendar.revoke, request.user.user_key)

    @get("/calendar/{token:str}", opt=PUBLIC, media_type=MediaType.TEXT, tags=["visits"])
    async def read(token: FromPath[str]) -> Response[bytes]:
        body = await online_.read(calendar.read, token, online_.clock.now_ms())
        return Response(body, media_type="text/calendar", headers=FEED_HEADERS)

    return [made, revoked, read]
