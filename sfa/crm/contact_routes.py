"""`/api/contacts/{key}/…`: whether a person may be contacted, what is held about the person, and erasing it."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct

from sfa.crm import consents, erasure, person_export
from sfa.crm.consents import Answer
from sfa.crm.erasure import REASON_MAX, Erased
from sfa.crm.online import Online
from sfa.crm.person_export import Export
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


class EraseAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """`reason` stays in the ledger: it does not name the person."""

    reason: Annotated[str, Meta(min_length=1, max_length=REASON_MAX)]


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

    @get("/api/contacts/{key:str}/export", tags=["customers"])
    async def exported(request: Asked, key: FromPath[str]) -> Export:
        return await screens.read(person_export.export, request.user.user_key, key)

    @post("/api/contacts/{key:str}/erase", status_code=HTTP_200_OK, tags=["customers"])
    async def erased(request: Asked, key: FromPath[str], data: JSONBody[EraseAsked]) -> Erased:
        return await screens.write(erasure.erase, request.user.user_key, key, data.reason)

    return [may_contact, exported, erased]
