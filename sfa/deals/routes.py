"""`/api/deals/{key}/state`, `/api/deals/review` and `/api/accounts/{key}/whitespace`. Reads only:
the commands of a deal are addresses of its row."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm.online import Online
from sfa.deals import review, state, whitespace
from sfa.deals.review import Review
from sfa.deals.state import DealState
from sfa.deals.whitespace import Whitespace
from sfa.web.principal import Principal
from sfa.web.sealed import Places

Asked = Request[Principal, Any, Any]


def deal_routes(screens: Online, places_in: Places) -> Sequence[HTTPRouteHandler]:
    return [_state(screens), _review(screens, places_in), _whitespace(screens)]


def _state(screens: Online) -> HTTPRouteHandler:
    @get("/api/deals/{key:str}/state", tags=["deals"])
    async def told(
        request: Asked, key: FromPath[str], per: FromQuery[str] = "line", rounding: FromQuery[str] = "half_up"
    ) -> Response[DealState]:
        now_ms = screens.clock.now_ms()
        found = await screens.read(state.told, now_ms, request.user.user_key, key, per, rounding)
        return Response(found, headers={"ETag": f'"{found.rev}"'})

    return told


def _review(screens: Online, places_in: Places) -> HTTPRouteHandler:
    @get("/api/deals/review", tags=["deals"])
    async def needing(
        request: Asked,
        flag: FromQuery[str] = "slipped",
        owner: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = review.PAGE_DEFAULT,
    ) -> Review:
        user = request.user.user_key
        about = json.dumps(["deals/review", user, flag, owner])
        place = places_in.open(after, about) if after is not None else None
        wanted = review.Wanted(flag, owner, place, limit)
        found = await screens.read(review.page, screens.clock.now_ms(), user, wanted)
        if found.next is None:
            return found
        return msgspec.structs.replace(found, next=places_in.seal(found.next, about))

    return needing


def _whitespace(screens: Online) -> HTTPRouteHandler:
    @get("/api/accounts/{key:str}/whitespace", tags=["deals"])
    async def unsold(
        request: Asked,
        key: FromPath[str],
        by: FromQuery[str | None] = None,
        of: FromQuery[str] = "product",
        days: FromQuery[int] = whitespace.DAYS_DEFAULT,
        limit: FromQuery[int] = whitespace.LIMIT_DEFAULT,
    ) -> Whitespace:
        wanted = whitespace.Wanted(by, of, days, limit)
        now_ms = screens.clock.now_ms()
        return await screens.read(whitespace.whitespace, now_ms, request.user.user_key, key, wanted)

    return unsold
