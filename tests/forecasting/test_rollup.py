"""One number per level: sums over the tree, the four amounts, who sees what (R16, R18, R19, R23-R26, R30)."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.answers import Fact, NodeRow, Place
from forecasting.ledger import WIDTH, views
from forecasting.ledger import money as money_of
from forecasting.rollup import Standing
from forecasting.spots import Sight
from sfa.core.errors import Refused
from sfa.core.forecast import BUCKETS, VIEWS, cumulative
from tests.forecasting.making import NORTH, SOUTH, amounts_of, basis, fact, roll

MAX = Sight(books=frozenset({"max", "ann", "bob"}), manages=frozenset({"team:north"}))
ANN = Sight(books=frozenset({"ann"}))


# -- sums -------------------------------------------------------------------------------------------------------------


def test_every_level_is_the_sum_of_what_is_below_it_r19() -> None:
    found = roll(basis(fact("ann", 100), fact("bob", 20), fact("cem", 3), fact("max", 4000)))
    assert amounts_of(found) == {
        "company": 4123,
        "team:emea": 4123,
        "team:north": 4120,
        "team:south": 3,
        "user:ann": 100,
        "user:bob": 20,
        "user:cem": 3,
        "user:eva": 0,
        "user:max": 4000,
    }


def test_the_worked_example_counts_nothing_twice_in_any_view_r24() -> None:
    """Pipeline 100, best 200, likely 0, commit 300, closed 400: best-case forecast 900, commit forecast 700."""
    said = {"pipeline": 100, "best_case": 200, "commit": 300, "closed": 400}
    found = roll(basis(*(fact("ann", amount, bucket) for bucket, amount in said.items())))
    assert {view: four.rolled_up for view, four in found.nodes[0].views.items()} == {
        "commit": 700,
        "likely": 700,
        "best_case": 900,
        "pipeline": 1000,
    }


def test_weighted_amounts_are_sums_over_deals_r23() -> None:
    """Deals 100 at 99 % and 200 at 0 %: weighted 99, not 148.5."""
    found = roll(basis(fact("ann", 100, weighted_minor=99), fact("bob", 200, weighted_minor=0)))
    assert found.nodes[0].buckets["commit"].weighted_minor == 99


def test_a_split_deal_is_one_deal_where_its_parts_meet_and_its_money_is_not_doubled_r16() -> None:
    """10,000 split 50/50: each 5,000, the total 10,000."""
    found = roll(basis(fact("ann", 5000, deal="d"), fact("cem", 5000, deal="d"), fact("bob", 1, alone=True)))
    told = {node.node: (node.buckets["commit"].amount_minor, node.buckets["commit"].deals) for node in found.nodes}
    assert told["company"] == (10_001, 2)
    assert told["team:north"] == (5001, 2)
    assert (told["team:south"], told["user:ann"]) == ((5000, 1), (5000, 1))


def test_overlay_credit_is_told_beside_and_enters_no_total_r16() -> None:
    found = roll(basis(fact("ann", 100, deal="d"), fact("cem", 40, deal="d", overlay=True)))
    root = found.nodes[0]
    assert root.buckets["commit"].amount_minor == 100
    assert root.overlay["commit"].amount_minor == 40
    assert {four.rolled_up for four in root.views.values()} == {100}


def test_who_moved_counts_in_each_team_for_his_own_days_r18() -> None:
    """Ann closed 70 while she was in south; today she is in north with 5 open."""
    found = roll(basis(fact("ann", 70, "closed", place=Place(SOUTH)), fact("ann", 5)))
    told = {(node.parent, node.node): (node.here, node.views["commit"].rolled_up) for node in found.nodes}
    assert told["team:south", "user:ann"] == (False, 70)
    assert told["team:north", "user:ann"] == (True, 5)
    assert (told["team:emea", "team:south"], told["company", "team:emea"]) == ((True, 70), (True, 75))
    mine = roll(basis(fact("ann", 70, "closed", place=Place(SOUTH)), fact("ann", 5)), "user:ann")
    assert [(node.node, node.views["commit"].rolled_up) for node in mine.nodes] == [("user:ann", 75)]


def test_by_team_the_people_are_left_out_and_their_money_is_the_teams_own_r19() -> None:
    found = roll(basis(fact("ann", 100), fact("max", 20), fact("cem", 3), fact("eva", 500)), by="team")
    told = {node.node: node for node in found.nodes}
    assert list(told) == ["company", "team:emea", "team:north", "team:south"]
    assert told["team:north"].direct["commit"].amount_minor == 120
    assert told["team:emea"].direct["commit"].amount_minor == 500
    assert told["company"].direct == {}


def test_by_product_a_deal_is_shared_out_by_its_lines_and_loses_nothing_r35() -> None:
    """100.00 in three equal shares: 33.34, 33.33, 33.33."""
    products = (("p1", 5), ("p2", 5), ("p3", 5))
    rows = [NodeRow(f"product:p{n}", f"P{n}") for n in (1, 2, 3)]
    found = roll(basis(fact("ann", 10_000, products=products), fact("bob", 7), rows=rows), by="product")
    assert amounts_of(found) == {
        "company": 10_007,
        "product:": 7,
        "product:p1": 3334,
        "product:p2": 3333,
        "product:p3": 3333,
    }


def test_by_territory_what_has_none_has_a_node_of_its_own_r19() -> None:
    rows = [NodeRow("territory:italy", "Italy"), NodeRow("territory:rome", "Rome", ("territory:italy",))]
    facts = [
        fact("ann", 1, territory=("territory:italy", "territory:rome")),
        fact("bob", 10, territory=("territory:italy",)),
        fact("cem", 100, territory=("territory:",)),
    ]
    found = roll(basis(*facts, rows=rows), by="territory")
    assert amounts_of(found) == {"company": 111, "territory:": 100, "territory:italy": 11, "territory:rome": 1}
    assert {n.node: n.direct["commit"].amount_minor for n in found.nodes if n.direct}["territory:italy"] == 10


def test_a_depth_tells_as_many_levels_and_a_node_what_is_below_it() -> None:
    of = basis(fact("ann", 1))
    assert [node.node for node in roll(of, depth=1).nodes] == ["company", "team:emea"]
    assert [node.node for node in roll(of, "team:south").nodes] == ["team:south", "user:cem"]


def test_a_node_that_is_not_there_is_not_found() -> None:
    with pytest.raises(Refused) as refused:
        roll(basis(), "team:nobody")
    assert refused.value.code == "not_found"


@given(st.lists(st.integers(-(10**9), 10**9), min_size=WIDTH, max_size=WIDTH))
def test_the_views_of_sums_are_those_of_the_buckets_r24(vector: list[int]) -> None:
    assert views(vector) == cumulative({bucket: money.amount_minor for bucket, money in money_of(vector).items()})


# -- holes ------------------------------------------------------------------------------------------------------------


def test_a_forecast_with_holes_says_which_and_is_partial_r34() -> None:
    holes = [
        fact("ann", None, deal="d1", holes=("amount_missing",)),
        fact("ann", None, deal="d2", currency="USD", holes=("rate_missing",)),
        fact("cem", 9, "undated", deal="d3", holes=("close_on_missing",)),
        fact("bob", 5, deal="d4"),
    ]
    found = roll(basis(*holes))
    told = {node.node: (node.partial, node.missing) for node in found.nodes}
    assert told["user:bob"] == (False, {})
    assert told["team:north"] == (True, {"amount_missing": 1, "rate_missing": 1})
    assert told["company"] == (True, {"amount_missing": 1, "close_on_missing": 1, "rate_missing": 1})
    listed = [(hole.code, hole.key, hole.user_key, hole.currency) for hole in found.missing]
    assert listed == [
        ("amount_missing", "d1", "ann", None),
        ("close_on_missing", "d3", "cem", None),
        ("rate_missing", "d2", "ann", "USD"),
    ]
    assert (found.missing_count, found.why) == (3, ["amount_missing", "close_on_missing", "rate_missing"])


def test_a_deal_without_a_day_is_in_no_total_r22() -> None:
    found = roll(basis(fact("cem", 9, "undated", holes=("close_on_missing",))))
    assert {money.amount_minor for money in found.nodes[0].buckets.values()} == {0}


# -- four amounts -----------------------------------------------------------------------------------------------------

OF = basis(fact("ann", 100), fact("bob", 20), fact("cem", 3), fact("max", 4000), fact("ann", 7, "closed"))


def four(node: str, standing: Standing, sight: Sight | None = None, view: str = "commit") -> tuple[int | None, ...]:
    found = roll(OF, standing=standing) if sight is None else roll(OF, node, standing=standing, sight=sight)
    told = next(n for n in found.nodes if n.node == node).views[view]
    return told.own, told.rolled_up, told.own_adjusted, told.manager_adjusted


def test_without_overrides_what_is_own_and_rolled_up_is_what_counts_r25() -> None:
    assert four("user:ann", Standing()) == (107, 107, 107, 107)
    assert four("team:north", Standing()) == (4000, 4127, 4127, 4127)
    assert four("company", Standing()) == (0, 4130, 4130, 4130)


def test_what_a_rep_says_of_himself_is_what_his_team_counts_r25() -> None:
    standing = Standing({("user:ann", "commit", "own"): 200})
    assert four("user:ann", standing) == (107, 107, 200, 200)
    assert four("team:north", standing) == (4000, 4127, 4220, 4220)


def test_a_managers_figure_counts_above_and_the_reps_own_stays_beside_it_r25() -> None:
    standing = Standing({("user:ann", "commit", "own"): 200, ("user:ann", "commit", "manager"): 150})
    assert four("user:ann", standing) == (107, 107, 200, 150)
    assert four("team:north", standing) == (4000, 4127, 4170, 4170)
    assert four("company", standing) == (0, 4130, 4173, 4173)


def test_an_override_of_a_team_stands_in_the_place_of_everything_below_it_r26() -> None:
    standing = Standing({("user:ann", "commit", "manager"): 150, ("team:north", "commit", "own"): 5000})
    assert four("team:north", standing) == (4000, 4127, 5000, 5000)
    assert four("team:emea", standing) == (0, 4130, 5003, 5003)


def test_an_override_is_of_one_view_r26() -> None:
    standing = Standing({("user:ann", "commit", "own"): 200})
    assert four("user:ann", standing, view="likely") == (107, 107, 107, 107)


def test_an_override_of_whom_money_lies_elsewhere_counts_once_r18_r26() -> None:
    """Ann closed 70 in south and says 100 in all: 30 of it are north's today."""
    of = basis(fact("ann", 70, "closed", place=Place(SOUTH)), fact("ann", 5))
    found = roll(of, standing=Standing({("user:ann", "commit", "own"): 100}))
    told = {(n.parent, n.node): n.views["commit"].manager_adjusted for n in found.nodes}
    assert (told["team:north", "user:ann"], told["team:south", "user:ann"]) == (30, 70)
    assert told[None, "company"] == 100
    mine = roll(of, "user:ann", standing=Standing({("user:ann", "commit", "own"): 100}))
    assert mine.nodes[0].views["commit"].own_adjusted == 100


def test_an_override_that_cannot_be_converted_is_not_taken_for_zero_r34() -> None:
    found = roll(OF, standing=Standing({("user:ann", "commit", "own"): None}))
    told = {node.node: node.views["commit"] for node in found.nodes}
    assert (told["user:ann"].own_adjusted, told["user:ann"].code) == (None, "rate_missing")
    assert (told["company"].manager_adjusted, told["company"].rolled_up) == (None, 4130)
    assert told["user:bob"].manager_adjusted == 20


# -- who sees what ----------------------------------------------------------------------------------------------------


def test_a_manager_sees_his_team_and_what_counts_above_is_not_shown_to_him_r25_r30() -> None:
    standing = Standing({("team:north", "commit", "manager"): 1})
    found = roll(OF, "team:north", sight=MAX, standing=standing)
    told = found.nodes[0].views["commit"]
    assert (found.partial, told.rolled_up, told.own_adjusted) == (False, 4127, 4127)
    assert (told.manager_adjusted, told.code) == (None, "not_shown")


def test_a_rep_does_not_see_what_his_manager_put_in_the_place_of_his_figure_r25() -> None:
    standing = Standing({("user:ann", "commit", "manager"): 150})
    assert four("user:ann", standing, ANN) == (107, 107, 107, None)
    assert four("user:ann", standing, Sight(books=ANN.books, shown=True)) == (107, 107, 107, 150)


def test_who_sees_a_part_of_a_node_is_told_that_it_is_partial_r30() -> None:
    found = roll(OF, sight=MAX)
    told = {node.node: (node.views["commit"].rolled_up, node.why) for node in found.nodes}
    assert told["company"] == (4127, ["not_seen"])
    assert told["team:north"] == (4127, [])
    assert "team:south" not in told
    assert {node.views["commit"].manager_adjusted for node in found.nodes if node.partial} == {None}


def test_a_rep_sees_of_his_team_what_is_his_r30() -> None:
    found = roll(OF, "team:north", sight=ANN)
    assert [(n.node, n.views["commit"].rolled_up, n.why) for n in found.nodes] == [
        ("team:north", 107, ["not_seen"]),
        ("user:ann", 107, []),
    ]


def test_what_somebody_may_not_see_at_all_is_not_found_r30() -> None:
    with pytest.raises(Refused) as refused:
        roll(OF, "team:south", sight=ANN)
    assert refused.value.code == "not_found"


def test_a_manager_sees_what_was_earned_in_his_team_by_who_left_it_r18_r30() -> None:
    of = basis(fact("cem", 70, "closed", place=Place(NORTH)))
    found = roll(of, "team:north", sight=MAX)
    assert (found.partial, found.nodes[0].views["commit"].rolled_up) == (False, 70)


def test_an_override_of_somebody_without_money_who_is_not_seen_makes_what_is_above_partial_r30() -> None:
    of = basis(fact("ann", 100))
    found = roll(of, sight=MAX, standing=Standing({("user:cem", "commit", "own"): 50}))
    assert (found.nodes[0].node, found.why) == ("company", ["not_seen"])


def test_the_holes_of_others_are_not_told_r30() -> None:
    of = basis(fact("ann", 1), fact("cem", None, holes=("amount_missing",)))
    assert roll(of, sight=MAX).missing == []
    assert roll(of).missing_count == 1


# -- for any tree -----------------------------------------------------------------------------------------------------

TEAMS = [f"team:t{n}" for n in range(5)]
PEOPLE = [f"p{n}" for n in range(5)]


@st.composite
def places(draw: st.DrawFn) -> Place:
    path = tuple(sorted(draw(st.sets(st.sampled_from(TEAMS), max_size=3))))
    return Place(path, bool(path) and draw(st.booleans()))


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    amount = draw(st.one_of(st.none(), st.integers(-1000, 10**9)))
    return Fact(
        deal_key=draw(st.sampled_from("abcdef")),
        user_key=draw(st.sampled_from(PEOPLE)),
        place=draw(places()),
        bucket=draw(st.sampled_from((*BUCKETS, "undated"))),
        amount_minor=amount,
        weighted_minor=None if amount is None else amount // 2,
        currency="EUR",
        overlay=draw(st.booleans()),
        holes=("amount_missing",) if amount is None else (),
        territory=tuple(f"territory:{n}" for n in range(draw(st.integers(0, 3)))),
        products=tuple((f"p{n}", n) for n in range(draw(st.integers(0, 3)))),
    )


@given(st.lists(facts(), max_size=25), st.sampled_from(("owner", "team", "territory", "product")))
def test_the_root_is_the_sum_of_the_leaves_for_any_dated_tree_r19(said: list[Fact], by: str) -> None:
    """And each node is what lies directly at it and what is below it, in amounts and weighted; the root is what plain
    addition of the facts says, and its deals are told apart by key."""
    found = roll(basis(*said, rows=[]), by=by)
    root = found.nodes[0]
    counted = [f for f in said if f.bucket in BUCKETS and not f.overlay]
    for bucket in BUCKETS:
        here = [f for f in counted if f.bucket == bucket]
        assert root.buckets[bucket].amount_minor == sum(f.amount_minor or 0 for f in here)
        assert root.buckets[bucket].weighted_minor == sum(f.weighted_minor or 0 for f in here)
        assert root.buckets[bucket].deals == len({f.deal_key for f in here})
        direct = [node.direct[bucket] for node in found.nodes if bucket in node.direct]
        assert sum(money.amount_minor for money in direct) == root.buckets[bucket].amount_minor
        assert sum(money.weighted_minor for money in direct) == root.buckets[bucket].weighted_minor
    overlays = Counter[str]()
    for f in said:
        if f.overlay and f.bucket in BUCKETS:
            overlays[f.bucket] += f.amount_minor or 0
    assert {b: m.amount_minor for b, m in root.overlay.items() if m.amount_minor} == {
        b: n for b, n in overlays.items() if n
    }


@given(st.lists(facts(), max_size=25), st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 10**6)))
def test_what_counts_above_is_what_is_below_for_any_overrides_r25(said: list[Fact], own: dict[str, int]) -> None:
    """Each node's adjusted amount is the sum of its children's, wherever people stand; the company's is what nobody
    overrode and the figures of who did, each once however many places his money lies at."""
    rows = [NodeRow(f"user:{user}", user, ("team:t0",)) for user in PEOPLE]
    standing = Standing({(f"user:{user}", "commit", "own"): amount for user, amount in own.items()})
    found = roll(basis(*said, rows=[NodeRow("team:t0", "T"), *rows]), standing=standing)
    rest = sum(
        f.amount_minor or 0 for f in said if f.bucket in VIEWS["commit"] and not f.overlay and f.user_key not in own
    )
    assert found.nodes[0].views["commit"].manager_adjusted == rest + sum(own.values())
