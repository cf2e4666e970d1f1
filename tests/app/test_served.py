"""The suite gives the routes of one server to one test after the other (`tests.served`): they are the same routes only
while they keep nothing that one test could leave to the next."""

from types import FunctionType, MethodType
from typing import Any

from sfa.app.factory import connect, routes
from sfa.app.settings import Settings
from sfa.core.clock import VirtualClock
from sfa.db.database import open_database
from sfa.web.passwords import HASHER

# What routes keep besides services and words, and why the next test does not feel it.
KEPT = {
    ("sfa.crm.imports.routes", "Semaphore"),  # free between requests; a test that has them wait is `alone`
    ("sfa.crm.rest.routes", "KeyMaker"),  # never the same key twice, by the clock of the test
    ("forecasting.call_routes", "KeyMaker"),
    ("sfa.crm.rest.routes", "dict"),  # the commands by their address
    ("sfa.files.upload_routes", "Uploading"),  # requests that take bytes now: each takes itself out
    ("sfa.files.upload_routes", "dict"),  # what answers each method
    ("sfa.files.download_routes", "Serving"),
    ("proposals.rendering.routes", "Serving"),
    ("sync.wakes.routes", "dict"),  # push services: none
    ("sync.wakes.routes", "list"),
}
HARMLESS = (str, int, type(None), tuple, frozenset, type)


def test_routes_keep_nothing_that_a_test_could_leave_to_the_next() -> None:
    services = connect(Settings(), VirtualClock(0), open_database("sqlite:///:memory:"), HASHER)
    own = {id(getattr(services, name)) for name in services.__struct_fields__}
    found: set[tuple[str, str]] = set()
    todo: list[Any] = [(handler.fn, handler.fn) for handler in routes(services)]  # type: ignore[union-attr]
    try:
        while todo:
            function, value = todo.pop()
            if isinstance(value, MethodType):
                value = value.__self__
            if id(value) in own or isinstance(value, HARMLESS):
                continue
            if isinstance(value, FunctionType):
                todo += [(value, cell.cell_contents) for cell in value.__closure__ or ()]
            elif type(value).__name__ in ("Places", "Door"):  # of services alone
                todo += [(function, kept) for kept in vars(value).values()]
            else:
                found.add((function.__module__, type(value).__name__))
    finally:
        services.database.close()
    assert found == KEPT
