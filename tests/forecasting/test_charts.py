"""What of an answer becomes a picture: every node below once, and each hole in words."""

from msgspec import structs

from forecasting.charts import DIRECT, accuracy_picture, movement_picture, notes, rollup_picture
from forecasting.movement import CLASSES
from forecasting.pictures.values import About, Called
from sfa.core.forecast import BUCKETS
from tests.forecasting.answered import accuracy, movement, rollup


def test_a_roll_up_is_drawn_with_all_that_is_directly_below_it() -> None:
    picture = rollup_picture(rollup(), {"company": 5, "team:n": 6}, {"user:ben": 7})
    assert [(part.key, part.name, part.quota_minor, part.call_minor) for part in picture.parts] == [
        ("team:n", "=NORTH()", 6, None),
        ("user:ben", "ben", None, 7),
        (DIRECT, "Not below", None, None),
    ]
    for bucket in BUCKETS:
        parts = sum(part.amounts.get(bucket, 0) for part in picture.parts)
        assert parts == picture.whole.amounts.get(bucket, 0), bucket
    assert picture.whole.quota_minor == 5
    assert picture.about == About(
        "Contoso", "2026-Q4", "EUR", "2026-11-22", "live",
        ("2 deals without amount, 1 deal without owner", "some money is not yours to see"),
    )  # fmt: skip


def test_a_picture_of_a_day_that_is_over_names_its_snapshot_and_its_dimension() -> None:
    told = structs.replace(rollup(), as_of_snapshot=12, by="territory")
    about = rollup_picture(told).about
    assert (about.source, about.node) == ("snapshot 12", "Contoso by territory")


def test_a_quota_is_drawn_where_somebody_is_and_not_where_he_was() -> None:
    told = rollup()
    nodes = [structs.replace(node, here=False) for node in told.nodes]
    picture = rollup_picture(structs.replace(told, nodes=nodes), {"team:n": 6}, {"team:n": 6})
    assert {(part.quota_minor, part.call_minor) for part in picture.parts} == {(None, None)}


def test_a_hole_without_words_is_still_told() -> None:
    assert notes({"new_code": 2}, ["not_seen", "amount_missing"]) == (
        "2 times new_code",
        "some money is not yours to see",
    )
    assert notes({}, []) == ()


def test_a_movement_is_drawn_from_all_its_bars() -> None:
    picture = movement_picture(movement(), "North")
    assert [step.name for step in picture.steps] == ["opening", *CLASSES, "rates", "closing"]
    assert (picture.steps[1].deals, picture.steps[1].amounts) == (1, {"closed": 120_00, "commit": -100_00})
    assert (picture.about.as_of, picture.about.source) == ("2026-11-15 to 2026-11-22", "snapshots 3 and 10")
    assert picture.about.notes == ("1 deal without amount", "some money is not yours to see")


def test_calls_of_people_are_summed_lock_by_lock_and_those_of_teams_not_again() -> None:
    """R29: a team's call is of the money of its people."""
    told = accuracy()
    picture = accuracy_picture(told)
    assert picture.calls == [Called("2026-10-05", "2026-Q4", 7, 9), Called("2026-10-12", "2026-Q4", 4, 6)]
    assert (picture.about.node, picture.about.period) == ("All people", "2026-Q4")
    assert (picture.wape_bp, picture.few) == (2_500, True)
    assert picture.about.notes == ("1 calls without an amount",)


def test_calls_of_one_team_are_those_that_it_made() -> None:
    told = accuracy()
    team = structs.replace(told, items=[call for call in told.items if call.level == "team 1"])
    picture = accuracy_picture(team, "North")
    assert [call.call_minor for call in picture.calls] == [100]
    assert picture.about.node == "North"
