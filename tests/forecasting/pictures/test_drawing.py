"""What pictures are: specifications with their data and words in them, and pixels of them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from forecasting.pictures import style
from forecasting.pictures.bars import COLUMNS
from forecasting.pictures.drawing import FONTS, Order, draw
from forecasting.pictures.shown import BUCKET_WORDS, MINUS, STEP_WORDS, THIN, exact, scale_of
from forecasting.pictures.values import (
    About,
    AccuracyPicture,
    Called,
    MovementPicture,
    Picture,
    RollupPicture,
    Stack,
    Step,
)
from tests.forecasting.pictures.drawn import (
    ABOUT,
    ACCURACY,
    ALL,
    MOVEMENT,
    ROLLUP,
    STEPS,
    WHOLE,
    colours_of,
    png_of,
    rgb,
    rows_of,
    spec_of,
)

NAMES = [type(picture).__name__ for picture in ALL]


@pytest.mark.parametrize("picture", ALL, ids=NAMES)
def test_a_picture_says_of_what_and_when_it_is_and_in_which_currency(picture: Picture) -> None:
    spec = spec_of(picture)
    title = spec["title"]
    told = " ".join([title["text"], *title["subtitle"]])
    for word in ("Contoso", "2026-Q4", "EUR", "as of 2026-11-22", "live", "Partial: 3 deals without amount"):
        assert word in told, word


@pytest.mark.parametrize("picture", ALL, ids=NAMES)
def test_a_specification_is_complete_and_fetches_nothing(picture: Picture) -> None:
    text = draw(Order("vl", picture)).decode()
    assert json.loads(text)["$schema"].startswith("https://vega.github.io/schema/vega-lite/v6")
    assert '"url"' not in text
    assert text.count("://") == 1  # the name of the schema


@pytest.mark.parametrize("picture", ALL, ids=NAMES)
def test_equal_pictures_are_equal_bytes(picture: Picture) -> None:
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(picture), type=Picture)
    first = draw(Order("svg", picture))
    assert draw(Order("vl", ACCURACY)) != first  # what is drawn between them leaves no trace
    assert draw(Order("svg", again)) == first


def test_equal_pictures_are_equal_pixels() -> None:
    assert draw(Order("png", ACCURACY)) == draw(Order("png", ACCURACY))


def test_the_font_has_every_sign_that_pictures_say_by_themselves() -> None:
    words = {*f"{THIN}{MINUS}·…%+0123456789.,;:()", *"".join([*BUCKET_WORDS.values(), *STEP_WORDS.values()])}
    for weight in ("Regular", "Bold"):
        font = ImageFont.truetype(str(FONTS / f"NotoSans-{weight}.ttf"), 40)
        lacking = _drawn_with(font, "\uffff")
        assert _drawn_with(font, "\u2212") == lacking  # the minus sign that the font has not
        assert not [sign for sign in words if _drawn_with(font, sign) == lacking]


def _drawn_with(font: ImageFont.FreeTypeFont, sign: str) -> bytes:
    return bytes(font.getmask(sign)) or sign.encode()  # spaces are blank, and none is like another


def test_a_roll_up_draws_every_bucket_of_every_node_once_and_nothing_that_is_omitted() -> None:
    rows = [row for row in rows_of(spec_of(ROLLUP)) if "bucket" in row]
    told = {(row["node"], row["bucket"]): row["amount"] for row in rows}
    assert len(told) == len(rows)
    wanted = {
        (stack.name, BUCKET_WORDS[bucket]): exact(amount, "EUR")
        for stack in (WHOLE, *ROLLUP.parts)
        for bucket, amount in stack.amounts.items()
        if amount and bucket != "omitted"
    }
    assert told == wanted
    marks = {(row["node"], row["mark"], row["amount"]) for row in rows_of(spec_of(ROLLUP)) if "mark" in row}
    assert ("North", "Quota", exact(120_000_000, "EUR")) in marks
    assert ("South", "Call (commit)", exact(30_000_000, "EUR")) in marks
    assert len(marks) == 5


def test_the_alternative_text_tells_the_figures() -> None:
    told = spec_of(ROLLUP)["description"]
    for amount in (61_000_050, 200_000_000, 120_000_000):
        assert exact(amount, "EUR") in told
    assert "Partial: 3 deals without amount" in told
    assert f"won {exact(20_00, 'EUR')} (1 deal)" in spec_of(MOVEMENT)["description"]
    assert "WAPE 13.3 %" in spec_of(ACCURACY)["description"]
    assert "bias 0.0 %" in spec_of(ACCURACY)["description"]


def test_the_pixels_of_a_roll_up_are_in_proportion_to_its_money() -> None:
    """R24: the bar of the whole is as long, per bucket, as that is of all."""
    alone = RollupPicture(ABOUT, Stack("company", "Contoso", WHOLE.amounts), [])
    counted = colours_of(png_of(alone, 2))
    sizes = {bucket: counted[rgb(colour)] for bucket, colour in style.COLOURS.items()}
    # The square in the legend is of one size for all: two buckets tell how much a minor unit is, the others follow.
    a, b = "closed", "slipped"
    unit = (sizes[a] - sizes[b]) / (WHOLE.amounts[a] - WHOLE.amounts[b])
    for bucket, size in sizes.items():
        expected = sizes[b] + unit * (WHOLE.amounts[bucket] - WHOLE.amounts[b])
        assert size == pytest.approx(expected, rel=0.04), bucket
    assert counted[rgb(style.PAPER)] > sum(counted.values()) / 2


def test_a_gain_and_a_loss_are_drawn_where_they_are() -> None:
    up = MovementPicture(ABOUT, [STEPS[0], STEPS[1], STEPS[-1]])
    down = MovementPicture(ABOUT, [STEPS[0], STEPS[2], STEPS[-1]])
    gain, loss = rgb(style.GAIN), rgb(style.LOSS)
    both = [colours_of(png_of(picture)) for picture in (up, down)]
    assert both[0][gain] > both[1][gain] + 500  # the squares in the legends are there anyway
    assert both[1][loss] > both[0][loss] + 500


def test_a_bridge_of_one_view_counts_what_is_in_it_alone() -> None:
    told = spec_of(msgspec.structs.replace(MOVEMENT, view="commit"))
    texts = {row["step"].partition("\n")[0]: row["text"] for row in rows_of(told) if "text" in row}
    assert texts == {"Opening": "400.00", "Won": "+20.00", "Lost": "0.00", "Category": "-200.00", "Closing": "220.00"}


def test_what_no_deal_did_is_not_drawn() -> None:
    steps = {row["step"].partition("\n")[0] for row in rows_of(spec_of(MOVEMENT)) if "step" in row}
    assert steps == {"Opening", "Won", "Lost", "Category", "Closing"}


def test_a_call_of_a_running_period_is_drawn_without_a_bar() -> None:
    rows = rows_of(spec_of(ACCURACY))
    bars = {row["lock"] for row in rows if row.get("what") == "Closed"}
    calls = {row["lock"] for row in rows if row.get("what") == "Call"}
    assert calls - bars == {"2026-10-19\n2026-Q4"}
    assert {row["miss"] for row in rows if "miss" in row} == {"-10.0 %", "+20.0 %"}


@pytest.mark.parametrize(
    "picture",
    [
        RollupPicture(About("Ana", "2026-Q4", "JPY", "2026-11-22"), Stack("user:ana", "", {}), []),
        MovementPicture(ABOUT, [STEPS[0], STEPS[-1]]),
        AccuracyPicture(ABOUT, [], "likely"),
    ],
    ids=NAMES,
)
def test_a_picture_of_nothing_is_drawn_and_says_so(picture: Picture) -> None:
    image = png_of(picture)
    assert image.width > 300
    assert len(colours_of(image)) > 10  # letters at least


def test_names_are_data_and_never_markup_or_expressions() -> None:
    evil = '<script>alert(1)</script>"\n{"signal": "x"} \u202etxt'
    picture = msgspec.structs.replace(ROLLUP, parts=[Stack("team:x", evil, {"closed": 100})])
    svg = draw(Order("svg", picture)).decode()
    assert "<script" not in svg
    assert "\u202e" not in svg
    assert "&lt;script&gt;" in svg


OF_OBJECTS = ("constructor", "toString", "valueOf", "__proto__", "hasOwnProperty", "null", "datum.value", 'a"b\\c`${x}')


@pytest.mark.parametrize("name", OF_OBJECTS)
def test_a_name_that_every_object_of_the_renderer_has_is_a_name_like_others(name: str) -> None:
    def svg(name: str) -> str:
        parts = [Stack("team:x", name, {"closed": 100}), Stack("team:y", "South", {"commit": 700})]
        return draw(Order("svg", msgspec.structs.replace(ROLLUP, parts=parts))).decode()

    found = svg(name)
    assert found.count("<text") == svg("North").count("<text")
    assert name.replace('"', "&quot;") in found or name in found
    called = msgspec.structs.replace(ACCURACY, calls=[Called("2026-10-05", name, 900_00, 1_000_00)])
    assert draw(Order("svg", called)).count(b"<text") > 10


def test_a_picture_that_the_renderer_leaves_blank_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def naive(labels: Sequence[str]) -> str:
        return f"{json.dumps(list(labels))}[toNumber(slice(datum.value, 1))]"

    monkeypatch.setattr(style, "label_of", naive)
    for form in ("svg", "png"):
        with pytest.raises(ValueError, match="blank"):
            draw(Order(form, msgspec.structs.replace(ROLLUP, parts=[Stack("team:x", "toString", {"closed": 100})])))


def test_a_scale_makes_more_pixels_of_the_same_picture() -> None:
    small, large = png_of(MOVEMENT, 1), png_of(MOVEMENT, 3)
    assert (large.width, large.height) == pytest.approx((small.width * 3, small.height * 3), abs=3)
    assert isinstance(small, Image.Image)


FONT = ImageFont.truetype(str(FONTS / "NotoSans-Regular.ttf"), style.SIZE)


@given(st.integers(-(10**17), 10**17), st.sampled_from(["EUR", "JPY", "KWD", "VND"]))
def test_a_number_beside_a_bar_is_no_wider_than_its_column(minor: int, currency: str) -> None:
    (_, _, first), (_, _, second) = COLUMNS
    assert FONT.getlength(scale_of([minor], currency).text(minor)) < min(first, second - first)


@pytest.mark.parametrize("amounts", [{"closed": -50_000_000_00, "pipeline": 50_000_000_00}, {"commit": 1_00}])
def test_the_unit_of_a_roll_up_is_that_of_its_longest_bar_and_its_marks(amounts: dict[str, int]) -> None:
    """What is taken back and what is open may come to nothing; a quota may be far from what is there."""
    node = Stack("user:a", "A", amounts, quota_minor=50_000_000_00)
    spec = spec_of(RollupPicture(ABOUT, node, [msgspec.structs.replace(node, name="B")]))
    assert spec["title"]["subtitle"][0].startswith("EUR million")
    assert max(abs(row["value"]) for row in rows_of(spec) if "value" in row) == 50
    assert len([row for row in rows_of(spec) if row.get("mark") == "Quota"]) == 2


def test_the_unit_of_a_bridge_is_that_of_its_highest_end() -> None:
    """A reversal that is as large as what is open."""
    ends = {"closed": -50_000_000_00, "pipeline": 50_000_000_00}
    told = spec_of(MovementPicture(ABOUT, [Step("opening", 1, ends), Step("closing", 1, ends)]))
    assert told["title"]["subtitle"][0].startswith("EUR million")


def test_an_axis_of_small_amounts_tells_its_ticks_apart() -> None:
    node = Stack("user:a", "A", {"commit": 40})
    spec = spec_of(RollupPicture(ABOUT, node, []))
    formats = {axis["format"] for axis in _axes(spec)}
    assert formats == {",~f"}  # 0.1, 0.2 and not 0, 0
    svg = draw(Order("svg", RollupPicture(ABOUT, node, []), 1)).decode()
    assert ">0.1<" in svg
    assert ">0.2<" in svg


def _axes(spec: Any) -> Iterator[dict[str, Any]]:
    """Every axis of numbers."""
    if isinstance(spec, dict):
        if isinstance(spec.get("axis"), dict) and "format" in spec["axis"]:
            yield spec["axis"]
        for value in spec.values():
            yield from _axes(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from _axes(value)
