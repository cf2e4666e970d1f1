"""Numbers and words of pictures, and that their colours are told apart."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.pictures import bars, bridges, shown, style
from forecasting.pictures.shown import THIN, scale_of
from forecasting.pictures.values import MovementPicture, Stack, Step
from sfa.core.forecast import BUCKETS
from tests.forecasting.pictures.drawn import ABOUT, MOVEMENT, STEPS, rgb

# How colours look to those who lack one kind of cone, on linear light (Machado, Oliveira and Fernandes 2009).
SEEN_BY = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
APART = 18.0  # a difference of 2.3 is just seen
Lab = tuple[float, float, float]


def seen(colour: str, by: str) -> Lab:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in _shares(colour)]
    r, g, b = (min(1.0, max(0.0, sum(m * c for m, c in zip(row, linear, strict=True)))) for row in SEEN_BY[by])
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _shares(colour: str) -> list[float]:
    return [value / 255 for value in rgb(colour)]


def difference(one: Lab, other: Lab) -> float:
    return math.dist(one, other)


@pytest.mark.parametrize("by", SEEN_BY)
def test_buckets_are_told_apart_by_everybody(by: str) -> None:
    colours = [*style.COLOURS.values(), style.PAPER]
    close = [(a, b) for a, b in combinations(colours, 2) if difference(seen(a, by), seen(b, by)) < APART]
    assert close == []
    assert difference(seen(style.GAIN, by), seen(style.LOSS, by)) >= APART


@pytest.mark.parametrize(
    ("largest", "currency", "minor", "text", "title"),
    [
        (999_99, "EUR", -5_00, "-5.00", "EUR"),
        (5_000_00, "EUR", 1_234_50, f"1{THIN}235", "EUR"),
        (1_234_500_00, "EUR", 1_234_500_00, f"1{THIN}235", "EUR thousand"),
        (50_000_00, "EUR", 12_345_00, "12.3", "EUR thousand"),
        (50_000_000_00, "EUR", 12_345_000_00, "12.35", "EUR million"),
        (20_000, "JPY", 12_345, "12.3", "JPY thousand"),
        (999_999, "KWD", 1_500, "1.500", "KWD"),
        (5_000_000_000_000, "VND", 1_234_500_000_000, f"1{THIN}234.5", "VND billion"),
        (20 * 10**15, "IDR", -123 * 10**13, "-12.3", "IDR trillion"),
    ],
)
def test_numbers_are_written_alike_everywhere(largest: int, currency: str, minor: int, text: str, title: str) -> None:
    scale = scale_of([largest], currency)
    assert (scale.text(minor), scale.title) == (text, title)


@given(st.integers(-(10**14), 10**14), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_number_says_its_amount_to_half_of_its_last_digit(minor: int, currency: str) -> None:
    scale = scale_of([minor], currency)
    said = float(scale.text(minor).replace(THIN, ""))
    assert abs(said - scale.place(minor)) <= 0.5 * 10**-scale.decimals * (1 + 1e-9) + 1e-6
    assert shown.exact(minor, currency).replace(THIN, "").split(" ")[1] == currency


@given(st.text(max_size=200))
def test_a_name_is_one_short_printable_line(name: str) -> None:
    line = shown.clean(name)
    assert len(line) <= shown.NAME_MAX
    assert line.isprintable()
    assert "\n" not in line


@given(st.lists(st.tuples(st.uuids().map(str), st.sampled_from(["", "Ana", "Ana ", "Ben"])), unique_by=lambda n: n[0]))
def test_two_of_one_name_have_two_labels(names: list[tuple[str, str]]) -> None:
    labels = shown.distinct(names)
    assert len(set(labels)) == len(names)


STACKS = st.lists(
    st.builds(
        Stack,
        key=st.uuids().map(str),
        name=st.sampled_from(["North", "South"]),
        amounts=st.dictionaries(st.sampled_from(BUCKETS), st.integers(-(10**9), 10**12)),
    ),
    max_size=60,
)


@given(STACKS)
def test_bars_are_few_and_hold_all_the_money(stacks: list[Stack]) -> None:
    drawn = bars.bounded(stacks)
    assert len(drawn) == min(len(stacks), bars.NODES_MAX)
    for bucket in BUCKETS:
        assert sum(one.amounts.get(bucket, 0) for one in drawn) == sum(one.amounts.get(bucket, 0) for one in stacks)
    sums = [bars.sum_of(one, style.DRAWN) for one in drawn if one.key != bars.OTHERS]
    assert sums == sorted(sums, reverse=True)


EFFECTS = st.dictionaries(st.sampled_from(BUCKETS), st.integers(-(10**9), 10**9))


@given(EFFECTS, st.lists(st.tuples(st.integers(0, 3), EFFECTS), max_size=11), st.sampled_from([None, "commit"]))
def test_a_bridge_ends_where_its_closing_stands(
    opening: dict[str, int], effects: list[tuple[int, dict[str, int]]], view: str | None
) -> None:
    """R28: each bar begins where the one before it ended, also where bars without deals and money are not drawn."""
    names = [name for name in shown.STEP_WORDS if name not in bridges.ENDS]
    between = [Step(name, deals, effect) for name, (deals, effect) in zip(names, effects, strict=False)]
    closing = {b: sum(step.amounts.get(b, 0) for step in (Step("", 0, opening), *between)) for b in BUCKETS}
    steps = [Step("opening", 1, opening), *between, Step("closing", 1, closing)]
    drawn = bridges.Bars(MovementPicture(ABOUT, steps, view))
    ends = [end for _, end in drawn.spans]
    assert [begin for begin, _ in drawn.spans[1:-1]] == ends[:-2]
    assert ends[-1] == ends[-2] if len(ends) > 1 else True


def test_steps_are_those_of_the_example() -> None:
    drawn = bridges.Bars(MOVEMENT)
    assert drawn.spans == [(0, 450_00), (450_00, 470_00), (470_00, 420_00), (420_00, 420_00), (0, 420_00)]
    assert len(STEPS) == len(drawn.steps) + 2
