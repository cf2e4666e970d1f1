"""The funnel: stages sum up, groups sum to the whole, and the example of docs/funnel.md (R30, R33, R34)."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proposals.funnel import BY, ENDS, Amount, Line, Money, Sent, Used, counted, share_bp, spread
from proposals.lifecycle import ACCEPTED, SENT, VIEWED
from sfa.core.entities import Rate
from sfa.core.exchange import Exchange, Missing
from tests.builders import DAY_MS, NOW

DOC = (Path(__file__).parents[2] / "docs/funnel.md").read_text("utf-8")
RATE = Rate(base_currency="EUR", quote_currency="USD", rate="1.25", valid_from="2026-01-01")
EUR = Money("EUR", Exchange([("r", RATE)], "Europe/Madrid"))
NUMBERS = ("proposals", "sent", "opened", "open", *ENDS)


def rows_of(heading: str) -> list[list[str]]:
    """The lines of the first table of the document whose head begins so."""
    table = DOC[DOC.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table]


def instant(text: str) -> int | None:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000) if text else None


def minor(text: str) -> int | None:
    return int(text.replace(".", "")) if text else None


def example() -> list[Sent]:
    made = []
    for proposal, version, rep, currency, total, sent_at, opened, ended, status, accepted in rows_of("proposal"):
        said: dict[str, Any] = {"template_key": None, "tier": None, "language": "en", "owner_key": rep}
        said |= {"sent_at": instant(sent_at), "opened_at": instant(opened), "ended_at": instant(ended)}
        said |= {"total_minor": minor(total), "accepted_minor": minor(accepted), "status": status}
        made.append(Sent(proposal_key=proposal, version=int(version), currency=currency, **said))
    return made


def test_the_example_of_the_document_comes_out_as_it_says() -> None:
    """R34: amounts of two currencies, and in one at the rates of their days."""
    found = counted(example(), "month", "Europe/Madrid", EUR)
    total = found.total
    assert [getattr(total, name) for name in ("proposals", "sent", "opened", "open", "accepted", "declined")] == [
        *(4, 5, 4, 1, 2, 1)
    ]
    assert (total.superseded, total.expired, total.withdrawn) == (1, 0, 0)
    assert (total.opened_bp, total.answered_bp, total.accepted_bp) == (8_000, 6_000, 5_000)
    assert (total.to_open.count, total.to_open.median_s, total.to_open.p90_s) == (4, 2_700, 7_200)
    assert (total.to_sign.count, total.to_sign.median_s, total.to_sign.p90_s) == (2, 45_000, 86_400)
    assert total.amounts == [Amount("EUR", 2_100_00, 950_00), Amount("USD", 750_00, 250_00)]
    assert (total.converted.sent_minor, total.converted.accepted_minor) == (2_700_00, 1_150_00)
    assert total.converted.rates == [Used("USD", "1.25", "2026-01-01", True)]
    for said in ("median\n2,700, p90 7,200", "2,700.00", "1,150.00", "(80 %)", "(60 %)", "(50 %)"):
        assert said in DOC
    for item, line in zip(found.items, rows_of("month"), strict=True):
        names = ("proposals", "sent", "opened", "open", "accepted", "declined", "superseded")
        assert [item.key, *(str(getattr(item, name)) for name in names)] == line


def test_a_rate_that_is_missing_is_said_and_never_one() -> None:
    """R34."""
    found = counted(example(), "rep", "Europe/Madrid", Money("EUR", Exchange([], "Europe/Madrid"))).total.converted
    assert (found.sent_minor, found.accepted_minor, found.rates) == (None, None, [])
    assert found.missing == [Missing("USD", "EUR", "2026-01-31"), Missing("USD", "EUR", "2026-02-02")]


statuses = st.sampled_from([*ENDS, SENT, VIEWED])


@st.composite
def versions(draw: st.DrawFn) -> list[Sent]:
    made: list[Sent] = []
    for place in range(draw(st.integers(0, 8))):
        has_won = False
        for version in range(1, draw(st.integers(1, 3)) + 1):
            status = draw(statuses)
            if has_won and status == ACCEPTED:
                status = "expired"
            has_won = has_won or status == ACCEPTED
            at = NOW + draw(st.integers(0, 90)) * DAY_MS
            later = st.one_of(st.none(), st.integers(at - 5, at + 30 * DAY_MS))
            made.append(
                Sent(
                    proposal_key=f"p{place}",
                    version=version,
                    template_key=draw(st.sampled_from([None, "a", "b"])),
                    owner_key=draw(st.sampled_from(["ana", "bob"])),
                    tier=draw(st.sampled_from([None, "A", "B"])),
                    language=draw(st.sampled_from(["en", "es"])),
                    currency=draw(st.sampled_from(["EUR", "USD", "JPY"])),
                    total_minor=draw(st.integers(0, 10**9)),
                    sent_at=at,
                    status=status,
                    ended_at=draw(later) if status in ENDS else None,
                    opened_at=draw(later),
                    accepted_minor=draw(st.one_of(st.none(), st.integers(0, 10**9))),
                )
            )
    return draw(st.permutations(made))


@given(versions(), st.sampled_from(BY))
def test_stages_sum_up_and_groups_sum_to_the_whole(sent: Sequence[Sent], by: str) -> None:
    """Nothing is counted twice, in whatever order it is read."""
    found = counted(sent, by, "Europe/Madrid", EUR)
    for line in (found.total, *found.items):
        _check_adds_up(line)
    assert found.total.sent == len(sent)
    for name in NUMBERS:
        assert getattr(found.total, name) == sum(getattr(item, name) for item in found.items)
    assert found.total.to_open.count == sum(item.to_open.count for item in found.items)
    for amount in found.total.amounts:
        parts = [part for item in found.items for part in item.amounts if part.currency == amount.currency]
        assert amount.sent_minor == sum(part.sent_minor for part in parts)
        assert amount.accepted_minor == sum(part.accepted_minor for part in parts)
    if found.total.converted.sent_minor is not None:
        assert found.total.converted.sent_minor == sum(item.converted.sent_minor or 0 for item in found.items)
    assert counted(sorted(sent, key=lambda one: -one.version), by, "Europe/Madrid", EUR) == found
    assert len({item.key for item in found.items}) == len(found.items)


def _check_adds_up(line: Line) -> None:
    assert line.sent == line.open + sum(getattr(line, status) for status in ENDS)
    assert line.proposals <= line.sent
    assert line.accepted <= line.proposals
    assert line.opened <= line.sent
    for share in (line.opened_bp, line.answered_bp, line.accepted_bp):
        assert (share is None) == (line.sent == 0)
        assert share is None or 0 <= share <= 10_000
    has_yen = any(amount.currency == "JPY" for amount in line.amounts)
    assert (line.converted.sent_minor is None) == has_yen


@given(st.lists(st.integers(-5_000, 10**10), max_size=60))
def test_half_lie_below_the_median_and_nine_of_ten_not_above_the_ninetieth(times: list[int]) -> None:
    found = spread(times)
    seconds = [max(0, time) // 1000 for time in times]
    assert found.count == len(seconds)
    if found.median_s is None or found.p90_s is None:
        assert seconds == []
        return
    assert found.p90_s in seconds
    assert 10 * sum(one <= found.p90_s for one in seconds) >= 9 * len(seconds)
    assert 10 * sum(one < found.p90_s for one in seconds) < 9 * len(seconds)
    assert 2 * sum(one < found.median_s for one in seconds) <= len(seconds)
    assert 2 * sum(one > found.median_s for one in seconds) <= len(seconds)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_share_of_nothing_is_none(part: int, whole: int) -> None:
    found = share_bp(min(part, whole), whole)
    assert (found is None) == (whole == 0)
    if found is not None:
        assert abs(found * whole - 10_000 * min(part, whole)) * 2 <= whole


def test_the_document_names_every_group() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", DOC, re.M)) >= set(BY)
