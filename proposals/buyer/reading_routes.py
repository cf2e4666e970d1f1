"""What the company's people ask of buyers: `/api/proposals/{key}/opens`, `/questions`, and what waits for an answer."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from proposals.buyer import telling
from proposals.buyer.telling import Opens, Questions, WaitingQuestions
from sfa.crm.online import Online
from sfa.web.principal import Principal

Asked = Request[Principal, Any, Any]


def buyer_reading_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/proposals/{key:str}/opens", tags=["proposals"])
    async def opens(request: Asked, key: FromPath[str]) -> Opens:
        return await screens.read(telling.opens_of, request.user.user_key, screens.clock.now_ms(), key)

    @get("/api/proposals/{key:str}/questions", tags=["proposals"])
    async def questions(request: Asked, key: FromPath[str]) -> Questions:
        return await screens.read(telling.questions_of, request.user.user_key, screens.clock.now_ms(), key)

    @get("/api/proposal-questions", tags=["proposals"])
    async def waiting(
        request: Asked, after: FromQuery[str | None] = None, limit: FromQuery[int] = telling.PAGE_DEFAULT
    ) -> WaitingQuestions:
        return await screens.read(telling.waiting, request.user.user_key, after, limit)

    return [opens, questions, waiting]
