"""`/sync/wake`: a device says where it wants to be told "sync now" while it is not connected (S33)."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Request, delete, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.db.database import Database
from sfa.web.principal import Principal
from sync.wakes import subscriptions
from sync.wakes.services import PushService
from sync.wakes.subscriptions import Subscribe, WakeView
from sync.wakes.webpush import WebPush

Asked = Request[Principal, Any, Any]


def wake_routes(database: Database, clock: Clock, services: Mapping[str, PushService]) -> Sequence[HTTPRouteHandler]:
    offered = sorted(services)
    webpush = services.get(WebPush.name)
    public_key = webpush.public_key if isinstance(webpush, WebPush) else None

    def view(found: tuple[str, int] | None) -> WakeView:
        service, since_at = found if found is not None else (None, None)
        return WakeView(offered, public_key, service, since_at)

    @get("/sync/wake", tags=["sync"])
    async def read_wake(request: Asked) -> WakeView:
        return view(await database.read_async(subscriptions.read, request.user.device_key))

    @put("/sync/wake", tags=["sync"])
    async def set_wake(request: Asked, data: JSONBody[Subscribe]) -> WakeView:
        if data.service not in services:
            raise Refused("wake_unavailable", services=offered)
        services[data.service].check(data.address)
        args = (request.user.device_key, data, clock.now_ms())
        return view(await database.write_async(subscriptions.subscribe, *args))

    @delete("/sync/wake", tags=["sync"])
    async def remove_wake(request: Asked) -> None:
        await database.write_async(subscriptions.remove, [request.user.device_key])

    return [read_wake, set_wake, remove_wake]
