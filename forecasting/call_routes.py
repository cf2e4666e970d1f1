"""`/api/forecast/calls` and `/api/forecast/accuracy`: who called what, a call made, and how right calls were."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody
from msgspec import structs
from sqlalchemy import Connection

from forecasting import calls, scoring
from forecasting.accuracy import Accuracy
from forecasting.calls import PAGE_DEFAULT, Call, Calls, CallSaid, Place
from forecasting.grounds import views_of
from forecasting.said_tables import calls_table
from forecasting.tables import accuracy_table
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.crm.online import Online
from sfa.db import scope
from sfa.web.openapi import ALSO
from sfa.web.principal import Principal
from sfa.web.sealed import Places
from sfa.web.tabled import AS_FILES, JSON, Format, answered, form_of

Asked = Request[Principal, Any, Any]


def call_routes(screens: Online, places: Places) -> Sequence[HTTPRouteHandler]:
    return [_list(screens, places), _make(screens), _accuracy(screens)]


def _list(screens: Online, places: Places) -> HTTPRouteHandler:
    @get("/api/forecast/calls", tags=["forecast"], opt={ALSO: AS_FILES})
    async def listed(
        request: Asked,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        due_on: FromQuery[str | None] = None,
        status: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
        form: Format = JSON,
    ) -> Response[Calls]:
        form_of(form)
        user, now_ms = request.user.user_key, screens.clock.now_ms()
        sealed = json.dumps(["forecast calls", user, period, node, due_on, status])
        place = places.open(after, sealed) if after is not None else None
        wanted = calls.Wanted(period, node, due_on, status, place, limit)
        found, today = await screens.read(_listed, now_ms, user, wanted)
        if found.next is not None:
            found = structs.replace(found, next=places.seal(found.next, sealed))
        return await answered(found, form, lambda: calls_table(found, today))

    return listed


def _listed(connection: Connection, now_ms: int, user_key: str, wanted: calls.Wanted) -> tuple[Calls, str]:
    """-> (the calls, the local day)."""
    return calls.listing(connection, now_ms, user_key, wanted), scope.today(connection, now_ms)


def _make(screens: Online) -> HTTPRouteHandler:
    keys = KeyMaker(screens.clock)

    @post("/api/forecast/calls", tags=["forecast"])
    async def make(request: Asked, data: JSONBody[CallSaid]) -> Response[Call]:
        """201 with the call; 200 where it came before."""
        user, now_ms = request.user.user_key, screens.clock.now_ms()
        place = await screens.read(calls.about, now_ms, user, data)
        basis = await _based_on(screens, now_ms, user, place)
        key = data.key if data.key is not None else keys.new()
        made = await screens.write(calls.make, user, key, data, place, basis)
        return Response(made.call, status_code=201 if made.is_new else 200, headers={"ETag": f'"{made.call.rev}"'})

    return make


async def _based_on(screens: Online, now_ms: int, user: str, place: Place) -> Mapping[str, int] | None:
    """What the roll-up says of the node, {view: minor units}; nothing of what the caller does not call for: his call is
    judged by its own rules. It is read of the deals of the node's people alone."""
    try:
        return await screens.read(views_of, now_ms, user, place.node, place.period_key, place.currency)
    except Refused:
        return None


def _accuracy(screens: Online) -> HTTPRouteHandler:
    @get("/api/forecast/accuracy", tags=["forecast"], opt={ALSO: AS_FILES})
    async def accuracy(
        request: Asked,
        period: FromQuery[str | None] = None,
        node: FromQuery[str | None] = None,
        by: FromQuery[str] = "person",
        view: FromQuery[str] = "commit",
        currency: FromQuery[str | None] = None,
        weeks: FromQuery[int | None] = None,
        form: Format = JSON,
    ) -> Response[Accuracy]:
        form_of(form)
        wanted = scoring.Wanted(period, node, by, view, currency, weeks)
        found = await screens.read(scoring.told, screens.clock.now_ms(), request.user.user_key, wanted)
        return await answered(found, form, lambda: accuracy_table(found))

    return accuracy
