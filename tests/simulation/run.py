"""Play one seed from start to end, or many; a failure carries its seed and the last steps."""

from sqlalchemy import Connection

from tests.simulation.checkers import (
    agreed,
    bytes_in_scope,
    bytes_kept,
    called,
    converged,
    ended,
    ends_kept,
    exactly_once,
    figures,
    handed_over,
    in_its_version,
    notes_whole,
    nothing_lost,
    one_open,
    paid,
    profits,
    reconciled,
    settled,
    suggested,
)
from tests.simulation.checkers.books import Books
from tests.simulation.databases import Worlds
from tests.simulation.world import World

STEPS = (12, 34)
SHOWN = 60


class SeedFailed(AssertionError):
    """What a seed found: `cause` is the checker's word or an error of the product itself."""

    def __init__(self, seed: int, cause: BaseException, trace: list[str]) -> None:
        said = str(cause) or type(cause).__name__
        lines = "\n".join(trace[-SHOWN:])
        super().__init__(f"seed {seed}: {type(cause).__name__}: {said}\n--- the last steps ---\n{lines}")
        self.seed, self.cause, self.trace = seed, cause, trace


def run_seed(seed: int, worlds: Worlds) -> list[str]:
    """-> the trace. Raises `SeedFailed`."""
    trace: list[str] = []
    world = None
    try:
        world = World(seed, worlds)
        trace = world.trace
        for _ in range(world.rng.randint(*STEPS)):
            world.step()
        world.make_peace()
        world.server.database.read(_audit, world)
        paid.check(world)
        figures.check(world)
        paid.check(world)  # quotas, a period and a rate came with the figures
        profits.check(world)
        called.check(world)
        reconciled.check(world)
        _audit_files(world)
    except Exception as error:
        raise SeedFailed(seed, error, trace) from error
    finally:
        if world is not None:
            world.attaching.close()
    return trace


def _audit_files(world: World) -> None:
    """Downloads, and what the collector leaves: time goes by, so this comes last."""
    bytes_in_scope.check(world.attaching)
    if world.attaching.is_on:
        world.attaching.much_later()
        world.server.database.read(_audit_much_later, world)


def _audit_much_later(connection: Connection, world: World) -> None:
    bytes_kept.check_much_later(connection, world.server.take(connection), world.attaching)


def _audit(connection: Connection, world: World) -> None:
    snapshot = world.server.take(connection)
    books = Books(connection, snapshot, world.ledger)
    converged.check_intervals(connection, snapshot)
    converged.check(world.phones, snapshot)
    exactly_once.check(books)
    agreed.check(connection, world.phones, snapshot)
    nothing_lost.check(books)
    ended.check(books)
    in_its_version.check(books)
    notes_whole.check(books)
    suggested.check(books)
    settled.check(books)
    one_open.check(books)
    ends_kept.check(books)
    handed_over.check(books, world.seen, world.held)
    bytes_kept.check(connection, books, world)
