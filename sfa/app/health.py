"""`GET /health`: what load balancers ask, and who runs the server."""

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from sqlalchemy import Connection, literal, select
from sqlalchemy.exc import SQLAlchemyError

from proposals.delivery.running import Mailer
from proposals.rendering.running import Renders
from sfa.db.database import Database
from sfa.web.middleware import PUBLIC


class Health(Struct, frozen=True):
    """`status` is "ok", or "failing" with status 503. `pdf` is "ok", "unavailable" while this machine cannot print
    proposals, or "off"; everything else works without. `mail` is "ok", "failing" while no mail server takes our
    mail, or "off"."""

    status: str
    version: str
    database: bool
    pdf: str
    mail: str


def health_route(version: str, database: Database, renders: Renders, mailer: Mailer) -> HTTPRouteHandler:
    @get("/health", opt=PUBLIC, tags=["operations"])
    async def health() -> Response[Health]:
        """Whether the database answers, for load balancers."""
        try:
            answers = await database.read_async(_answers)
        except (SQLAlchemyError, OSError):
            answers = False
        status = "ok" if answers else "failing"
        found = Health(status, version, answers, renders.state, mailer.state)
        return Response(found, status_code=200 if answers else 503)

    return health


def _answers(connection: Connection) -> bool:
    return connection.execute(select(literal(1))).scalar() == 1
