"""The question of a run, as the rows of a small company ask it."""

import msgspec

from forecasting.outlook.past import ordinal
from forecasting.outlook.reading import Read, read
from forecasting.outlook.values import COMPANY, Call, Quota
from tests.builders import DAY_MS, NOW
from tests.forecasting.selling import Q1, order
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
