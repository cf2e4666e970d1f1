"""The question of a run, as the rows of a small company ask it."""

from datetime import datetime

import msgspec
import pytest

from forecasting.outlook import reading
from forecasting.outlook.past import ordinal
from forecasting.outlook.reading import Read, read
from forecasting.outlook.values import COMPANY, Call, Quota
from tests.builders import DAY_MS, NOW
from tests.forecasting.selling import Q1, Q2, order
from tests.forecasting.telling import deal
from tests.office import Office

CALL = {"period_key": Q1, "user_key": "bob", "author_key": "bob", "commit_minor": 100, "currency": "EUR"}


def asked(office: Office) -> Read:
    return office.database.read(read, office.clock.now_ms(), 7)


def closed(found: Read) -> dict[str, int]:
    sums: dict[str, int] = {}
    for credit in found.question.credits:
        user = found.question.leaves[credit.leaf].user_key
        sums[user] = sums.get(user, 0) + credit.amount_minor
    return sums


def test_open_deals_are_asked_with_their_shares_and_worth_in_the_currency_of_the_company(selling: Office) -> None:
    found = asked(selling).question
    deals, people = found.deals, [leaf.user_key for leaf in found.leaves]
    assert deals.keys == sorted(deals.keys)
    assert dict(zip(deals.keys, deals.amount_minor, strict=True))["deal-c"] == 15_000  # 300.00 USD at a half
    shares = {(deals.keys[part.deal], people[part.leaf]): part.share_bp for part in found.parts}
    assert (shares["deal-b", "bob"], shares["deal-b", "cleo"]) == (6_000, 4_000)
    assert sum(share for (key, _), share in shares.items() if key == "deal-c") == 10_000
    assert [span.key for span in found.spans if span.key in found.ahead] == found.ahead
    assert found.ahead[0] == Q1


def test_what_is_won_is_credited_and_a_reopening_takes_it_back(selling: Office) -> None:
    order(selling, "deal.win", "deal-b", day=1)
    won = asked(selling)
    assert closed(won) == {"bob": 60_000, "cleo": 40_000}
    place = won.question.deals.keys.index("deal-b")
    assert won.question.deals.won[place]
    assert won.question.deals.ended_on[place] == won.question.until
    assert not [part for part in won.question.parts if part.deal == place]
    order(selling, "deal.reopen", "deal-b", day=2, stage_key="offer")
    again = asked(selling)
    assert closed(again) == {"bob": 0, "cleo": 0}
    assert not again.question.deals.won[place]


def test_a_rate_that_is_missing_is_counted_and_never_one(selling: Office) -> None:
    selling.put(deal("deal-x", "bob", 1_000, "2026-03-01", currency="CHF"))
    found = asked(selling)
    assert found.unrated == 1
    assert found.question.deals.amount_minor[found.question.deals.keys.index("deal-x")] is None


def test_people_stand_where_the_tree_has_them_today_and_nobody_twice(selling: Office) -> None:
    found = asked(selling).question
    people = [leaf.user_key for leaf in found.leaves]
    assert people == sorted(set(people))
    assert all(leaf.above[0] == COMPANY for leaf in found.leaves)
    assert all(node.startswith("team:") for leaf in found.leaves for node in leaf.above[1:])


def test_locked_calls_and_approved_quotas_are_asked_along(selling: Office) -> None:
    quota = {"user_key": "bob", "period_key": Q1, "measure": "revenue", "target": 500, "currency": "EUR"}
    selling.put(("quotas", "k1", quota), ("quotas", "k2", {**quota, "user_key": "cleo"}))
    selling.put_server_row("quotas", "k1", {"status": "approved", "approvals": 1})
    likely = {"due_on": "2026-01-12", "likely_minor": 150, "status": "locked"}
    selling.put_server_row("forecast_calls", "c1", {**CALL, **likely})
    selling.put_server_row("forecast_calls", "c2", {**CALL, "due_on": "2026-01-19", "status": "late"})
    found = asked(selling).question
    assert found.calls == [Call(Q1, "user:bob", ordinal("2026-01-12"), 150)]
    assert [q for q in found.quotas if q.node.startswith("user:")] == [Quota(Q1, "user:bob", 500)]


def test_the_question_of_a_day_is_the_same_bytes_each_time(selling: Office) -> None:
    first = msgspec.json.encode(asked(selling).question)
    assert msgspec.json.encode(asked(selling).question) == first
    selling.clock.advance(NOW + DAY_MS - selling.clock.now_ms())
    assert msgspec.json.encode(asked(selling).question) != first


def test_the_past_of_deals_is_the_same_read_page_by_page(selling: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    order(selling, "deal.win", "deal-b", day=1)
    first = asked(selling).question
    assert len(first.deals.change_deal) > 4
    for page in (1, 2, 3):
        monkeypatch.setattr(reading, "PAGE", page)
        assert asked(selling).question == first


# -- when the day is over ---------------------------------------------------------------------------------------------

MORNING, EVENING = "2026-03-30T22:10:00Z", "2026-03-31T18:00:00Z"  # of the last day of the quarter, in Berlin


def at(office: Office, instant: str) -> Read:
    now = round(datetime.fromisoformat(instant).timestamp() * 1000)
    office.clock.advance(now - office.clock.now_ms())
    return asked(office)


def test_the_day_that_begins_is_still_to_come_also_the_last_of_a_period(selling: Office) -> None:
    """The run of a day is asked for ten minutes after midnight."""
    early = at(selling, MORNING)
    assert (early.as_of, early.question.until) == ("2026-03-31", ordinal("2026-03-30"))
    assert early.question.ahead == [Q1, Q2]
    late = at(selling, EVENING)
    assert (late.as_of, late.question.until) == ("2026-03-31", ordinal("2026-03-31"))
    assert late.question.ahead == [Q1, Q2]


def test_the_first_morning_of_a_period_asks_for_that_one_and_for_the_next(selling: Office) -> None:
    found = at(selling, "2026-03-31T22:10:00Z").question
    assert (found.until, found.ahead[0]) == (ordinal("2026-03-31"), Q2)


def test_what_is_closed_on_the_first_morning_of_a_period_is_none_of_the_period_before(selling: Office) -> None:
    at(selling, "2026-04-01T06:00:00Z")
    order(selling, "deal.win", "deal-b", day=0)
    found = asked(selling).question
    assert found.until == ordinal("2026-04-01")
    assert {credit.day for credit in found.credits} == {found.until}


def test_what_happened_this_morning_is_known_and_told_of_the_end_of_yesterday(selling: Office) -> None:
    order(selling, "deal.win", "deal-b", day=3)
    found = asked(selling).question
    assert found.until == ordinal("2026-01-07")
    assert {credit.day for credit in found.credits} == {found.until}
    place = found.deals.keys.index("deal-b")
    assert (found.deals.ended_on[place], found.deals.won[place]) == (found.until, True)
    assert max(found.deals.change_day) <= found.until
    assert closed(asked(selling)) == {"bob": 60_000, "cleo": 40_000}


@pytest.mark.parametrize("on", ["0001-01-01", "9999-12-31"])
def test_a_deal_of_another_age_of_the_world_was_opened_within_what_is_looked_at(selling: Office, on: str) -> None:
    selling.put(deal("deal-x", "bob", 1_000, on, opened_on=on))
    found = asked(selling).question
    opened = found.deals.opened_on[found.deals.keys.index("deal-x")]
    assert ordinal("1990-01-01") <= opened <= found.until


# -- money ------------------------------------------------------------------------------------------------------------


def test_a_quota_without_a_rate_leaves_its_node_and_the_company_without_one_and_no_other(selling: Office) -> None:
    quota = {"period_key": Q1, "measure": "revenue", "target": 500, "currency": "EUR"}
    rows = {
        "q1": {**quota, "user_key": "bob"},
        "q2": {**quota, "user_key": "ana", "currency": "CHF"},
        "q3": {**quota, "team_key": "all-sales", "currency": "CHF"},
        "q4": {**quota, "team_key": "north"},
    }
    selling.put(*(("quotas", key, row) for key, row in rows.items()))
    for key in rows:
        selling.put_server_row("quotas", key, {"status": "approved", "approvals": 1})
    assert asked(selling).question.quotas == [Quota(Q1, "team:north", 500), Quota(Q1, "user:bob", 500)]


def test_no_amount_is_more_than_a_field_may_hold(selling: Office) -> None:
    dinars = {"base_currency": "KWD", "quote_currency": "EUR", "rate": "9000000", "valid_from": "2025-01-01"}
    selling.put(
        ("currencies", "KWD", {"code": "KWD", "name": "dinar", "minor_digits": 3}),
        ("rates", "kwd", dinars),
        deal("deal-x", "bob", 10**15, "2026-03-01", currency="KWD"),
    )
    found = asked(selling).question
    assert found.deals.amount_minor[found.deals.keys.index("deal-x")] == 10**15
    order(selling, "deal.win", "deal-x", day=1)
    assert closed(asked(selling))["bob"] == 10**15


def test_who_shares_in_open_deals_is_told_of_those_that_several_have(selling: Office) -> None:
    assert asked(selling).shared == {"deal-b": {"bob": 6_000, "cleo": 4_000}}


def test_deals_that_are_asked_about_no_more_do_not_bring_their_past(selling: Office) -> None:
    selling.phone("root").do("delete", "deals", "deal-c", base=selling.rev("deals", "deal-c"))
    found = asked(selling).question
    assert found.deals.keys == ["deal-a", "deal-b"]
    assert set(found.deals.change_deal) <= {0, 1}
