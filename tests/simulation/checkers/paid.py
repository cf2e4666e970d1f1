"""The ledger of commission is what credits say it is (R41): nothing is lacking, a ledger made of nothing says the same
of every person, plan, period and deal, and an end that was reversed adds up to nothing."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select

from sfa.db.commissions import rebuild, verify
from sfa.db.tables import ROWS, commission_entries, credited
from tests.simulation.failure import Failed

if TYPE_CHECKING:
    from tests.simulation.world import World

Sums = dict[tuple[str, ...], int]


class _Undone(Exception):
    pass


def check(world: "World") -> None:
    if not world.paying.is_on:
        return
    world.server.database.read(_check_stored)
    before = world.server.database.read(_sums)
    made: list[Sums] = []

    def anew(connection: Connection) -> None:
        connection.execute(delete(commission_entries))
        rebuild(connection, world.clock.now_ms())
        made.append(_sums(connection))
        raise _Undone

    with suppress(_Undone):
        world.server.database.write(anew)
    other = {place for place in before | made[-1] if before.get(place) != made[-1].get(place)}
    if other:
        raise Failed("paid", f"a ledger made anew says something else of {sorted(other)[:3]}")


def _check_stored(connection: Connection) -> None:
    lacking = verify(connection)
    if lacking:
        raise Failed("paid", f"the ledger lacks {len(lacking)} rows: {lacking[:2]}")
    rows = connection.execute(select(commission_entries)).mappings().all()
    plans = ROWS["commission_plans"].c
    kept = set(connection.execute(select(plans.key).where(~plans.retier)).scalars())
    back = select(credited.c.deal_key, credited.c.n).where(credited.c.reversal)
    reversed_ = {tuple(place) for place in connection.execute(back)}
    sums: dict[tuple[Any, ...], int] = {}
    numbers: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        place = (row["user_key"], row["plan_key"], row["deal_key"], row["n"])
        sums[place] = sums.get(place, 0) + row["amount_minor"]
        numbers.setdefault((row["user_key"], row["plan_key"], row["period_key"]), []).append(row["number"])
    for place, amount in sums.items():
        if amount and place[1] in kept and place[2:] in reversed_:
            raise Failed("paid", f"{place} was reversed, and {amount} of it stands")
    for of, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            raise Failed("paid", f"the rows of {of} are numbered {sorted(found)}")


def _sums(connection: Connection) -> Sums:
    found: Sums = {}
    for row in connection.execute(select(commission_entries)).mappings():
        place = tuple(str(row[name]) for name in ("user_key", "plan_key", "period_key", "deal_key", "n"))
        found[place] = found.get(place, 0) + row["amount_minor"]
    return {place: amount for place, amount in found.items() if amount}
