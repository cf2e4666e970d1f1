"""Figures at a screen: who sees which, why they are so, page by page, and for whom the explanation is partial."""

from collections.abc import Iterator

import pytest

from tests.builders import NOW
from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.quotas.ledger import Q1, at, quota, shares, visit, won, write

AS_OF = "as_of=2026-03-31"


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    write(office, Q1, quota("ana", target=400_00), quota("cleo", user_key="cleo"), quota("north", team_key="north"))
    write(office, quota("all", team_key="all-sales"), quota("margin", "margin", team_key="all-sales"))
    write(office, quota("met", "unique_contacts", target=4))
    write(office, won("a", "2026-01-10", splits=shares(ana=5_000, bob=5_000)), won("b", "2026-02-10", owner_key="cleo"))
    write(office, *(visit(f"v{n}", "2026-01-12", n, contact_key="carl") for n in range(3)))
    with opened(office) as found:
        yield found


def test_everybody_sees_the_quotas_of_his_scope_with_their_whole_figure(desk: Desk) -> None:
    assert desk.keys("ana", f"/api/attainment?{AS_OF}") == ["ana", "met", "north"]
    assert desk.keys("mia", f"/api/attainment?{AS_OF}") == ["ana", "met", "north"]
    assert desk.keys("dirk", f"/api/attainment?{AS_OF}") == ["all", "ana", "cleo", "margin", "met", "north"]
    found = {item["key"]: item for item in desk.get("mia", f"/api/attainment?{AS_OF}").json()["items"]}
    assert {key: item["value"] for key, item in found.items()} == {"ana": 50_00, "met": 1, "north": 100_00}
    assert found["met"]["left_out"] == {"repeated": 2}
    assert (found["ana"]["pct_bp"], found["ana"]["target"], found["ana"]["version"]) == (1_250, 400_00, 0)
    assert found["ana"]["pace"]["word"] == "behind"


def test_a_list_is_narrowed_and_paged(desk: Desk) -> None:
    path = "/api/attainment?kind=team&keys=north,all-sales&measure=revenue&period=Q1"
    assert desk.keys("dirk", path) == ["all", "north"]
    first = desk.get("dirk", f"{path}&limit=1").json()
    assert ([item["key"] for item in first["items"]], first["next"]) == (["all"], "all")
    assert desk.keys("dirk", f"{path}&limit=1&after=all") == ["north"]
    for wrong in ("keys=north", "kind=nobody", "kind=team&keys=%20", "limit=0", "as_of=yesterday"):
        assert desk.get("dirk", f"/api/attainment?{wrong}").status_code in (400, 422), wrong


@pytest.mark.parametrize(
    "asked", ["period=%00", "after=%00", "measure=%00", "measure=profit", "period=a%20b", "after="]
)
def test_what_is_no_key_and_no_measure_is_told(desk: Desk, asked: str) -> None:
    """No text reaches the database that it would refuse."""
    answer = desk.get("ana", f"/api/attainment?{asked}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_no_address_or_question_of_quotas_and_deals_reaches_the_database_unchecked(desk: Desk) -> None:
    for path in (
        *(f"/api/quotas/%00/{name}" for name in ("attainment", "contributions", "closings", "restatement", "members")),
        *("/api/quotas/met/restatement?after=%00", "/api/quotas/met/contributions?after=%00"),
        *("/api/periods/%00/closing", "/api/periods/Q1/closing?after=%00", "/api/fiscal-calendar?on=%00"),
        *("/api/deals/%00/state", "/api/deals/a/state?per=%00", "/api/accounts/%00/whitespace"),
        *("/api/accounts/acme/whitespace?by=%00", "/api/accounts/acme/whitespace?of=%00"),
        *(f"/api/deals/review?{name}=%00" for name in ("flag", "owner", "after")),
        *(f"/api/attainment?{name}=%00" for name in ("kind", "as_of", "kind=user&keys")),
    ):
        assert desk.get("ana", path).status_code < 500, path


def test_without_an_instant_a_figure_is_of_now_and_says_so(desk: Desk) -> None:
    found = desk.get("ana", "/api/attainment").json()
    assert found["as_of"] == NOW
    assert {item["key"]: item["value"] for item in found["items"]} == {"ana": 0, "met": 0, "north": 0}
    noon = at("2026-01-10")
    assert desk.get("ana", f"/api/quotas/ana/attainment?as_of={noon + 1}").json()["value"] == 50_00


def test_r12_the_same_instant_gives_the_same_bytes(desk: Desk, office: Office) -> None:
    path = f"/api/attainment?{AS_OF}"
    before = desk.get("mia", path).content
    office.clock.advance(5_000)
    assert desk.get("mia", path).content == before


def test_r45_only_who_sees_cost_is_told_a_margin(desk: Desk, office: Office) -> None:
    assert desk.get("fay", f"/api/quotas/margin/attainment?{AS_OF}").json()["code"] is None
    told = desk.get("root", f"/api/quotas/margin/attainment?{AS_OF}").json()
    assert (told["code"], told["value"], told["pct_bp"], told["pace"]) == ("not_permitted", None, None, None)
    assert desk.get("root", "/api/quotas/margin/contributions").status_code == 403
    write(office, quota("own-margin", "margin"))
    assert desk.get("ana", f"/api/quotas/own-margin/attainment?{AS_OF}").json()["code"] == "not_permitted"


def test_a_quota_of_somebody_else_is_not_found(desk: Desk) -> None:
    for path in ("/api/quotas/cleo/attainment", "/api/quotas/cleo/contributions", "/api/quotas/no-such/attainment"):
        assert desk.get("ana", path).status_code == 404


def test_r10_the_pages_of_an_explanation_sum_to_the_figure_for_everybody(desk: Desk) -> None:
    for user, quota_key in (("dirk", "all"), ("mia", "north"), ("ana", "north"), ("fay", "all"), ("ana", "met")):
        figure = desk.get(user, f"/api/quotas/{quota_key}/attainment?{AS_OF}").json()["value"]
        total, path, pages = 0, f"/api/quotas/{quota_key}/contributions?{AS_OF}&limit=1", 0
        place: str | None = ""
        while place is not None:
            page = desk.get(user, path + (f"&after={place}" if place else "")).json()
            total += sum(item["fact"]["value"] for item in page["items"]) + page["hidden"]["value"]
            place, pages = page["next"], pages + 1
            assert pages < 20
        assert total == figure, (user, quota_key)


def test_r30_who_may_not_see_every_fact_is_told_that_the_explanation_is_partial(desk: Desk, office: Office) -> None:
    write(office, ("team_members", "m-cleo", {"valid_to": "2026-01-02"}))
    write(office, ("team_members", "m-cleo2", {"team_key": "north", "user_key": "cleo", "valid_from": "2026-01-02"}))
    write(
        office,
        ("accounts", "acme", {"territory_key": "t-south"}),
        ("territory_members", "tm-cleo", {"valid_to": "2026-01-03"}),
    )
    found = desk.get("ana", f"/api/quotas/north/contributions?{AS_OF}").json()
    assert (found["partial"], found["hidden"]) == (True, {"count": 1, "value": 100_00})
    assert {item["fact"]["row_key"] for item in found["items"]} == {"a"}
    whole = desk.get("mia", f"/api/quotas/north/contributions?{AS_OF}").json()
    assert (whole["partial"], whole["hidden"]["count"]) == (False, 0)
    assert whole["items"][0]["path"] == ["north"]


def test_an_explanation_names_share_and_reason_and_what_is_left_out(desk: Desk) -> None:
    (item,) = desk.get("ana", f"/api/quotas/ana/contributions?{AS_OF}").json()["items"]
    fact = item["fact"]
    assert (fact["entity"], fact["row_key"], fact["ordinal"], fact["reversal"]) == ("deals", "a", 1, False)
    assert (fact["share_bp"], fact["value"], fact["reason"], fact["counted"]) == (5_000, 50_00, "won", True)
    met = desk.get("ana", f"/api/quotas/met/contributions?{AS_OF}").json()["items"]
    assert [(i["fact"]["reason"], i["fact"]["counted"], i["fact"]["value"]) for i in met] == [
        ("visited", True, 1),
        ("repeated", False, 0),
        ("repeated", False, 0),
    ]


def test_a_place_of_another_list_or_person_is_refused(desk: Desk) -> None:
    place = desk.get("ana", f"/api/quotas/met/contributions?{AS_OF}&limit=1").json()["next"]
    assert desk.get("ana", f"/api/quotas/met/contributions?after={place}").status_code == 200
    for user, path in (("mia", "met"), ("ana", "north")):
        assert desk.get(user, f"/api/quotas/{path}/contributions?after={place}").status_code == 400
