"""The application for one test after the other: its routes are made once for each worker, which takes a fifth of a
second, and its services are new for each test.

The routes were given stand-ins, which hand on to the services of the test that runs. That is the same application only
while no route keeps anything of a service as it is made: what is read then is written down here, and anything else is
an error. Two servers never have one application at a time, and one that did not end well is not used again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from argon2 import PasswordHasher
from litestar import Litestar

from sfa.app.commands import COMMANDS
from sfa.app.factory import Services, application, connect
from sfa.app.settings import Settings
from sfa.core.clock import Clock
from sfa.db.database import Database

MADE_WITH = {"commands": COMMANDS, "services": {}}  # what routes keep of services: the same for every test


class _StandIn:
    """Whatever it is asked for, the service of now is asked."""

    def __init__(self, seats: "_Seats", name: str) -> None:
        self.__dict__.update(_seats=seats, _name=name)

    def __getattr__(self, name: str) -> Any:
        return self._seats.read(self._name, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(getattr(self._seats.now, self._name), name, value)


class _Seats:
    """An application and the services that it has now."""

    def __init__(self, first: Services) -> None:
        self.now, self._is_made = first, False
        self._stand_ins = {name: _StandIn(self, name) for name in first.__struct_fields__}
        self.app = application(cast(Any, Services)(**self._stand_ins), jobs=False)
        self._is_made = True

    def read(self, service: str, name: str) -> Any:
        found = getattr(getattr(self.now, service), name)
        if self._is_made:
            return found
        if name in self._stand_ins and found is getattr(self.now, name):
            return self._stand_ins[name]
        assert found == MADE_WITH.get(name), f"a route keeps {service}.{name} as it is made: tests cannot share it"
        return found

    def give(self, services: Services) -> Litestar:
        self.now = services
        self.app.state.services = services
        return self.app


_free: list[_Seats] = []


@contextmanager
def served(
    settings: Settings, clock: Clock, database: Database, hasher: PasswordHasher, *, alone: bool = False
) -> Iterator[Litestar]:
    """As `sfa.app.factory.build` makes it, without jobs and push services. Closes the database if it was started.
    `alone`: made for this test, for one that has requests wait for each other inside a route."""
    services = connect(settings, clock, database, hasher)
    seats = _free.pop() if _free and not alone else _Seats(services)
    yield seats.give(services)
    if not alone:
        _free.append(seats)
