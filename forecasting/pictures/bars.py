"""The roll-up as a picture: the node's money above, below it that of each node under it, stacked by certainty.

A line is the quota, a diamond what was called; beside each bar stand what is closed or committed, and all of it. At
most `NODES_MAX` are drawn, the largest first; the money of the rest is one bar, "others".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import altair as alt

from forecasting.pictures import shown, style
from forecasting.pictures.shown import BUCKET_WORDS, Scale
from forecasting.pictures.style import DRAWN, INK, SOFT
from forecasting.pictures.values import RollupPicture, Stack

NODES_MAX = 24
WIDTH, ROW, BAR, WHOLE_ROW = 520, 32, 18, 46
OTHERS = ""  # the key of no node
COLUMNS = (("Commit", ("closed", "commit"), 62), ("All", DRAWN, 124))
QUOTA_SHAPE = "M-0.33,-1.7L0.33,-1.7L0.33,1.7L-0.33,1.7Z"  # a standing line, a little higher than the bar
MARKS = {"Quota": (QUOTA_SHAPE, INK, style.PAPER), "Call (commit)": ("diamond", "#FFD23F", INK)}
MARK_SIZE = 150


def rollup_spec(picture: RollupPicture) -> style.Spec:
    whole, parts = picture.whole, bounded(picture.parts)
    among = (whole, *parts)
    scale = shown.scale_of((amount for one in among for amount in _reach(one)), picture.about.currency)
    charts = [_panel([whole], [shown.clean(whole.name)], scale, WHOLE_ROW, is_headed=True)]
    if parts:
        names = shown.distinct([(part.key, part.name) for part in parts])
        charts.append(_panel(parts, names, scale, ROW, is_headed=False))
    title = style.heading("Forecast", picture.about, scale, *_attained(whole, scale))
    chart = alt.vconcat(*charts, spacing=14).resolve_scale(x="independent", y="independent", shape="shared")
    return style.finished(chart.properties(title=title), described(picture))


def bounded(parts: Sequence[Stack]) -> list[Stack]:
    """The largest first, at most `NODES_MAX` bars: the last of too many is the sum of all that are left."""
    ordered = sorted(parts, key=lambda part: (-sum_of(part, DRAWN), part.name, part.key))
    if len(ordered) <= NODES_MAX:
        return ordered
    kept, rest = ordered[: NODES_MAX - 1], ordered[NODES_MAX - 1 :]
    amounts = {bucket: sum(part.amounts.get(bucket, 0) for part in rest) for bucket in BUCKET_WORDS}
    return [*kept, Stack(OTHERS, f"others ({len(rest)})", amounts)]


def sum_of(stack: Stack, among: Iterable[str]) -> int:
    return sum(stack.amounts.get(bucket, 0) for bucket in among)


def _reach(stack: Stack) -> Iterator[int]:
    """As far as the bar and its marks reach: what is negative lies on the other side and takes nothing off."""
    amounts = [stack.amounts.get(bucket, 0) for bucket in DRAWN]
    yield sum(amount for amount in amounts if amount > 0)
    yield sum(amount for amount in amounts if amount < 0)
    yield from (amount for amount in (stack.quota_minor, stack.call_minor) if amount is not None)


def described(picture: RollupPicture) -> str:
    """The picture in words, with every number that it shows of the whole and what its largest parts amount to."""
    about, whole, currency = picture.about, picture.whole, picture.about.currency
    money = ", ".join(
        f"{BUCKET_WORDS[bucket].lower()} {shown.exact(whole.amounts.get(bucket, 0), currency)}" for bucket in DRAWN
    )
    words = [f"Forecast of {shown.clean(about.node)} for {about.period}, as of {about.as_of} ({about.source}): {money}"]
    for name, amount in (("Quota", whole.quota_minor), ("Called", whole.call_minor)):
        if amount is not None:
            words.append(f"{name}: {shown.exact(amount, currency)}")
    parts = bounded(picture.parts)
    if parts:
        names = shown.distinct([(part.key, part.name) for part in parts])
        told = (f"{name} {shown.exact(sum_of(part, DRAWN), currency)}" for name, part in zip(names, parts, strict=True))
        words.append(f"Below it, in all: {'; '.join(told)}")
    return ". ".join([*words, *style.notes(about)]) + "."


def _attained(whole: Stack, scale: Scale) -> list[str]:
    closed = whole.amounts.get("closed", 0)
    words = [f"Closed {scale.text(closed)}"]
    share = shown.share(closed, whole.quota_minor)
    if whole.quota_minor is not None:
        words.append(f"quota {scale.text(whole.quota_minor)}" + (f" ({share} closed)" if share else ""))
    if whole.call_minor is not None:
        words.append(f"call {scale.text(whole.call_minor)}")
    return ["  ·  ".join(words)]


def _panel(stacks: Sequence[Stack], names: list[str], scale: Scale, row: int, *, is_headed: bool) -> style.Mark:
    """Bars, marks and numbers of some nodes, on a scale of their own."""
    y = alt.Y(
        "at:N",
        scale=alt.Scale(domain=style.places(names)),
        title=None,
        axis=alt.Axis(labelExpr=style.label_of(names), labelLimit=190, labelFontWeight=_weight(is_headed)),
    )
    layers = [_bars(stacks, names, scale, y, row)]
    marks = _marks(stacks, names, scale)
    if marks:
        layers.append(_marked(marks, y))
    for title, buckets, place in COLUMNS:
        layers.append(_column(names, [scale.text(sum_of(one, buckets)) for one in stacks], place, y))
        if is_headed:
            layers.append(_column_head(title, place))
    return alt.layer(*layers).properties(width=WIDTH, height=row * len(names))


def _weight(is_headed: bool) -> Any:
    return "bold" if is_headed else "normal"


def _bars(stacks: Sequence[Stack], names: list[str], scale: Scale, y: alt.Y, row: int) -> style.Mark:
    values = [
        {
            "at": at,
            "node": name,
            "bucket": BUCKET_WORDS[bucket],
            "place": place,
            "value": scale.place(one.amounts.get(bucket, 0)),
            "amount": shown.exact(one.amounts.get(bucket, 0), scale.currency),
        }
        for at, name, one in zip(style.places(names), names, stacks, strict=True)
        for place, bucket in enumerate(DRAWN)
        if one.amounts.get(bucket, 0)
    ]
    return (
        style.chart(values)
        .mark_bar(size=BAR if row == ROW else BAR + 8, stroke=style.PAPER, strokeWidth=0.6)
        .encode(
            x=alt.X("value:Q", stack="zero", axis=style.money_axis(), scale=alt.Scale(nice=True)),
            y=y,
            color=alt.Color("bucket:N", scale=style.bucket_colours(), legend=alt.Legend(columns=len(DRAWN))),
            order=alt.Order("place:Q"),
            tooltip=["node:N", "bucket:N", "amount:N"],
        )
    )


def _marks(stacks: Sequence[Stack], names: list[str], scale: Scale) -> list[dict[str, Any]]:
    read: dict[str, Callable[[Stack], int | None]] = {
        "Quota": lambda one: one.quota_minor,
        "Call (commit)": lambda one: one.call_minor,
    }
    found = []
    for at, name, one in zip(style.places(names), names, stacks, strict=True):
        for mark, amount_of in read.items():
            amount = amount_of(one)
            if amount is not None:
                words = shown.exact(amount, scale.currency)
                found.append({"at": at, "node": name, "mark": mark, "value": scale.place(amount), "amount": words})
    return found


def _marked(values: list[dict[str, Any]], y: alt.Y) -> style.Mark:
    names = list(MARKS)
    shapes, fills, edges = (list(column) for column in zip(*MARKS.values(), strict=True))
    legend = alt.Legend(symbolSize=MARK_SIZE)  # one for shape and colour, so that they are merged
    return (
        style.chart(values)
        .mark_point(strokeWidth=1.4, opacity=1, filled=True, size=MARK_SIZE)
        .encode(
            x="value:Q",
            y=y,
            shape=alt.Shape("mark:N", scale=alt.Scale(domain=names, range=shapes), legend=legend),
            fill=alt.Fill("mark:N", scale=alt.Scale(domain=names, range=fills), legend=legend),
            stroke=alt.Stroke("mark:N", scale=alt.Scale(domain=names, range=edges), legend=legend),
            tooltip=["node:N", "mark:N", "amount:N"],
        )
    )


def _column(names: list[str], texts: list[str], place: int, y: alt.Y) -> style.Mark:
    values = [
        {"at": at, "node": name, "text": text} for at, name, text in zip(style.places(names), names, texts, strict=True)
    ]
    return (
        style.chart(values)
        .mark_text(align="right", baseline="middle", fontSize=style.SIZE)
        .encode(x=alt.value(WIDTH + place), y=y, text="text:N")
    )


def _column_head(title: str, place: int) -> style.Mark:
    return (
        style.chart([{"text": title}])
        .mark_text(align="right", baseline="bottom", fontSize=style.SMALL, color=SOFT)
        .encode(x=alt.value(WIDTH + place), y=alt.value(-2), text="text:N")
    )
