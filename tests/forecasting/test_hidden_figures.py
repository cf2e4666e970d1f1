"""What a manager put in the place of a figure reaches nobody below him, by no sum however far above (R25, R30)."""

from typing import Any

import pytest

from forecasting.rollup import Standing
from forecasting.spots import Sight
from tests.crm.desk import Desk
from tests.forecasting.making import basis, fact, roll
from tests.forecasting.telling import code, deal, nodes, rollup
from tests.forecasting.test_overrides import ANA, NORTH, listed, put, revert, said

SECRET = 123_456
ANCESTORS = ("user:ann", "team:north", "team:emea", "company")
ANN, MAX = Sight(books=frozenset({"ann"})), Sight(books=frozenset({"ann", "bob", "max"}), manages=frozenset({NORTH}))


@pytest.mark.parametrize("siblings", [(), (fact("bob", 20),), (fact("bob", 20), fact("cem", 3))])
@pytest.mark.parametrize("node", ANCESTORS)
@pytest.mark.parametrize(
    ("sight", "figure"), [(ANN, "user:ann"), (ANN, "team:north"), (ANN, "team:emea"), (MAX, "team:north")]
)
def test_at_no_ancestor_does_anybody_see_a_figure_that_was_put_above_him_r25(
    sight: Sight, figure: str, node: str, siblings: tuple[Any, ...]
) -> None:
    """Alone in the tree his branch is all that a node above counts; then the sum would be the figure itself."""
    of = basis(fact("ann", 100), *siblings)
    standing = Standing({(figure, "commit", "manager"): SECRET})
    found = roll(of, node, sight=sight, standing=standing)
    without = roll(of, node, sight=sight)
    for told, plain in zip(found.nodes, without.nodes, strict=True):
        four = told.views["commit"]
        assert four == plain.views["commit"], told.node
        assert SECRET not in (four.own_adjusted, four.manager_adjusted)


def test_who_decides_on_all_that_is_below_sees_the_sum_r25() -> None:
    eva = Sight(books=frozenset({"ann"}), manages=frozenset({"team:emea", "team:north", "team:south"}))
    found = roll(basis(fact("ann", 100)), sight=eva, standing=Standing({(NORTH, "commit", "manager"): SECRET}))
    told = {node.node: node.views["commit"] for node in found.nodes}
    assert (told["team:emea"].own_adjusted, told["team:emea"].manager_adjusted) == (SECRET, SECRET)


def test_a_figure_of_a_manager_is_not_in_the_company_of_who_is_alone_there_r25(desk: Desk) -> None:
    desk.office.put(("deals", "deal-a", {"close_on": "2026-05-10", "category": "commit"}))
    assert put(desk, "mia", ANA, SECRET, level="manager", period="q2").status_code == 200
    for form in ("json", "csv"):
        answer = desk.ask("ana", "GET", "/api/forecast/rollup?period=q2&node=company", params={"format": form})
        assert answer.status_code == 200
        assert str(SECRET) not in answer.text
        assert "1234.56" not in answer.text


def move(desk: Desk, day: str = "2026-01-01") -> None:
    """Ana goes to the south, which Bob manages from then on."""
    ana = {"team_key": "south", "user_key": "ana", "valid_from": day}
    bob = {"team_key": "south", "user_key": "bob", "role": "manager", "valid_from": day}
    desk.office.put(("team_members", "m-ana", {"valid_to": day}))
    desk.office.put(("team_members", "m-ana-2", ana), ("team_members", "m-bob-2", bob))


def test_the_managers_of_the_next_team_begin_anew_r25_r26(desk: Desk) -> None:
    first = said(desk, "mia", ANA, amount=SECRET, level="manager", note="sandbags")
    move(desk)
    assert listed(desk, "bob") == []
    second = said(desk, "bob", ANA, amount=1, level="manager")
    assert (second["number"], second["key"] != first["key"]) == (1, True)
    assert [len(item["history"]) for item in listed(desk, "bob")] == [1]
    (mine,) = listed(desk, "mia")
    assert (mine["override"]["key"], mine["override"]["status"]) == (first["key"], "superseded")
    assert code(revert(desk, "mia", ANA, 1, "manager")) == (404, "not_found")


def test_who_comes_to_manage_his_own_team_does_not_read_what_was_said_of_him_r25(desk: Desk) -> None:
    said(desk, "mia", ANA, amount=SECRET, level="manager", note="sandbags")
    said(desk, "mia", "user:bob", amount=7, level="manager")
    manages = {"team_key": "north", "user_key": "ana", "role": "manager", "valid_from": "2026-01-01"}
    desk.office.put(("team_members", "m-ana-2", manages))
    assert [item["override"]["node"] for item in listed(desk, "ana")] == ["user:bob"]
    assert len(listed(desk, "mia")) == len(listed(desk, "root")) == 2
    desk.office.put(("forecast_policies", "p", {"name": "P", "manager_figures": "shown"}))
    assert len(listed(desk, "ana")) == 2


def test_who_manages_his_team_after_the_quarter_is_not_told_what_was_said_of_him_in_it_r25(desk: Desk) -> None:
    said(desk, "mia", ANA, amount=SECRET, level="manager")
    desk.office.clock.advance(200 * 86_400_000)
    desk.forget_tokens()
    manages = {"team_key": "north", "user_key": "ana", "role": "manager", "valid_from": "2026-07-01"}
    desk.office.put(("team_members", "m-ana-2", manages))
    assert nodes(rollup(desk))[ANA]["views"]["commit"]["manager_adjusted"] == SECRET
    found = nodes(rollup(desk, "ana", node="company"))
    assert {found[node]["views"]["commit"]["own_adjusted"] for node in ("company", NORTH)} == {None}
    assert found[ANA]["views"]["commit"]["manager_adjusted"] is None


def test_a_figure_of_a_quarter_that_is_over_is_not_the_next_managers_r25(desk: Desk) -> None:
    said(desk, "mia", ANA, amount=SECRET, level="manager")
    desk.office.clock.advance(200 * 86_400_000)
    desk.forget_tokens()
    move(desk, "2026-07-01")
    desk.office.put(deal("d2", "bob", 7, "2026-08-01"))
    assert nodes(rollup(desk))[ANA]["views"]["commit"]["manager_adjusted"] == SECRET
    seen = nodes(rollup(desk, "bob", node="user:ana"))[ANA]["views"]["commit"]
    assert (seen["manager_adjusted"], seen["overrides"], seen["code"]) == (None, [], "not_shown")


def test_by_territory_there_are_no_figures_to_hide_r25(desk: Desk) -> None:
    """Also of a territory below another one."""
    inner = {"territory_key": "t-inner", "parent_key": "t-north", "valid_from": "2025-01-01"}
    desk.office.put(("territories", "t-inner", {"name": "Inner"}), ("territory_edges", "te-inner", inner))
    desk.office.put(("accounts", "acme", {"territory_key": "t-inner"}))
    for person in ("root", "mia", "ana"):
        for node in nodes(rollup(desk, person, by="territory", node="territory:t-north")).values():
            four = node["views"]["commit"]
            assert (four["own_adjusted"], four["manager_adjusted"], four["code"]) == (500_000, 500_000, None)


def manage(desk: Desk, day: str = "2026-01-01") -> None:
    """Ana, who is in the north, manages what is above it as well."""
    row = {"team_key": "all-sales", "user_key": "ana", "role": "manager", "valid_from": day}
    desk.office.put(("team_members", "m-ana-2", row))


def bases(desk: Desk) -> dict[tuple[str, str], tuple[int, int | None]]:
    """(node, level) -> what a figure was based on, and by how much that is another now."""
    told = [override for node in nodes(rollup(desk)).values() for override in node["views"]["commit"]["overrides"]]
    return {(one["node"], one["level"]): (one["based_on_minor"], one["delta_minor"]) for one in told}


def test_what_is_said_of_who_manages_a_team_is_not_in_what_its_figures_stand_on_r25(desk: Desk) -> None:
    """Neither on a screen nor on his device, and not by what changes of it."""
    manage(desk)
    said(desk, "mia", "user:bob", amount=40, level="manager")
    said(desk, "mia", ANA, amount=SECRET, level="manager")
    said(desk, "dirk", "team:all-sales", amount=8)
    said(desk, "dirk", NORTH, amount=10, level="manager")
    assert bases(desk)[NORTH, "manager"] == (500_040, None)
    said(desk, "mia", NORTH, amount=9)
    assert bases(desk)[NORTH, "own"] == (500_040, None)
    assert bases(desk)[NORTH, "manager"] == (500_040, 9 - 500_040)
    assert bases(desk)["team:all-sales", "own"] == (500_040, 10 - 500_040)
    assert put(desk, "mia", ANA, SECRET + 5, level="manager", rev=1).status_code == 200
    said(desk, "ana", ANA, amount=500_001)
    assert bases(desk)[NORTH, "own"] == (500_040, 1)
    assert put(desk, "mia", "user:bob", 43, level="manager", rev=1).status_code == 200
    assert bases(desk)[NORTH, "own"] == (500_040, 4)
    phone = desk.office.phone("ana")
    phone.catch_up()
    assert len(phone.keys("forecast_overrides")) == 4
    for hidden in (SECRET, SECRET + 5, SECRET + 40, SECRET + 45):
        assert str(hidden) not in str(phone.held)


def test_all_figures_of_others_are_in_what_a_figure_stands_on_r26(desk: Desk) -> None:
    """And that one of them comes to manage the team moves none of it."""
    said(desk, "mia", ANA, amount=SECRET, level="manager")
    said(desk, "mia", NORTH, amount=9)
    assert bases(desk)[NORTH, "own"] == (SECRET, None)
    desk.office.clock.advance(86_400_000)
    desk.forget_tokens()
    manage(desk, "2026-01-06")
    assert bases(desk)[NORTH, "own"] == (SECRET, None)


def test_where_managers_figures_are_shown_a_teams_figure_stands_on_all_of_them_r25(desk: Desk) -> None:
    desk.office.put(("forecast_policies", "p", {"name": "P", "manager_figures": "shown"}))
    manage(desk)
    said(desk, "mia", ANA, amount=SECRET, level="manager")
    assert said(desk, "mia", NORTH, amount=9)["based_on_minor"] == SECRET
