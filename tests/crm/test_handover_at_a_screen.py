"""Hand-overs at a screen: listed, explained, accepted and declined as on a phone (S37)."""

from tests.crm.desk import Desk
from tests.office import Office


def handed(office: Office, territory: str | None = "t-south") -> str:
    """Ana's new telephone number of Acme, which went to another territory; -> the suggestion."""
    ana, base = office.phone("ana"), office.rev("accounts", "acme")
    office.put(("accounts", "acme", {"territory_key": territory}))
    return str(ana.edit("accounts", "acme", base=base, phone="555").suggestion)


def test_who_has_the_row_lists_explains_and_accepts_it_once(office: Office, desk: Desk) -> None:
    key = handed(office)
    assert [desk.keys(user, "/api/suggestions?kind=handover") for user in ("cleo", "ana", "bob")] == [[key], [], []]
    told = desk.get("cleo", f"/api/suggestions/{key}").json()
    assert (told["code"], [row["key"] for row in told["about"]]) == ("handover", ["acme"])
    assert {a["action"] for a in told["actions"] if a["allowed"]} == {"accept", "decline"}
    assert desk.post("cleo", f"/api/suggestions/{key}/accept", rev=1).json()["row"]["status"] == "accepted"
    assert desk.post("cleo", f"/api/suggestions/{key}/accept", rev=1).status_code == 200
    assert office.row("accounts", "acme")["phone"] == "555"
    assert [h["reviewed_by"] for h in office.history("accounts", "acme")][-2:] == [None, "cleo"]
    late = office.phone("cleo").do("suggestion.decline", "suggestions", key, base=1)
    assert (late.outcome, late.code) == ("refused", "conflict_closed")


def test_its_author_lists_what_became_of_it(office: Office, desk: Desk) -> None:
    key = handed(office)
    assert desk.keys("ana", "/api/handovers") == [key]
    assert desk.keys("cleo", "/api/handovers") == []
    answer = desk.post("cleo", f"/api/suggestions/{key}/decline", json={"reason": "wrong number"})
    assert answer.status_code == 200
    (item,) = desk.get("ana", "/api/handovers?status=declined").json()["items"]
    assert (item["row"]["reason"], item["row"]["decided_by"]) == ("wrong number", "cleo")
    explained = desk.get("ana", "/sync/explain?device=d-ana&n=1").json()
    assert (explained["code"], explained["handover"], explained["revisions"]) == ("handed_over", "declined", [])


def test_what_one_may_not_decide_is_told_so(office: Office, desk: Desk) -> None:
    key = handed(office)
    told = desk.get("fay", f"/api/suggestions/{key}").json()
    assert {(a["allowed"], a["code"]) for a in told["actions"]} == {(False, "not_permitted")}
    assert desk.post("fay", f"/api/suggestions/{key}/accept").json()["code"] == "not_permitted"


def test_the_manager_of_its_author_may_decide_about_what_is_nobodys(office: Office, desk: Desk) -> None:
    key = handed(office, territory=None)
    told = desk.get("mia", f"/api/suggestions/{key}").json()
    assert {a["action"] for a in told["actions"] if a["allowed"]} == {"accept", "decline"}
    assert told["about"] == []
    assert desk.post("mia", f"/api/suggestions/{key}/accept").status_code == 200


def test_a_body_that_is_no_reason_is_refused(office: Office, desk: Desk) -> None:
    key = handed(office)
    bodies = (b"{", b'{"reason": 1}', b'{"why": "x"}')
    codes = [desk.post("cleo", f"/api/suggestions/{key}/decline", content=body).json()["code"] for body in bodies]
    assert codes == ["json_invalid", "request_invalid", "request_invalid"]
    assert desk.post("cleo", f"/api/suggestions/{key}/decline").status_code == 200
