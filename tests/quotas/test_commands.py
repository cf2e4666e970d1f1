"""R5: a quota's life, at screens and on phones, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.crm.desk import Desk
from tests.office import Office
from tests.quotas.conftest import ANAS

pytestmark = pytest.mark.usefixtures("planned")


@pytest.mark.parametrize("measure", ["new_accounts", "total_contacts", "unique_contacts"])
def test_overlays_are_of_what_deals_credit(planned: Office, measure: str) -> None:
    """R16: nobody is beside a visit, and a new customer is of the owner of his first deal."""
    mia, said = planned.phone("mia"), {**ANAS, "measure": measure, "currency": None}
    refused = mia.do("create", "quotas", "q-over", set={**said, "overlay": True})
    assert (refused.code, refused.details) == ("invariant_failed", {"field": "overlay"})
    assert mia.do("create", "quotas", "q-plain", set=said).outcome == "applied"
    assert mia.edit("quotas", "q-plain", overlay=True).code == "invariant_failed"
    assert mia.do("create", "quotas", "q-money", set={**ANAS, "overlay": True}).outcome == "applied"
    assert mia.edit("quotas", "q-money", measure=measure, currency=None).code == "invariant_failed"


def approve(office: Office, user: str = "mia", key: str = "q-ana", **said: Any) -> Any:
    return office.phone(user).do("quota.approve", "quotas", key, base=office.rev("quotas", key), set=said)


def test_approving_appends_a_version_that_counts_from_the_local_day(planned: Office) -> None:
    """R5, R32: 23:30 UTC is the next day in Madrid."""
    planned.clock.advance(15 * 3600 * 1000 + 1_800_000)
    assert approve(planned, reason="as agreed").outcome == "applied"
    assert planned.row("quotas", "q-ana")["status"] == "approved"
    (version,) = planned.rows("quota_versions")
    assert {f: version[f] for f in ("quota_key", "number", "target", "currency", "valid_from", "approved_by")} == {
        "quota_key": "q-ana",
        "number": 1,
        "target": 100_000,
        "currency": "EUR",
        "valid_from": "2026-01-06",
        "approved_by": "mia",
    }
    assert version["reason"] == "as agreed"
    assert version["buckets"] == planned.row("quotas", "q-ana")["buckets"] == ["book:ana"]


def test_an_approved_quota_is_read_only_by_sync_and_rest_until_it_is_reset(planned: Office, desk: Desk) -> None:
    """R5: nor is it deleted."""
    assert approve(planned).outcome == "applied"
    assert planned.phone("mia").edit("quotas", "q-ana", target=1).code == "quota_approved"
    assert planned.phone("mia").do("delete", "quotas", "q-ana", base=9).code == "quota_approved"
    for user in ("mia", "fay", "root"):
        answer = desk.ask(user, "PATCH", "/api/quotas/q-ana", json={"row": {"target": 5, "counts_no_show": True}})
        assert (answer.status_code, answer.json()["code"]) == (422, "quota_approved")
        assert answer.json()["fields"] == ["counts_no_show", "target"]
        assert desk.ask(user, "DELETE", "/api/quotas/q-ana").json()["code"] == "quota_approved"
    assert planned.phone("mia").edit("quotas", "q-ana", target=100_000).outcome == "applied", "it says that already"
    assert planned.phone("mia").do("quota.reset", "quotas", "q-ana", base=2).outcome == "applied"
    assert planned.phone("mia").edit("quotas", "q-ana", target=120_000).outcome == "applied"
    assert approve(planned).outcome == "applied"
    assert [(v["number"], v["target"]) for v in planned.rows("quota_versions")] == [(1, 100_000), (2, 120_000)]
    assert planned.row("quotas", "q-ana")["approvals"] == 2


def test_an_edit_that_was_made_offline_before_the_approval_is_refused_whole(planned: Office) -> None:
    """R5, S1: kept as a refusal, not as a conflict that could be restored over the lock."""
    assert approve(planned, "dirk").outcome == "applied"
    receipt = planned.phone("mia").do("update", "quotas", "q-ana", base=1, set={"target": 90_000})
    assert (receipt.outcome, receipt.code) == ("refused", "quota_approved")
    assert planned.rows("conflicts") == []
    assert len(planned.rows("refusals")) == 1


def test_approving_twice_is_once_and_a_second_manager_is_told(planned: Office, desk: Desk) -> None:
    """R5: on two devices, too."""
    assert approve(planned).outcome == "applied"
    assert planned.phone("mia", "d-tablet").do("quota.approve", "quotas", "q-ana", base=1).outcome == "applied"
    assert desk.post("mia", "/api/quotas/q-ana/approve").status_code == 200
    told = desk.post("dirk", "/api/quotas/q-ana/approve")
    assert (told.status_code, told.json()["code"]) == (422, "quota_approved")
    assert (told.json()["approved_by"], told.json()["version"]) == ("mia", 1)
    assert approve(planned, "dirk").code == "quota_approved"
    assert len(planned.rows("quota_versions")) == 1


def test_of_two_who_decide_at_once_one_is_told_at_a_screen(planned: Office, desk: Desk) -> None:
    rev = planned.rev("quotas", "q-ana")
    assert desk.post("mia", "/api/quotas/q-ana/approve", rev).status_code == 200
    assert desk.post("dirk", "/api/quotas/q-ana/approve", rev).json()["code"] == "rev_stale"


def test_of_two_servers_that_approve_at_once_one_wins_and_the_other_is_told(planned: Office) -> None:
    """R5: one version."""
    people = ("mia", "dirk", "fay", "root")
    with ThreadPoolExecutor(4) as pool:
        codes = sorted(str(code) for code in pool.map(lambda user: approve(planned, user).code, people))
    assert codes == ["None", *["quota_approved"] * 3]
    assert [v["number"] for v in planned.rows("quota_versions")] == [1]


def test_a_target_that_changed_meanwhile_is_not_approved_unseen(planned: Office) -> None:
    assert planned.phone("dirk").edit("quotas", "q-ana", target=500_000).outcome == "applied"
    assert approve(planned, target=100_000).code == "rev_stale"
    assert approve(planned, target=500_000).outcome == "applied"


def test_a_version_does_not_count_before_the_one_in_force(planned: Office) -> None:
    """R5."""
    assert approve(planned, valid_from="2026-01-04").outcome == "applied"
    assert planned.phone("mia").do("quota.reset", "quotas", "q-ana", base=2).outcome == "applied"
    assert approve(planned, valid_from="2026-01-03").code == "field_invalid"
    assert approve(planned, valid_from="2026-02-30").code == "field_invalid"
    assert approve(planned).outcome == "applied"
    assert [v["valid_from"] for v in planned.rows("quota_versions")] == ["2026-01-04", "2026-01-05"]


@pytest.mark.parametrize(
    ("user", "key", "may"),
    [
        ("ana", "q-ana", False),  # a rep
        ("mia", "q-ana", True),
        ("mia", "q-north", False),  # her own team: the level above
        ("dirk", "q-north", True),
        ("fay", "q-north", True),
        ("root", "q-north", True),
        ("mia", "q-mia", False),  # herself
        ("dirk", "q-mia", True),
        ("dirk", "q-all", False),  # the team that he manages
        ("fay", "q-all", True),
        ("fay", "q-fay", False),  # herself, though nobody is above her
        ("root", "q-fay", True),
        ("mia", "q-t", True),  # a territory of her people
        ("dirk", "q-cleo", True),
    ],
)
def test_nobody_approves_what_he_is_measured_by(planned: Office, user: str, key: str, may: bool) -> None:
    """R5: not the own quota, nor that of the own team."""
    owners: dict[str, dict[str, Any]] = {
        "q-mia": {"user_key": "mia"},
        "q-fay": {"user_key": "fay"},
        "q-all": {"user_key": None, "team_key": "all-sales"},
        "q-t": {"user_key": None, "territory_key": "t-north"},
        "q-cleo": {"user_key": "cleo"},
    }
    if key in owners:
        planned.put(("quotas", key, {**ANAS, **owners[key]}))
    for command in ("approve", "reset"):
        receipt = planned.phone(user).do(f"quota.{command}", "quotas", key, base=1)
        assert receipt.code == (None if may else "not_permitted"), receipt
    assert len(planned.rows("quota_versions")) == may


def test_a_quota_out_of_sight_is_not_there(planned: Office, desk: Desk) -> None:
    """Promise 4."""
    planned.put(("quotas", "q-cleo", {**ANAS, "user_key": "cleo"}))
    assert approve(planned, "mia", "q-cleo").code == "row_unknown"
    assert desk.post("mia", "/api/quotas/q-cleo/approve").status_code == 404


def test_a_member_who_manages_elsewhere_does_not_set_the_teams_target(planned: Office) -> None:
    """Mia is a member of all sales here, and sees its quota; she manages the north only."""
    planned.put(
        ("team_members", "m-mia-2", {"team_key": "all-sales", "user_key": "mia", "valid_from": "2025-01-01"}),
        ("quotas", "q-all", {**ANAS, "user_key": None, "team_key": "all-sales"}),
    )
    assert planned.phone("mia").edit("quotas", "q-all", target=1).code == "not_permitted"
    assert planned.phone("mia").do("delete", "quotas", "q-all", base=1).code == "not_permitted"
    assert planned.phone("mia").edit("quotas", "q-north", target=1).outcome == "applied"


def test_nobody_gives_himself_the_quota_of_another(planned: Office) -> None:
    assert planned.phone("mia").edit("quotas", "q-ana", user_key="mia").code == "not_permitted"


def test_a_rep_challenges_and_the_manager_decides_and_both_are_kept(planned: Office, desk: Desk) -> None:
    """R5."""
    assert approve(planned).outcome == "applied"
    phone = planned.phone("ana")
    said = {"text": "Half of my customers went to Cleo", "proposed": 60_000}
    assert phone.do("quota.challenge", "quotas", "q-ana", base=2, set=said).outcome == "applied"
    assert planned.phone("ana", "d-tablet").do("quota.challenge", "quotas", "q-ana", set=said).outcome == "applied"
    other = {"text": "And I was ill"}
    assert phone.do("quota.challenge", "quotas", "q-ana", base=2, set=other).code == "challenge_open"
    (made,) = planned.rows("quota_challenges")
    assert (made["author_key"], made["status"], made["buckets"]) == ("ana", "open", ["book:ana"])
    assert ("quota_challenges", made["key"]) in planned.visible("mia")
    decision = {"challenge_key": made["key"], "accept": True, "answer": "Right", "target": 70_000}
    assert phone.do("quota.decide", "quotas", "q-ana", base=2, set=decision).code == "not_permitted"
    assert desk.post("mia", "/api/quotas/q-ana/decide", json=decision).status_code == 200
    assert desk.post("mia", "/api/quotas/q-ana/decide", json=decision).status_code == 200
    told = desk.post("dirk", "/api/quotas/q-ana/decide", json={**decision, "accept": False, "target": None})
    assert (told.status_code, told.json()["code"]) == (409, "challenge_decided")
    (kept,) = planned.rows("quota_challenges")
    assert (kept["text"], kept["proposed"], kept["status"], kept["answer"], kept["decided_by"]) == (
        *(said["text"], said["proposed"]),
        *("accepted", "Right", "mia"),
    )
    quota = planned.row("quotas", "q-ana")
    assert (quota["status"], quota["target"]) == ("draft", 70_000)
    assert [v["target"] for v in planned.rows("quota_versions")] == [100_000], "the version that stands"
    assert approve(planned).outcome == "applied"
    assert [v["target"] for v in planned.rows("quota_versions")] == [100_000, 70_000]


def test_only_whom_it_measures_challenges(planned: Office) -> None:
    """R5: the rep his own, the manager that of the team."""
    said = {"text": "too much"}
    for user, key, code in (
        ("bob", "q-ana", "row_unknown"),
        ("mia", "q-ana", "not_permitted"),
        ("ana", "q-north", "not_permitted"),
        ("mia", "q-north", None),
        ("dirk", "q-north", "not_permitted"),
    ):
        assert planned.phone(user).do("quota.challenge", "quotas", key, base=1, set=said).code == code, (user, key)
    challenge = planned.rows("quota_challenges")[0]["key"]
    decision = {"challenge_key": challenge, "accept": False, "answer": "no"}
    assert planned.phone("mia").do("quota.decide", "quotas", "q-north", base=1, set=decision).code == "not_permitted"
    assert planned.phone("dirk").do("quota.decide", "quotas", "q-ana", base=1, set=decision).code == "row_unknown"
    assert planned.phone("dirk").do("quota.decide", "quotas", "q-north", base=1, set=decision).outcome == "applied"
    assert planned.row("quotas", "q-north")["target"] == 250_000


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("quota.approve", {"valid_from": 5}),
        ("quota.approve", {"when": "now"}),
        ("quota.reset", {"why": "so"}),
        ("quota.challenge", {"text": "  "}),
        ("quota.challenge", {}),
        ("quota.decide", {"challenge_key": "x", "accept": "yes", "answer": "a"}),
        ("quota.spread", {"method": "by feeling"}),
    ],
)
def test_arguments_of_another_form_are_refused(planned: Office, command: str, said: dict[str, Any]) -> None:
    assert planned.phone("mia").do(command, "quotas", "q-ana", base=1, set=said).code == "command_invalid"


def test_versions_and_challenges_lie_where_their_quota_lies(planned: Office) -> None:
    """S8: what may still become another's takes its challenges along."""
    said = {"text": "too much"}
    assert planned.phone("ana").do("quota.challenge", "quotas", "q-ana", base=1, set=said).outcome == "applied"
    place = ("quota_challenges", planned.rows("quota_challenges")[0]["key"])
    assert place in planned.visible("ana")
    assert planned.phone("mia").edit("quotas", "q-ana", user_key="bob").outcome == "applied"
    assert planned.rows("quota_challenges")[0]["buckets"] == ["book:bob"]
    assert place not in planned.visible("ana")
    assert approve(planned).outcome == "applied"
    assert planned.rows("quota_versions")[0]["buckets"] == ["book:bob"]


def test_nobody_writes_versions_or_challenges_by_hand(planned: Office) -> None:
    row = {"quota_key": "q-ana", "author_key": "ana", "text": "mine"}
    assert planned.phone("root").do("create", "quota_challenges", "c", set=row).code == "not_permitted"
    assert planned.phone("mia").edit("quotas", "q-ana", status="approved").code == "field_read_only"
