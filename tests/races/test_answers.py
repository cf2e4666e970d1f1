"""R48: many people answer one proposal in one moment, on several servers: it ends once, and is the same money once.

Acceptances, declines, the sweep, withdrawals and a new version come in random order and at the same time; whoever
was first is right, and the others are told so. A failure names its seed.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proposals.buyer import answering, expiry
from proposals.buyer.answering import Acceptance, Decline
from sfa.app import reconcile
from sfa.app.commands import COMMANDS
from sfa.core.errors import Refused
from sfa.crm import online
from sfa.crm.online import Order
from sfa.db import proposal_timeline as timeline
from sfa.db.database import Database, open_database
from tests.builders import DAY_MS, put_rows
from tests.db.test_commissions import has, plan
from tests.office import Office
from tests.proposals.buyer.answers import (
    VISITOR,
    acceptance,
    answers,
    commissions,
    earned,
    events,
    link,
    sent,
    standing,
    statuses,
    told,
)
from tests.proposals.buyer.test_report import RULES

SERVERS = 6
ACTS = 50
DAYS = 60
SEEDS = (1, 2)
SEEDS_OF_THE_LONG_PROOF = range(100, 160)
# Who was first ends it; the others are told what stands.
TOLD = {
    "proposal_answered",
    "proposal_withdrawn",
    "proposal_expired",
    "proposal_superseded",
    "illegal_transition",
    "proposal_changed",
}


class Servers:
    """Several processes on one database, as far as locks go."""

    def __init__(self, url: str) -> None:
        self.databases = [open_database(url, durable=False) for _ in range(SERVERS)]
        self.office = Office(self.databases[0])

    def at_once(self, acts: list[Callable[[Database], Any]]) -> Counter[str]:
        """Each server does its share, one after the other; -> how often what came of it."""
        found: Counter[str] = Counter()
        broken: list[BaseException] = []
        begin = threading.Barrier(SERVERS)

        def serve(n: int) -> None:
            begin.wait()
            for act in acts[n::SERVERS]:
                try:
                    found[_done(act, self.databases[n])] += 1
                except BaseException as error:
                    broken.append(error)

        threads = [threading.Thread(target=serve, args=(n,)) for n in range(SERVERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert broken == []
        return found

    def close(self) -> None:
        for database in self.databases:
            database.close()


def _done(act: Callable[[Database], Any], database: Database) -> str:
    try:
        found = act(database)
    except Refused as refusal:
        return refusal.code
    return f"{found.kind}, again" if getattr(found, "again", False) else str(getattr(found, "kind", found))


@pytest.fixture
def servers(company_url: str) -> Iterator[Servers]:
    opened = Servers(company_url)
    yield opened
    opened.close()


def acts_of(office: Office, asked: Acceptance, rng: random.Random, *, is_over: bool) -> list[Callable[[Database], Any]]:
    now = office.clock.now_ms()
    no = Decline(link=asked.link, name="Carla Ruiz", reason="No", visitor=VISITOR)

    def order(act: str, **said: Any) -> Callable[[Database], Any]:
        wanted = Order(user_key="ana", command=f"proposal.{act}", key="p1", arguments=said)
        return lambda database: database.write(online.order, now, wanted, COMMANDS).row["status"]

    acts: dict[str, Callable[[Database], Any]] = {
        "accept": lambda database: database.write(answering.accept, now, asked),
        "decline": lambda database: database.write(answering.decline, now, no),
        "expire": lambda database: database.write(expiry.expire, now),
        "withdraw": order("withdraw", version=1),
        "revise": order("revise"),
        "send": order("send", version=2, total_minor=asked.total_minor),
    }
    names = ["expire", "withdraw", "decline", "accept"] if is_over else [n for n in acts if n != "expire"]
    weights = [rng.random() + 0.05 for _ in names]
    return [acts[name] for name in rng.choices(names, weights, k=ACTS)]


def race(servers: Servers, seed: int) -> None:
    rng, office = random.Random(seed), servers.office
    office.database.write(put_rows, [plan(currency="EUR"), has()])
    sent(office)
    asked, is_over = acceptance(office, link(office)), seed % 3 == 0
    if is_over:
        office.clock.advance(DAYS * DAY_MS)
    found = servers.at_once(acts_of(office, asked, rng, is_over=is_over))
    check(servers, found, f"seed {seed}: {found}")


def check(servers: Servers, found: Counter[str], seen: str) -> None:
    office = servers.office
    ended = {"accepted", "declined", "expired", "withdrawn"}
    state, kinds = statuses(office)[0], Counter(events(office))
    assert found["accepted"] + found["declined"] <= 1, seen
    said = [row for row in answers(office) if row["version"] == 1]
    assert [row["kind"] for row in said] == ([state] if state in ended - {"withdrawn"} else []), seen
    assert all(kinds[kind] <= 1 for kind in ended - {"withdrawn"}), seen
    assert sum(kinds[kind] for kind in ("accepted", "declined", "expired")) <= len(statuses(office)), seen
    assert kinds["signed"] == kinds["accepted"] == (state == "accepted"), seen
    for kind in ("accepted", "declined"):
        assert len(told(office, f"proposal.{kind}")) == kinds[kind], seen
    won = state == "accepted"
    assert earned(office) == ([(1, "ana", False, 300_00)] if won else []), seen
    assert [row["amount_minor"] for row in commissions(office.database)] == ([5_00, 20_00] if won else []), seen
    assert len(told(office, "deal.won")) == won, seen
    assert not won or statuses(office) == ["accepted"], seen
    report = office.database.read(reconcile.report, office.clock.now_ms())
    assert [item for item in report.items if item.rule in RULES or item.rule.startswith("commission")] == [], seen
    assert timeline.broken_at("p1", office.database.read(timeline.events_of, "p1")) is None
    known = TOLD | ended | {"accepted, again", "declined, again", "draft", "sent", "0", "1"}
    assert set(found) <= known, seen
    assert standing(office, link(office)).state == state, seen


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_answers_at_once_it_ends_once(servers: Servers, seed: int) -> None:
    """R46, R48."""
    race(servers, seed)


def test_what_is_over_is_expired_once_whoever_comes_too_late(servers: Servers) -> None:
    """R47, R48."""
    race(servers, 3)
    assert statuses(servers.office)[0] in ("expired", "withdrawn")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS_OF_THE_LONG_PROOF)
def test_whoever_answers_at_once_it_ends_once_each_of_many_times(servers: Servers, seed: int) -> None:
    """R48."""
    race(servers, seed)


def test_fifty_who_sign_at_once_are_one_acceptance(servers: Servers) -> None:
    """R48: one of them is it, all are told so."""
    office = servers.office
    office.database.write(put_rows, [plan(currency="EUR"), has()])
    sent(office)
    asked = acceptance(office, link(office))
    now = office.clock.now_ms()
    found = servers.at_once([lambda database: database.write(answering.accept, now, asked)] * ACTS)
    assert found == {"accepted": 1, "accepted, again": ACTS - 1}
    check(servers, found, "fifty")
