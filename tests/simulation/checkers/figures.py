"""A figure is the same everywhere and is its explanation (R10): whatever phones and screens wrote into one period.

When everybody has come to rest, quotas over all the time of the seed are given to everybody, and phones sync once
more. What the server says is the exact sum of what it lists, credits are what a rebuild would make of deals, and a
device that holds everything that counts says the same as the server.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from sfa.db.credits import rebuild
from sfa.quotas import engine
from sfa.quotas.measures import Contribution
from sfa.quotas.tallies import Figure
from sfa.quotas.targets import read_quotas
from sync.device.attainment import own_figures
from sync.protocol import CONTRACT_MAX
from tests.builders import put_rows
from tests.simulation.company import PEOPLE
from tests.simulation.failure import Failed
from tests.simulation.phones import ReferencePhone

if TYPE_CHECKING:
    from tests.simulation.world import World

ALL_TIME: dict[str, Any] = {"name": "All time", "kind": "year", "start_on": "2020-01-01", "end_on": "2040-01-01"}
USD: dict[str, Any] = {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.25", "valid_from": "2020-01-01"}
MEASURES = ("revenue", "total_contacts", "unique_contacts")
END = 2_208_988_800_000  # of that period: no device's clock leaves anything out
ROUNDS_MAX = 6
PAGE_ROWS = 200
Said = dict[str, tuple[Figure, list[Contribution]]]


def check(world: "World") -> None:
    world.server.write(put_rows, _planned(), world.clock.now_ms())
    for phone in world.phones:
        rounds = 0
        while not phone.over and not world.sync(phone, PAGE_ROWS):
            rounds += 1
            if rounds == ROUNDS_MAX:
                raise Failed("figures", f"{phone.key} does not come to rest with its quotas")
    said: Said = world.server.database.read(_explained)
    changed = world.server.write(rebuild)
    if changed:
        raise Failed("figures", f"the credits of {changed} deals are not what their deals say")
    for phone in world.phones:
        if isinstance(phone, ReferencePhone) and not phone.over and phone.contract == CONTRACT_MAX:
            _compare(phone, said)


def _planned() -> list[tuple[str, str, dict[str, Any]]]:
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("fiscal_periods", "all-time", ALL_TIME),
        ("rates", "all-time", USD),
    ]
    about: dict[str, Any] = {"period_key": "all-time", "target": 100}
    for measure in MEASURES:
        money = {"currency": "EUR"} if measure == "revenue" else {}
        rows += [
            ("quotas", f"{user}.{measure}", {**about, **money, "user_key": user, "measure": measure}) for user in PEOPLE
        ]
        rows.append(("quotas", f"all.{measure}", {**about, **money, "team_key": "all-sales", "measure": measure}))
    return rows


def _explained(connection: Connection) -> Said:
    """Every quota with its figure, which is the sum of its contributions."""
    quotas = [quota for quota in read_quotas(connection) if quota.period_key == "all-time"]
    figures = engine.figures(connection, quotas, None)
    said: Said = {}
    for quota in quotas:
        parts = list(engine.contributions(connection, quota, None))
        figure = figures[quota.key]
        if figure.value != sum(part.value for part in parts):
            raise Failed("figures", f"{quota.key} is {figure.value}, and {sum(p.value for p in parts)} is explained")
        said[quota.key] = figure, parts
    return said


def _compare(phone: ReferencePhone, said: Said) -> None:
    """What is too old for the phone, or was done for customers that it lost, is missing there and nowhere else."""
    held = phone.rows().keys()
    for key, own in own_figures(phone.device, END).items():
        if key not in said or own.figure is None:
            continue
        figure, parts = said[key]
        here = [part for part in parts if (part.entity, part.row_key) in held]
        if own.quota.measure == "unique_contacts" and len(here) < len(parts):
            continue  # whom the phone met first may be somebody whom the server met before
        if own.figure.value != sum(part.value for part in here):
            raise Failed("figures", f"{phone.key} says {own.figure.value} of {key}, the server {figure.value}: {here}")
