"""`/api/attainment` and `/api/quotas/{key}/attainment` and `…/contributions`: figures, and why they are so. Reads only.

`as_of` is an instant in milliseconds or a local day of the organisation, taken to its end; without it the figures are
those of now, and the answer says of which instant.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm.online import Online
from sfa.db import scope
from sfa.quotas import attainment
from sfa.quotas.attainment import PAGE_DEFAULT, Asked, Attained, Attainment, Explanation
from sfa.web.principal import Principal
from sfa.web.sealed import Places

Caller = Request[Principal, Any, Any]


def attainment_routes(screens: Online, places: Places) -> Sequence[HTTPRouteHandler]:
    @get("/api/attainment", tags=["quotas"])
    async def attained(
        request: Caller,
        period: FromQuery[str | None] = None,
        measure: FromQuery[str | None] = None,
        kind: FromQuery[str | None] = None,
        keys: FromQuery[str | None] = None,
        as_of: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
    ) -> Attained:
        asked = Asked(period, measure, kind, keys, after, limit)
        user, now_ms = request.user.user_key, screens.clock.now_ms()
        return await screens.read(attainment.attained, user, now_ms, as_of, asked)

    @get("/api/quotas/{key:str}/attainment", tags=["quotas"])
    async def one(request: Caller, key: FromPath[str], as_of: FromQuery[str | None] = None) -> Attainment:
        return await screens.read(attainment.one, request.user.user_key, screens.clock.now_ms(), key, as_of)

    return [attained, one, _contributions(screens, places)]


def _contributions(screens: Online, places: Places) -> HTTPRouteHandler:
    @get("/api/quotas/{key:str}/contributions", tags=["quotas"])
    async def contributions(
        request: Caller,
        key: FromPath[str],
        as_of: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
    ) -> Explanation:
        """The pages of one explanation are of one instant: a place keeps that of its first page."""
        user, about = request.user.user_key, f"contributions of {key} for {request.user.user_key}"
        place: str | None = None
        if after is not None:
            at, _, place = places.open(after, about).partition(" ")
            instant = int(at)
        else:
            zone = await screens.read(scope.zone)
            instant = attainment.instant_of(as_of, screens.clock.now_ms(), zone)
        found = await screens.read(attainment.explanation, user, key, instant, place, limit)
        if found.next is None:
            return found
        sealed = places.seal(f"{instant} {found.next}", about)
        return Explanation(found.quota_key, instant, found.items, found.hidden, found.partial, sealed)

    return contributions
