"""`/api/webhooks/…`: what other systems are told, decided by administrators (docs/webhooks.md)."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import UNSET

from sfa.web.hooks import endpoints, guard, replaying
from sfa.web.hooks.endpoints import ChangedEndpoint, Endpoint, Endpoints, NewEndpoint, Rotate
from sfa.web.hooks.replaying import Deliveries, Delivery, Replayed, Since, Wanted
from sfa.web.hooks.running import Hooks
from sfa.web.principal import Principal
from sfa.web.routes import UNCACHED
from sfa.web.sealed import Places

Asked = Request[Principal, Any, Any]
State = Annotated[str | None, QueryParameter(name="state", description="queued, sending, delivered, dead or dropped.")]


def webhook_routes(hooks: Hooks, places_in: Places) -> Sequence[HTTPRouteHandler]:
    own = [_listed(hooks), _made(hooks), _changed(hooks), _removed(hooks), _rotated(hooks)]
    return [*own, *_again(hooks), _deliveries(hooks, places_in)]


def _listed(hooks: Hooks) -> HTTPRouteHandler:
    @get("/api/webhooks", tags=["webhooks"])
    async def listed(request: Asked) -> Endpoints:
        now_ms = hooks.clock.now_ms()
        return await hooks.database.read_async(endpoints.listed, now_ms, request.user.user_key)

    return listed


def _made(hooks: Hooks) -> HTTPRouteHandler:
    @post("/api/webhooks", status_code=HTTP_201_CREATED, tags=["webhooks"])
    async def made(request: Asked, data: JSONBody[NewEndpoint]) -> Response[Endpoint]:
        await _check(hooks, request.user.user_key, data.url)
        args = (hooks.clock.now_ms(), request.user.user_key, data, hooks.ids.new(), hooks.seals)
        return Response(await hooks.database.write_async(endpoints.make, *args), headers=UNCACHED)

    return made


def _changed(hooks: Hooks) -> HTTPRouteHandler:
    @patch("/api/webhooks/{key:str}", tags=["webhooks"])
    async def changed(request: Asked, key: FromPath[str], data: JSONBody[ChangedEndpoint]) -> Endpoint:
        if data.url is not UNSET:
            await _check(hooks, request.user.user_key, data.url)
        args = (hooks.clock.now_ms(), request.user.user_key, key, data)
        found = await hooks.database.write_async(endpoints.change, *args)
        hooks.wake()
        return found

    return changed


async def _check(hooks: Hooks, user_key: str, url: str) -> None:
    """For an administrator only: others learn nothing of where names lead from here."""
    await hooks.database.read_async(endpoints.check_admin, user_key)
    await guard.check(url, hooks.sender.private, hooks.sender.resolve)


def _removed(hooks: Hooks) -> HTTPRouteHandler:
    @delete("/api/webhooks/{key:str}", status_code=HTTP_204_NO_CONTENT, tags=["webhooks"])
    async def removed(request: Asked, key: FromPath[str]) -> None:
        await hooks.database.write_async(endpoints.remove, request.user.user_key, key)

    return removed


def _rotated(hooks: Hooks) -> HTTPRouteHandler:
    @post("/api/webhooks/{key:str}/rotate", status_code=HTTP_200_OK, tags=["webhooks"])
    async def rotated(request: Asked, key: FromPath[str], data: JSONBody[Rotate]) -> Response[Endpoint]:
        args = (hooks.clock.now_ms(), request.user.user_key, key, data, hooks.seals)
        return Response(await hooks.database.write_async(endpoints.rotate, *args), headers=UNCACHED)

    return rotated


def _again(hooks: Hooks) -> list[HTTPRouteHandler]:
    @post("/api/webhooks/{key:str}/test", status_code=HTTP_200_OK, tags=["webhooks"])
    async def tested(request: Asked, key: FromPath[str]) -> Delivery:
        args = (hooks.clock.now_ms(), request.user.user_key, key, f"test-{hooks.ids.new()}")
        found = await hooks.database.write_async(replaying.test, *args)
        hooks.wake()
        return found

    @post("/api/webhooks/{key:str}/deliveries/{event:str}/replay", status_code=HTTP_200_OK, tags=["webhooks"])
    async def replayed(request: Asked, key: FromPath[str], event: FromPath[str]) -> Delivery:
        args = (hooks.clock.now_ms(), request.user.user_key, key, event)
        found = await hooks.database.write_async(replaying.replay, *args)
        hooks.wake()
        return found

    @post("/api/webhooks/{key:str}/replay", status_code=HTTP_200_OK, tags=["webhooks"])
    async def replayed_since(request: Asked, key: FromPath[str], data: JSONBody[Since]) -> Replayed:
        args = (hooks.clock.now_ms(), request.user.user_key, key, data.since)
        found = await hooks.database.write_async(replaying.replay_since, *args)
        hooks.wake()
        return found

    return [tested, replayed, replayed_since]


def _deliveries(hooks: Hooks, places_in: Places) -> HTTPRouteHandler:
    @get("/api/webhooks/{key:str}/deliveries", tags=["webhooks"])
    async def listed(
        request: Asked,
        key: FromPath[str],
        in_state: State = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = replaying.PAGE_DEFAULT,
    ) -> Deliveries:
        user = request.user.user_key
        about = json.dumps([user, "webhooks", key, in_state])
        place = places_in.open(after, about) if after is not None else None
        found = await hooks.database.read_long_async(replaying.page, user, key, Wanted(in_state, place, limit))
        if found.next is None:
            return found
        return msgspec.structs.replace(found, next=places_in.seal(found.next, about))

    return listed
