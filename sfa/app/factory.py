"""The composition root: settings -> database -> services -> routes -> Litestar. The only place where parts meet.

`build` opens the database and reads nothing from it, so it works anywhere, inside an event loop too. When the server
starts, the schema is checked and the secret is read; when it stops, threads and database are closed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from argon2 import PasswordHasher
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.types import ControllerRouterHandler
from msgspec import Struct
from sqlalchemy import Connection

from forecasting import frozen
from forecasting.call_routes import call_routes
from forecasting.chart_routes import chart_routes
from forecasting.moving import Movements
from forecasting.outlook.routes import outlook_routes
from forecasting.outlook.running import Outlooks
from forecasting.outlook.worker import Worker
from forecasting.pictures.studio import Studio
from forecasting.routes import forecast_routes
from forecasting.service import Forecasts
from forecasting.snapshot_routes import snapshot_routes
from proposals.buyer.page.routes import page_routes
from proposals.buyer.page.serving import Pages
from proposals.buyer.reading_routes import buyer_reading_routes
from proposals.delivery.routes import delivery_routes
from proposals.delivery.running import Mailer, post_of
from proposals.evidence.sealer import Sealer, Sealing
from proposals.evidence.verify_routes import Verifier, verify_routes
from proposals.funnel_routes import funnel_routes
from proposals.rendering.press import Press
from proposals.rendering.routes import rendering_routes
from proposals.rendering.running import Renders
from proposals.rendering.values import Limits
from proposals.routes import proposal_routes
from sfa.app.api_words import RAW, SUMMARIES
from sfa.app.commands import COMMANDS
from sfa.app.file_service import file_service
from sfa.app.health import health_route
from sfa.app.jobs import scheduler
from sfa.app.reconcile_routes import reconcile_routes
from sfa.app.settings import Settings
from sfa.app.stopping import on_stop_signal
from sfa.app.wake_services import wake_services
from sfa.core.clock import Clock, SystemClock
from sfa.core.errors import Refused
from sfa.crm.account_routes import account_routes, history_routes
from sfa.crm.contact_routes import contact_routes
from sfa.crm.imports.routes import import_routes
from sfa.crm.merge_routes import merge_routes
from sfa.crm.online import Online
from sfa.crm.rest.routes import places, rest_routes
from sfa.crm.routes import decision_routes
from sfa.crm.search import search_routes
from sfa.db.database import Database, open_database
from sfa.db.migrations import is_current
from sfa.deals.routes import deal_routes
from sfa.files.download_routes import download_routes
from sfa.files.service import Files
from sfa.files.upload_routes import upload_routes
from sfa.files.wire import Door
from sfa.profit.company.customer_routes import customer_profit_routes
from sfa.profit.deal.routes import profit_routes
from sfa.profit.pay.commission_routes import commission_routes
from sfa.profit.price.pricing_routes import pricing_routes
from sfa.quotas.attainment_routes import attainment_routes
from sfa.quotas.closing_routes import closing_routes
from sfa.quotas.routes import quota_routes
from sfa.routing.routes import Planner, route_routes
from sfa.visits.routes import visit_routes
from sfa.web.api_page import api_page
from sfa.web.authenticator import Authenticator
from sfa.web.compression import CompressedAnswers
from sfa.web.errors import answer_problem
from sfa.web.hooks.guard import private_hosts
from sfa.web.hooks.routes import webhook_routes
from sfa.web.hooks.running import Hooks
from sfa.web.hooks.sending import Sender
from sfa.web.hooks.signing import Seals
from sfa.web.limits import INFLATED_BYTES_MAX, RequestRate
from sfa.web.middleware import PUBLIC, Authentication, LimitedRequest
from sfa.web.openapi import DescriptionPlugin
from sfa.web.passwords import HASHER, PasswordChecks
from sfa.web.routes import auth_routes, errors_page
from sfa.web.sealed import Places
from sfa.web.secret import Secret
from sfa.web.sessions import Sessions
from sfa.web.tokens import AccessTokens, TokenCache
from sync.device_routes import device_routes, explain_route
from sync.live import Live
from sync.live_routes import live_handler
from sync.note_routes import note_routes
from sync.repair_routes import repair_route
from sync.round import Round
from sync.routes import drain_handler, sync_handler
from sync.seen import WRITE_EVERY_S
from sync.versions import VERSIONS
from sync.wakes.routes import wake_routes
from sync.wakes.services import PushService
from sync.wakes.waker import Waker

VERSION = version("sfa-backend")
_log = logging.getLogger("sfa.app")
NO_SECRET_YET = b""  # nothing is signed before the server has started


class Services(Struct, frozen=True):
    """What the parts share; `app.state.services` in a running server. `secret` can be used once the server started."""

    settings: Settings
    database: Database
    clock: Clock
    secret: Secret
    tokens: AccessTokens
    cache: TokenCache
    authenticator: Authenticator
    passwords: PasswordChecks
    sessions: Sessions
    rate: RequestRate
    rounds: Round
    live: Live
    screens: Online
    planner: Planner
    waker: Waker
    files: Files
    forecasts: Forecasts
    movements: Movements
    studio: Studio
    renders: Renders
    sealer: Sealer
    verifier: Verifier
    pages: Pages
    hooks: Hooks
    mailer: Mailer


class _Whole(Router):
    """All addresses, registered at once: one by one, each would make those beside it on its path anew. Nobody else has
    them, so the copy that a server makes of a router is spared."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Whole":
        return self


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    database: Database | None = None,
    hasher: PasswordHasher = HASHER,
    jobs: bool = True,
    push_services: Sequence[PushService] | None = None,
) -> Litestar:
    """The application. A database that is given is closed with the server, like one that was opened here; `jobs` says
    whether this process runs the scheduled jobs; `push_services` take the place of those in the settings."""
    clock = clock or SystemClock()
    pushes = wake_services(settings, clock) if push_services is None else push_services
    return application(
        connect(settings, clock, database or open_database(settings.database_url), hasher, pushes), jobs=jobs
    )


def application(services: Services, *, jobs: bool) -> Litestar:
    """What answers for these services. Its routes read nothing of them as they are made, but for the clock, the
    database, the commands and the push services."""
    return Litestar(
        [_Whole("/", route_handlers=routes(services))],
        middleware=[CompressedAnswers(), Authentication(services.authenticator, services.rate)],
        exception_handlers={Exception: answer_problem},
        request_class=LimitedRequest,
        request_max_body_size=INFLATED_BYTES_MAX,
        lifespan=[_running, _scheduled] if jobs else [_running],
        state=State({"services": services, "api_words": (SUMMARIES, RAW)}),
        openapi_config=_openapi(),
        logging_config=None,
    )


def connect(
    settings: Settings,
    clock: Clock,
    database: Database,
    hasher: PasswordHasher,
    pushes: Sequence[PushService] = (),
) -> Services:
    secret = Secret(settings.secret)
    versions = VERSIONS.serving_from(settings.contract_min)
    tokens = AccessTokens(secret, clock, settings.access_ttl_s)
    cache = TokenCache(clock)
    passwords = PasswordChecks(hasher)
    rounds = Round(database, clock, NO_SECRET_YET, COMMANDS, settings.lease_s * 1000, versions=versions)
    live = Live(database)
    screens = Online(database, clock, COMMANDS)
    files = file_service(settings, database, clock)
    sealing = Sealing(settings.seal_key_file, settings.seal_key_password, settings.tsa_url, settings.buyers_url)
    press = Press(settings.render_workers, Limits(memory_mb=settings.render_memory_mb))
    return Services(
        settings=settings,
        database=database,
        clock=clock,
        secret=secret,
        tokens=tokens,
        cache=cache,
        authenticator=Authenticator(database, clock, tokens, cache),
        passwords=passwords,
        sessions=Sessions(database, clock, passwords, tokens, cache, settings.refresh_ttl_s),
        rate=RequestRate(clock),
        screens=screens,
        planner=Planner(),
        rounds=rounds,
        live=live,
        waker=Waker(database, clock, live, rounds.seen, pushes),
        files=files,
        forecasts=Forecasts(screens, frozen.past),
        movements=Movements(screens),
        studio=Studio(),
        renders=Renders(files, press),
        sealer=Sealer(files, press, secret, sealing),
        verifier=Verifier(database, clock),
        pages=Pages(screens, files, secret),
        hooks=Hooks(database, clock, Seals(secret), Sender(clock, private_hosts(settings.webhook_private_hosts))),
        mailer=Mailer(database, clock, secret, settings.buyers_url, post_of(settings.smtp_url, settings.mail_from)),
    )


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Every address of the server; those of every entity leave to a slice what it answers itself."""
    own = slice_routes(services)
    return [
        *own,
        *rest_routes(
            services.screens, Places(services.secret), {place for handler in own for place in places(handler)}
        ),
    ]


def slice_routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """What the slices answer; a new slice's routes are added here."""
    door = Door(services.authenticator, services.rate)
    return [
        *auth_routes(services.sessions),
        sync_handler(services.rounds, services.authenticator, services.rate),
        live_handler(services.live, services.authenticator, services.rate, services.clock),
        drain_handler(services.rounds, services.authenticator, services.rate),
        *device_routes(services.rounds, services.cache, services.live),
        explain_route(services.rounds),
        *decision_routes(services.screens),
        *note_routes(services.screens),
        repair_route(services.screens),
        *merge_routes(services.screens),
        *account_routes(services.screens),
        *history_routes(services.screens),
        *contact_routes(services.screens),
        *route_routes(services.screens, services.planner),
        *upload_routes(services.files, door),
        *download_routes(services.files, door),
        *proposal_routes(services.screens, services.renders),
        *verify_routes(services.verifier),
        *buyer_reading_routes(services.screens),
        *funnel_routes(services.screens),
        *rendering_routes(services.files, door, services.screens),
        *page_routes(services.pages),
        *delivery_routes(services.screens, services.mailer),
        *visit_routes(services.screens, Places(services.secret)),
        *deal_routes(services.screens, Places(services.secret)),
        *profit_routes(services.screens),
        *customer_profit_routes(services.screens, Places(services.secret)),
        *call_routes(services.screens, Places(services.secret)),
        *quota_routes(services.screens),
        *attainment_routes(services.screens, Places(services.secret)),
        *closing_routes(services.screens),
        *snapshot_routes(services.screens, services.forecasts, services.movements),
        *pricing_routes(services.screens),
        *reconcile_routes(services.screens),
        *commission_routes(services.screens),
        *forecast_routes(services.forecasts, Places(services.secret)),
        *chart_routes(services.forecasts, services.movements, services.studio),
        *outlook_routes(services.screens, Places(services.secret)),
        *search_routes(services.screens),
        *import_routes(services.screens),
        *webhook_routes(services.hooks, Places(services.secret)),
        *wake_routes(services.database, services.clock, services.waker.services),
        errors_page,
        api_page,
        health_route(VERSION, services.database, services.renders, services.mailer),
    ]


def check_schema(connection: Connection) -> None:
    if not is_current(connection):
        raise Refused("schema_outdated")


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    services: Services = app.state.services
    try:
        await services.database.read_long_async(check_schema)
        await services.secret.load(services.database)
        services.rounds.secret = services.secret.derive("cursor")
        noting = asyncio.create_task(_note_who_was_seen(services))
        services.waker.start()
        services.forecasts.start()
        try:
            with on_stop_signal(services.live.stop):  # a server waits for its open streams before it says so here
                yield
        finally:
            noting.cancel()
        await services.rounds.seen.write(services.database)
    finally:
        await services.forecasts.close()
        await services.waker.close()
        await services.live.close()
        services.passwords.close()
        services.planner.close()
        services.studio.close()
        await services.sealer.close()
        await services.renders.close()
        await services.hooks.close()
        await services.mailer.close()
        services.files.close()
        await services.database.close_async()


async def _note_who_was_seen(services: Services) -> None:
    """Each process writes what its own polls told, once a minute."""
    while True:
        await asyncio.sleep(WRITE_EVERY_S)
        try:
            await services.rounds.seen.write(services.database)
        except Exception:
            _log.exception("who was seen could not be noted; the next minute does it")


@asynccontextmanager
async def _scheduled(app: Litestar) -> AsyncIterator[None]:
    services: Services = app.state.services
    minute = services.settings.forecast_snapshot_minute
    megabytes = services.settings.outlook_memory_mb
    outlooks = Outlooks(services.database, services.clock, Worker(memory_mb=megabytes)) if megabytes else None
    running = scheduler(services.database, services.clock, services.files, minute, outlooks)
    running.start()
    services.renders.start()
    services.sealer.start()
    services.hooks.start()
    services.mailer.start()
    try:
        yield
    finally:
        running.shutdown(wait=False)


def _openapi() -> OpenAPIConfig:
    """The description as JSON at /schema; no page that would load scripts from elsewhere."""
    return OpenAPIConfig(
        title="Sales force automation",
        version=VERSION,
        render_plugins=[DescriptionPlugin(path="/openapi.json")],
        openapi_router=Router("/schema", route_handlers=[], opt=PUBLIC, include_in_schema=False),
    )
