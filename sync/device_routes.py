"""`/api/devices…`: registrations listed, revoked, wiped, and what a revoked one left reviewed (S31); `/sync/explain`.

Each route is one transaction of `registrations` or `quarantine`; a review takes one for each step. Only two things are
added: this process forgets the tokens of a registration that was ended and ends its streams (other processes trust the
tokens for half a minute, but not for `/sync` and streams), and a review makes due assignments effective first.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.registrations import END, REVOKED, WIPED
from sfa.db import scope
from sfa.web.principal import Principal
from sfa.web.tokens import TokenCache
from sync import explain, quarantine, registrations, review
from sync.explain import MutationExplained, RowExplained
from sync.live import Live
from sync.protocol import DRAIN_PARTS_MAX
from sync.quarantine import DrainView, PartContent, QuarantineView
from sync.registrations import DeviceList, DeviceView
from sync.review import Decision
from sync.round import DUE_TRIES_MAX, Round

Asked = Request[Principal, Any, Any]


def device_routes(rounds: Round, cache: TokenCache, live: Live) -> Sequence[HTTPRouteHandler]:
    database, clock = rounds.database, rounds.clock

    async def ended(request: Asked, device_key: str, order: str) -> DeviceView:
        args = (request.user.user_key, device_key, order, END, clock.now_ms())
        view = await database.write_async(registrations.end, *args)
        cache.forget_device(device_key)
        live.look_for_ended()
        return view

    async def step(user: str, device_key: str, drain: str, asked: Decision) -> DrainView:
        now_ms = clock.now_ms()
        args = (user, device_key, drain, asked, now_ms, rounds.commands)
        for _ in range(DUE_TRIES_MAX):
            try:
                return await database.write_async(review.review, *args)
            except scope.Due:
                await database.write_async(scope.make_due, now_ms)
        raise Refused("server_busy", "assignments are being made effective: try again")

    @get("/api/devices", tags=["devices"])
    async def list_devices(request: Asked) -> DeviceList:
        return await database.read_async(registrations.listed, request.user.user_key)

    @post("/api/devices/{device_key:str}/revoke", status_code=HTTP_200_OK, tags=["devices"])
    async def revoke(request: Asked, device_key: FromPath[str]) -> DeviceView:
        return await ended(request, device_key, REVOKED)

    @post("/api/devices/{device_key:str}/wipe", status_code=HTTP_200_OK, tags=["devices"])
    async def wipe(request: Asked, device_key: FromPath[str]) -> DeviceView:
        return await ended(request, device_key, WIPED)

    @get("/api/devices/{device_key:str}/quarantine", tags=["devices"])
    async def read_quarantine(request: Asked, device_key: FromPath[str]) -> QuarantineView:
        return await database.read_long_async(quarantine.view, request.user.user_key, device_key)

    @get("/api/devices/{device_key:str}/quarantine/{drain:str}", tags=["devices"])
    async def read_drain(
        request: Asked, device_key: FromPath[str], drain: FromPath[str], part: FromQuery[int] = 1
    ) -> PartContent:
        args = (request.user.user_key, device_key, drain, min(max(part, 0), DRAIN_PARTS_MAX))
        return await database.read_long_async(quarantine.content, *args)

    @post("/api/devices/{device_key:str}/quarantine/{drain:str}", status_code=HTTP_200_OK, tags=["devices"])
    async def decide(
        request: Asked, device_key: FromPath[str], drain: FromPath[str], data: JSONBody[Decision]
    ) -> DrainView:
        while True:
            view = await step(request.user.user_key, device_key, drain, data)
            if not quarantine.is_under_way(view):
                return view

    return [list_devices, revoke, wipe, read_quarantine, read_drain, decide]


def explain_route(rounds: Round) -> HTTPRouteHandler:
    """`GET /sync/explain`: a question about a row, or about a mutation, of the caller."""

    @get("/sync/explain", tags=["sync"])
    async def answer_why(
        request: Asked,
        entity: FromQuery[str | None] = None,
        key: FromQuery[str | None] = None,
        device: FromQuery[str | None] = None,
        n: FromQuery[int | None] = None,
    ) -> RowExplained | MutationExplained:
        user, asked = request.user.user_key, rounds.database.read_long_async
        if entity is not None and key is not None and device is None and n is None:
            return await asked(explain.row, user, entity, key)
        if device is not None and n is not None and entity is None and key is None and 1 <= n <= 2**53:
            if not is_key(device):
                raise Refused("key_invalid")
            return await asked(explain.mutation, user, device, n)
        raise Refused("request_invalid", "ask for entity and key, or for device and n from 1")

    return answer_why
