"""What is told of a deal's past is what was known then."""

from hypothesis import given
from hypothesis import strategies as st

from forecasting.outlook.past import AMOUNT, DECODER, EXPECTED, STAGE, Days, Row, Written, columns, ordinal

STAGES = ("lead", "offer")
ROW = Row("d", "ana", None, 100, 130, True, 900)


def written(**changes: object) -> Written:
    import msgspec

    return DECODER.decode(msgspec.json.encode({name: [None, value] for name, value in changes.items()}))


def same(amount: int | None, currency: str | None) -> int | None:
    return amount if currency == "EUR" else None


def told(row: Row, *history: tuple[int, Written]) -> list[tuple[int, int, int | None]]:
    found = columns([row], {row.key: history}, STAGES, same, 200)
    return list(zip(found.change_day, found.change_kind, found.change_value, strict=True))


def test_what_a_deal_was_created_with_counts_from_its_first_day() -> None:
    made = written(stage_key="lead", amount_minor=500, currency="EUR", close_on="2026-03-01", owner_key="bob")
    assert told(ROW, (102, made)) == [(100, STAGE, 0), (100, AMOUNT, 500), (100, EXPECTED, ordinal("2026-03-01"))]
    assert columns([ROW], {"d": [(102, made)]}, STAGES, same, 200).features["owner"] == ["bob"]


def test_stages_amounts_and_days_come_when_they_were_said() -> None:
    made = written(stage_key="lead", amount_minor=500, currency="EUR")
    won = written(stage_key="won")  # an end is no stage of those that are open
    history = ((100, made), (110, written(stage_key="offer")), (120, written(amount_minor=700)), (130, won))
    assert told(ROW, *history)[2:] == [(110, STAGE, 1), (120, AMOUNT, 700)]


def test_an_import_of_a_closed_deal_tells_its_amount_and_nothing_else_that_was_known_later() -> None:
    made = written(stage_key="won", amount_minor=900, currency="EUR", close_on="2026-03-01")
    assert told(ROW, (190, made)) == [(100, AMOUNT, 900)]
    assert told(ROW) == [(100, AMOUNT, 900)]


def test_what_was_corrected_after_the_end_was_not_known_before() -> None:
    made = written(stage_key="lead", amount_minor=500, currency="EUR")
    assert told(ROW, (100, made), (140, written(amount_minor=1))) == told(ROW, (100, made))


def test_money_without_a_rate_is_no_amount() -> None:
    assert told(ROW, (100, written(amount_minor=500, currency="XYZ"))) == [(100, AMOUNT, None)]


@given(st.lists(st.tuples(st.integers(90, 210), st.sampled_from(STAGES)), max_size=6), st.sampled_from([0, 130, 150]))
def test_changes_are_in_order_and_within_the_life_of_the_deal(said: list[tuple[int, str]], ended: int) -> None:
    row = Row("d", "ana", None, 100, ended, False, None)
    days = [day for day, _, _ in told(row, *((day, written(stage_key=stage)) for day, stage in said))]
    assert days == sorted(days)
    assert all(100 <= day <= (ended or 200) for day in days)


def test_instants_are_days_of_the_zone_and_what_is_beyond_is_the_first_or_the_last() -> None:
    days = Days("Europe/Berlin", "2026-03-28", "2026-03-31")
    midnight = 1_774_738_800_000  # 2026-03-29 in Berlin, an hour that day is short of
    assert [days.of(midnight - 1), days.of(midnight), days.of(midnight + 23 * 3_600_000)] == [
        ordinal("2026-03-28"),
        ordinal("2026-03-29"),
        ordinal("2026-03-30"),
    ]
    assert days.of(0) == ordinal("2026-03-28")
    assert days.of(1 << 50) == ordinal("2026-03-31")
