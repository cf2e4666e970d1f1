"""`/api/contacts/{key}/…`: whether a person may be contacted."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from sfa.crm import consents
from sfa.crm.consents import Answer
from sfa.crm.online import Online
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


def contact_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/contacts/{key:str}/may-contact", tags=["customers"])
    async def may_contact(
        request: Asked,
        key: FromPath[str],
        purpose: FromQuery[str],
        channel: FromQuery[str],
        as_of: FromQuery[int | None] = None,
    ) -> Answer:
        at = screens.clock.now_ms() if as_of is None else as_of
        return await screens.read(consents.answer, request.user.user_key, key, purpose, channel, at)

    return [may_contact]
