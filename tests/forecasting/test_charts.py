"""What of an answer becomes a picture: every node below once, and each hole in words."""

from typing import NamedTuple

from msgspec import structs

from forecasting.charts import DIRECT, accuracy_picture, movement_picture, notes, rollup_picture
from forecasting.pictures.values import About, Called
from sfa.core.forecast import BUCKETS
from tests.forecasting.answered import PERIOD, rollup


class Bar(NamedTuple):
    name: str
    deals: int
    amounts: dict[str, int]
    total_minor: int


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


def test_a_movement_is_drawn_from_its_bars() -> None:
    bars = [Bar("opening", 1, {"commit": 5}, 5), Bar("closing", 1, {"commit": 5}, 5)]
    picture = movement_picture(
        period=PERIOD, node="North", currency="EUR", days=("2026-11-15", "2026-11-22"), numbers=(3, 10), bars=bars
    )
    assert [(step.name, step.amounts) for step in picture.steps] == [
        ("opening", {"commit": 5}),
        ("closing", {"commit": 5}),
    ]
    assert (picture.about.as_of, picture.about.source) == ("2026-11-15 to 2026-11-22", "snapshots 3 and 10")


def test_calls_of_one_lock_are_one_point_and_open_where_one_is() -> None:
    calls = [Called("2026-10-12", "Q4", 3, 4), Called("2026-10-05", "Q4", 1, 2), Called("2026-10-05", "Q4", 5)]
    picture = accuracy_picture(About("x", "y", "EUR", "z"), calls, "commit", wape_bp=1, bias_bp=None, few=True)
    assert picture.calls == [Called("2026-10-05", "Q4", 6), Called("2026-10-12", "Q4", 3, 4)]
