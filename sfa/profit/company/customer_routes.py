"""Profit by a dimension, the whale curve, one customer's profit, one campaign's return: reads only.

As JSON, or as CSV with `format=csv`. For roles that see cost, within what they see (R45). The pages of one answer are
of one instant: a place keeps that of its first page.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import structs

from sfa.core.errors import Refused
from sfa.crm.online import Online
from sfa.profit.company import campaigns, customer, customer_sheet, report
from sfa.profit.company.campaigns import Roi
from sfa.profit.company.customer import CustomerProfit
from sfa.profit.company.report import PAGE_DEFAULT, Report, Wanted, WhaleTold
from sfa.web.forms import AS_CSV, Format, form_of
from sfa.web.principal import Principal
from sfa.web.sealed import Places

Asked = Request[Principal, Any, Any]
From = Annotated[str, QueryParameter(name="from")]
CSV = "text/csv; charset=utf-8"
NO_STORE = {"Cache-Control": "private, no-store"}


def customer_profit_routes(screens: Online, places: Places) -> Sequence[HTTPRouteHandler]:
    return [_whales(screens), _by(screens, places), _customer(screens, places), _roi(screens, places)]


def _answer(found: Any, form: str | None, sheet: Callable[[Any], str], name: str) -> Response[Any]:
    if form == "csv":
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(sheet(found), media_type=CSV, headers=headers)
    return Response(found, media_type=MediaType.JSON, headers=NO_STORE)


def _opened(places: Places, wanted: Wanted, about: str) -> Wanted:
    """With the place and the instant of the page before."""
    if wanted.after is None:
        return wanted
    instant, _, place = places.open(wanted.after, about).partition(" ")
    return structs.replace(wanted, as_of=instant, after=place)


def _sealed(places: Places, found: Any, about: str) -> Any:
    if found.next is None:
        return found
    return structs.replace(found, next=places.seal(f"{found.as_of} {found.next}", about))


def _by(screens: Online, places: Places) -> HTTPRouteHandler:
    @get("/api/profit/{dimension:str}", tags=["profit"], opt={AS_CSV: customer_sheet.BY_COLUMNS})
    async def by(
        request: Asked,
        dimension: FromPath[str],
        from_: From,
        to: FromQuery[str],
        as_of: FromQuery[str | None] = None,
        period: FromQuery[str] = "month",
        sort: FromQuery[str] = "profit",
        order: FromQuery[str] = "down",
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
        form: Format = None,
    ) -> Response[Report]:
        form, user = form_of(form), request.user.user_key
        if order not in ("up", "down"):
            raise Refused("request_invalid", "`order` is up or down")
        about = json.dumps(["profit", user, dimension, from_, to, period, sort, order])
        wanted = Wanted(from_, to, as_of, period, sort, order == "up", after, limit)
        wanted = _opened(places, wanted, about)
        found = await screens.read(report.told, user, screens.clock.now_ms(), dimension, wanted)
        return _answer(_sealed(places, found, about), form, customer_sheet.by_csv, f"profit-{found.dimension}")

    return by


def _whales(screens: Online) -> HTTPRouteHandler:
    @get("/api/profit/whales", tags=["profit"], opt={AS_CSV: customer_sheet.WHALE_COLUMNS})
    async def whales(
        request: Asked,
        from_: From,
        to: FromQuery[str],
        as_of: FromQuery[str | None] = None,
        after: FromQuery[int] = 0,
        limit: FromQuery[int] = PAGE_DEFAULT,
        form: Format = None,
    ) -> Response[WhaleTold]:
        """`after` is a rank."""
        form = form_of(form)
        if after < 0:
            raise Refused("request_invalid", "`after` is a rank")
        wanted = Wanted(from_, to, as_of, limit=limit)
        user, now_ms = request.user.user_key, screens.clock.now_ms()
        found = await screens.read(report.whales, user, now_ms, wanted, after)
        return _answer(found, form, customer_sheet.whale_csv, "whales")

    return whales


def _customer(screens: Online, places: Places) -> HTTPRouteHandler:
    @get("/api/accounts/{key:str}/profit", tags=["profit"], opt={AS_CSV: customer_sheet.CUSTOMER_COLUMNS})
    async def one(
        request: Asked,
        key: FromPath[str],
        from_: From,
        to: FromQuery[str],
        as_of: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
        form: Format = None,
    ) -> Response[CustomerProfit]:
        page = _OfOne("customer profit", customer.told, customer_sheet.customer_csv, "customer")
        return await page.answer(
            screens, places, request, key, Wanted(from_, to, as_of, after=after, limit=limit), form
        )

    return one


def _roi(screens: Online, places: Places) -> HTTPRouteHandler:
    @get("/api/campaigns/{key:str}/roi", tags=["profit"], opt={AS_CSV: customer_sheet.ROI_COLUMNS})
    async def one(
        request: Asked,
        key: FromPath[str],
        from_: From,
        to: FromQuery[str],
        as_of: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_DEFAULT,
        form: Format = None,
    ) -> Response[Roi]:
        page = _OfOne("roi", campaigns.roi, customer_sheet.roi_csv, "roi")
        return await page.answer(
            screens, places, request, key, Wanted(from_, to, as_of, after=after, limit=limit), form
        )

    return one


class _OfOne(NamedTuple):
    """Pages about one row: what their places are sealed for, what tells them, and the sheet of them with its name."""

    about: str
    told: Callable[..., Any]
    sheet: Callable[[Any], str]
    name: str

    async def answer(
        self, screens: Online, places: Places, request: Asked, key: str, wanted: Wanted, said: str | None
    ) -> Response[Any]:
        form, user = form_of(said), request.user.user_key
        about = json.dumps([self.about, user, key, wanted.from_on, wanted.to_on])
        wanted = _opened(places, wanted, about)
        found = await screens.read(self.told, user, screens.clock.now_ms(), key, wanted)
        return _answer(_sealed(places, found, about), form, self.sheet, self.name)
