"""R48: a process that dies while somebody accepts leaves nothing half done, and asked again it ends right, once."""

import signal
import subprocess
import sys
from contextlib import closing

import msgspec
import pytest
from sqlalchemy import func, select

from sfa.app import reconcile
from sfa.db.database import open_database
from sfa.db.tables import METADATA
from tests.office import Office
from tests.proposals.buyer.answers import accept, acceptance, answers, drawing, earned, events, link, sent, statuses
from tests.races.dying import BOUNDARIES, POINTS

START_S = 60


def killed_at(point: str, url: str, asked: bytes) -> None:
    command = [sys.executable, "-m", "tests.races.dying", url, point]
    ended = subprocess.run(command, input=asked, capture_output=True, timeout=START_S, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def counts(office: Office) -> dict[str, int]:
    """How many rows there are of everything."""
    return {
        name: office.all(select(func.count().label("n")).select_from(table))[0]["n"]
        for name, table in METADATA.tables.items()
    }


def before_it(office: Office, url: str, points: tuple[str, ...]) -> None:
    sent(office)
    asked = acceptance(office, link(office), method="drawn", drawing=drawing())
    body = msgspec.json.encode((office.clock.now_ms(), asked))
    before = counts(office)
    for point in points:
        killed_at(point, url, body)
        assert counts(office) == before, point
        assert statuses(office) == ["sent"]
    killed_at("after_commit", url, body)
    assert statuses(office) == ["accepted"]
    again = accept(office, link(office))
    assert (again.kind, again.again) == ("accepted", True)
    assert (events(office), len(answers(office))) == (["sent", "signed", "accepted"], 1)
    assert earned(office) == [(1, "ana", False, 300_00)]
    report = office.database.read(reconcile.report, office.clock.now_ms())
    assert [item.rule for item in report.items] == []


def test_what_dies_before_the_commit_never_was_and_after_it_stands(company_url: str) -> None:
    with closing(open_database(company_url)) as database:
        before_it(Office(database), company_url, ("won", "before_commit"))


@pytest.mark.slow
def test_wherever_it_dies_nothing_is_half_done(company_url: str) -> None:
    assert BOUNDARIES == ("before_commit", "after_commit")
    with closing(open_database(company_url)) as database:
        before_it(Office(database), company_url, (*POINTS, "before_commit"))
