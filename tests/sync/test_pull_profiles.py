"""Device profiles on the wire: each role's devices carry what the company says, exactly, through every change (S10)."""

from typing import Any

import pytest

from sfa.app.jobs import age_rows
from sfa.core.access import ROLES
from sfa.core.profiles import DAY_MS, DAYS_OF, PROFILE_DAYS_MIN
from sfa.core.shapes import SHAPES
from sync import explain
from sync.explain import RowExplained
from tests.builders import NOW, USERS
from tests.office import Office, Phone

AGES = (1, 29, 40, 100, 300, 600)


def visit(days: int, account_key: str = "acme") -> tuple[str, str, dict[str, Any]]:
    return "visits", f"v{days}", {"account_key": account_key, "owner_key": "ana", "planned_at": NOW - days * DAY_MS}


def profile(role: str, **days: int | None) -> tuple[str, str, dict[str, Any]]:
    return "device_profiles", role, {"role": role, **{f"{name}_days": count for name, count in days.items()}}


def note(days: int) -> tuple[str, str, dict[str, Any]]:
    return (
        "notes",
        f"n{days}",
        {"account_key": "acme", "author_key": "ana", "written_at": NOW - days * DAY_MS, "body": ""},
    )


def age(office: Office) -> str:
    return office.database.write(age_rows, office.clock.now_ms())


def exact(office: Office, *phones: Phone) -> None:
    """Each holds what it may see but for what its role's profile does not carry, and agrees with the server's sums."""
    history = office.row("organisations", "org")["history_days"]
    said = {row["role"]: row for row in reversed(office.rows("device_profiles"))}
    for phone in phones:
        last = phone.catch_up(page_rows=7, digest=True)[-1]
        mine = said.get(USERS[phone.user], {})
        should = {
            place: row
            for place, row in office.visible(phone.user).items()
            if place[0] not in ("visits", "notes")
            or row["planned_at" if place[0] == "visits" else "written_at"]
            > office.clock.now_ms() - (mine.get(DAYS_OF[place[0]]) or history) * DAY_MS
        }
        assert phone.sees() == should, phone.user
        counts: dict[str, int] = {}
        for bucket, _, _ in phone.held:
            counts[bucket] = counts.get(bucket, 0) + 1
        assert {bucket: digest.count for bucket, digest in (last.digests or {}).items()} == counts


def told(office: Office, user: str, key: str) -> RowExplained:
    return office.database.read(explain.row, user, "visits", key)


@pytest.fixture
def team(office: Office) -> tuple[Phone, ...]:
    """A rep, a manager, a director, finance and an administrator with visits and notes of every age."""
    office.put(*(visit(days) for days in AGES), *(note(days) for days in AGES))
    return tuple(office.phone(user) for user in ("ana", "mia", "dirk", "fay", "root"))


def test_a_manager_carries_less_than_a_rep_and_each_kind_of_row_by_itself(
    office: Office, team: tuple[Phone, ...]
) -> None:
    exact(office, *team)
    office.put(profile("manager", visit=30, note=200))
    age(office)
    exact(office, *team)
    ana, mia, *_ = team
    assert {f"v{days}" for days in AGES} - {"v600"} == ana.keys("visits")
    assert mia.keys("visits") == {"v1", "v29"}
    assert mia.keys("notes") == {"n1", "n29", "n40", "n100"}


def test_profiles_that_change_grow_shrink_and_go_are_followed_by_every_device(
    office: Office, team: tuple[Phone, ...]
) -> None:
    """S3, S13: also by a device that comes in between, before the job has moved a row."""
    for change in (
        profile("manager", visit=60),
        profile("rep", visit=30, note=90),
        profile("manager", visit=400, note=30),
        profile("rep", visit=36_500, note=None),
        profile("director", visit=36_500),
        ("organisations", "org", {"history_days": 90}),
        profile("manager", visit=90, note=None),
    ):
        office.put(change)
        for phone in team:
            phone.catch_up(page_rows=5)
        age(office)
        exact(office, *team)
    for role in ("rep", "manager", "director"):
        office.delete("device_profiles", role)
    age(office)
    exact(office, *team)
    assert {row["layers"] for row in office.rows("visits")} == {None}
    assert age(office) == "0 rows"


def test_rows_grow_out_of_one_profile_after_the_other_as_days_pass(office: Office, team: tuple[Phone, ...]) -> None:
    office.put(profile("manager", visit=30), profile("director", visit=60))
    for days in (0, 12, 31, 100, 400):
        office.clock.advance(days * DAY_MS)
        while age(office) != "0 rows":
            pass
        exact(office, *team)


def test_somebody_who_changes_roles_gets_the_other_profile(office: Office, team: tuple[Phone, ...]) -> None:
    office.put(profile("manager", visit=30))
    age(office)
    mia = team[1]
    exact(office, mia)
    office.put(("users", "mia", {"role": "director"}))
    mia.catch_up()
    assert mia.keys("visits") == team[0].keys("visits") | {f"v{days}" for days in AGES} - {"v600"}
    office.put(("users", "mia", {"role": "manager"}))
    exact(office, mia)


def test_an_old_row_that_moves_is_written_and_deleted_stays_in_its_layer(
    office: Office, team: tuple[Phone, ...]
) -> None:
    """S8: between territories, with its account; and an edit that makes it young again."""
    office.put(profile("manager", visit=30))
    age(office)
    cleo = office.phone("cleo")
    exact(office, *team, cleo)
    for rows in (
        [("accounts", "acme", {"territory_key": "t-south"})],
        [("visits", "v100", {"purpose": "Old, and changed"})],
        [("accounts", "acme", {"territory_key": "t-north"}), ("visits", "v300", {"planned_at": NOW})],
        [("visits", "v1", {"planned_at": NOW - 50 * DAY_MS})],
        [("account_members", "am", {"account_key": "acme", "user_key": "cleo"})],
    ):
        office.put(*rows)
        exact(office, *team, cleo)
    office.delete("visits", "v100")
    exact(office, *team, cleo)
    office.put(("visits", "v100", {"purpose": "Back"}))
    exact(office, *team, cleo)


def test_the_lines_of_a_closed_deal_go_where_it_goes(office: Office) -> None:
    office.put(("deal_lines", "l", {"deal_key": "deal-a", "product_key": "pump"}), profile("manager", deal=30))
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.win", "deals", "deal-a", base=1)
    office.clock.advance(31 * DAY_MS)
    age(office)
    for phone in (ana, mia):
        phone.catch_up()
    assert ("deals" in {e for e, _ in ana.sees()}, "deal_lines" in {e for e, _ in ana.sees()}) == (True, True)
    assert ("deals" in {e for e, _ in mia.sees()}, "deal_lines" in {e for e, _ in mia.sees()}) == (False, False)
    office.put(("deal_lines", "l2", {"deal_key": "deal-a", "product_key": "pump"}))
    mia.catch_up()
    assert mia.keys("deal_lines") == set()
    assert mia.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "lead"}).outcome == "applied"
    mia.catch_up()
    assert (mia.keys("deals"), mia.keys("deal_lines")) == ({"deal-a"}, {"l", "l2"})


def test_a_profile_takes_no_right_away(office: Office, team: tuple[Phone, ...]) -> None:
    """What does not travel is the person's to change all the same."""
    office.put(profile("manager", visit=30))
    age(office)
    mia = team[1]
    mia.catch_up()
    assert mia.edit("visits", "v100", purpose="Found online").outcome == "applied"
    mia.catch_up()
    assert "v100" not in mia.keys("visits")


def test_explain_says_that_the_profile_does_not_carry_it(office: Office, team: tuple[Phone, ...]) -> None:
    office.put(profile("manager", visit=30))
    age(office)
    assert (told(office, "ana", "v100").code, told(office, "mia", "v100").code) == ("held", "profile")
    assert (told(office, "ana", "v600").code, told(office, "mia", "v600").code) == ("aged", "aged")
    assert told(office, "mia", "v29").code == "held"
    assert told(office, "cleo", "v100").code == "unknown"
    office.put(("users", "late", {"name": "Late", "email": "late@example.com", "role": "manager"}))
    office.put(
        (
            "team_members",
            "m-late",
            {"team_key": "north", "user_key": "late", "role": "manager", "valid_from": "2025-01-01"},
        )
    )
    assert told(office, "late", "v100").code == "profile"
    office.delete("visits", "v100")
    assert (told(office, "ana", "v100").code, told(office, "mia", "v100").code) == ("deleted", "deleted")


def test_only_directors_and_administrators_say_what_travels(office: Office) -> None:
    values = {"role": "rep", "visit_days": 60}
    for user in ("ana", "mia", "fay"):
        assert office.phone(user).do("create", "device_profiles", f"p-{user}", set=values).code == "not_permitted"
    assert office.phone("dirk").do("create", "device_profiles", "rep", set=values).outcome == "applied"
    wrong = office.phone("dirk").do("update", "device_profiles", "rep", base=1, set={"visit_days": 29})
    assert wrong.code == "field_invalid"


def test_the_roles_and_limits_of_a_profile_are_those_of_the_core() -> None:
    assert set(DAYS_OF.values()) < set(SHAPES["device_profiles"].types)
    assert set(ROLES) == set(USERS.values())
    assert PROFILE_DAYS_MIN == 30


@pytest.mark.parametrize(
    "change",
    [
        profile("manager", visit=600),
        profile("manager", visit=30),
        profile("rep", visit=600),
        profile("rep", visit=None),
        profile("finance", visit=450),
    ],
)
def test_a_change_of_one_profile_takes_nothing_off_the_devices_of_others(
    office: Office, team: tuple[Phone, ...], change: tuple[str, str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13: not even until the job has moved every row."""
    monkeypatch.setattr("sfa.app.jobs.AGED_ROWS_MAX", 1)
    office.put(profile("rep", visit=60))
    while age(office) != "0 rows":
        pass
    dirk = team[2]
    dirk.catch_up()
    held = dirk.keys("visits") | dirk.keys("notes")
    assert "v300" in held
    office.put(change)
    while True:
        dirk.catch_up()
        assert dirk.keys("visits") | dirk.keys("notes") == held
        if age(office) == "0 rows":
            break
    exact(office, *team)
