"""`GET /api/search`: rows in the caller's scope by what their names begin with, as it is typed.

Without regard to accents and case, in any script, by the beginnings of words in any order (`sfa.core.names`). The cost
is a few stretches of an index for each bucket held, not the rows that there are. What comes first is the best of what
was found; where that was cut off, `more` says so.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.names import ASKED_CHARACTERS_MAX, SEARCHED, asked, rank
from sfa.crm.decisions import viewed
from sfa.crm.online import Online, person
from sfa.db import names
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.web.principal import Principal

HITS_DEFAULT = 20
HITS_MAX = 50


class Hit(Struct, frozen=True):
    entity: str
    key: str
    rev: int
    row: dict[str, Any]


class Hits(Struct, frozen=True):
    """`more` says that there may be others, of which some fit better: a longer question finds them."""

    items: list[Hit]
    more: bool


def hits(connection: Connection, user_key: str, q: str, entity: str | None, limit: int) -> Hits:
    """The best `limit` rows; of no word at all there are none."""
    if entity is not None and entity not in SEARCHED:
        raise Refused("request_invalid", f"`entity` is one of {', '.join(SEARCHED)}")
    if not 1 <= limit <= HITS_MAX or len(q) > ASKED_CHARACTERS_MAX:
        raise Refused(
            "request_invalid", f"`limit` is 1 to {HITS_MAX}, and `q` has up to {ASKED_CHARACTERS_MAX} characters"
        )
    question = asked(q)
    if not question:
        return Hits([], more=False)
    held = person(connection, user_key).held or frozenset()
    found: list[tuple[Any, Hit]] = []
    is_cut = False
    for name in SEARCHED if entity is None else (entity,):
        fitting = names.find(connection, name, held, question)
        found += _of(connection, name, held, question, fitting.keys)
        is_cut = is_cut or fitting.is_cut
    found.sort(key=lambda pair: pair[0])
    return Hits([hit for _, hit in found[:limit]], more=is_cut or len(found) > limit)


def _of(
    connection: Connection, entity: str, held: frozenset[str], question: list[str], keys: list[str]
) -> list[tuple[Any, Hit]]:
    if not keys:
        return []
    table = ROWS[entity]
    query = select(table).where(among(table.c.key, "keys"), ~table.c.gone, lies_in(table.c.buckets, "held"))
    bound = {"keys": listed(connection, keys), "held": listed(connection, held)}
    views = (viewed(entity, row) for row in connection.execute(query, bound).mappings())
    return [
        ((rank(question, view.row["name"]), entity, view.key), Hit(entity, view.key, view.rev, view.row))
        for view in views
    ]


def search_routes(screens: Online) -> Sequence[HTTPRouteHandler]:
    @get("/api/search", tags=["search"])
    async def search(
        request: Request[Principal, Any, Any],
        q: FromQuery[str],
        entity: FromQuery[str | None] = None,
        limit: FromQuery[int] = HITS_DEFAULT,
    ) -> Hits:
        """Rows whose names have words that begin with those of `q`."""
        return await screens.read(hits, request.user.user_key, q, entity, limit)

    return [search]
