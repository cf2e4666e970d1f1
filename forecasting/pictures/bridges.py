"""A movement as a picture (R28): from the opening to the closing, one bar for each class of deals, none left out.

Opening and closing stand on the ground and are stacked by bucket; what came and what went hangs between them, with its
sign in words, so that colour is no news. A class of no deal is not drawn. Of a cumulative view the bars are what the
deals add to that view.
"""

from typing import Any

import altair as alt

from forecasting.pictures import shown, style
from forecasting.pictures.shown import BUCKET_WORDS, STEP_WORDS, Scale
from forecasting.pictures.style import EVEN, GAIN, INK, LOSS
from forecasting.pictures.values import MovementPicture, Step

COLUMN, BAR, HEIGHT, LABEL_GAP = 74, 50, 300, 5
COLUMN_MAX, WIDTH_MIN = 120, 640
CAME, WENT = "Adds", "Takes"
ENDS = ("opening", "closing")


class Bars:
    """Where each bar begins and ends, in minor units; `tops` and `bottoms` are of what is drawn."""

    def __init__(self, picture: MovementPicture) -> None:
        self.buckets = style.view_buckets(picture.view)
        self.steps = [step for step in picture.steps if step.name in ENDS or step.deals or self.adds(step)]
        self.spans: list[tuple[int, int]] = []
        height = 0
        for step in self.steps:
            added = self.adds(step)
            begins = 0 if step.name in ENDS else height
            height = begins + added
            self.spans.append((begins, height))

    def adds(self, step: Step) -> int:
        return sum(step.amounts.get(bucket, 0) for bucket in self.buckets)


def movement_spec(picture: MovementPicture) -> style.Spec:
    bars = Bars(picture)
    amounts = [end for span in bars.spans for end in span] + [bars.adds(step) for step in bars.steps]
    amounts += [_top(bars, step, *span) for step, span in zip(bars.steps, bars.spans, strict=True)]
    scale = shown.scale_of(amounts, picture.about.currency)
    labels = [_label(step) for step in bars.steps]
    width = max(COLUMN, min(COLUMN_MAX, WIDTH_MIN // len(labels))) * len(labels)
    x = alt.X("step:N", scale=alt.Scale(domain=labels), title=None, axis=_step_axis())
    layers = [
        _ends(bars, labels, scale, x),
        _between(bars, labels, scale, x),
        _connected(bars, labels, scale, width // len(labels)),
    ]
    layers += [_nothing(bars, labels, scale, x), _texts(bars, labels, scale, x), _ground()]
    chart = alt.layer(*layers).resolve_scale(color="independent")
    title = style.heading("Movement", picture.about, scale, _summed(picture, bars, scale))
    chart = chart.properties(title=title, width=width, height=HEIGHT)
    return style.finished(chart, described(picture))


def described(picture: MovementPicture) -> str:
    """Every bar with its amount, in words."""
    about, bars = picture.about, Bars(picture)
    told = "; ".join(
        f"{STEP_WORDS[step.name].lower()} {shown.exact(bars.adds(step), about.currency)} ({shown.deals(step.deals)})"
        for step in bars.steps
    )
    begin = f"Movement of {shown.clean(about.node)} for {about.period}, {about.as_of}, {_of(picture)}: {told}"
    return ". ".join([begin, *style.notes(about)]) + "."


def _of(picture: MovementPicture) -> str:
    return "all that is not omitted" if picture.view is None else f"view {BUCKET_WORDS[picture.view].lower()}"


def _summed(picture: MovementPicture, bars: Bars, scale: Scale) -> str:
    change = bars.spans[-1][1] - bars.spans[0][1]
    moved = sum(step.deals for step in bars.steps if step.name not in (*ENDS, "rates"))
    words = _of(picture)
    return f"{words[0].upper()}{words[1:]}  ·  {scale.change(change)} in all, {shown.deals(moved)} moved"


def _label(step: Step) -> str:
    counted = "" if step.name == "rates" else f"\n{shown.deals(step.deals)}"
    return f"{STEP_WORDS[step.name]}{counted}"


def _step_axis() -> alt.Axis:
    return alt.Axis(labelAngle=0, labelFontSize=style.SMALL, labelLimit=COLUMN, labelLineHeight=15)


def _y() -> alt.Y:
    return alt.Y("from:Q", axis=style.money_axis())


def _ends(bars: Bars, labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    """Opening and closing by bucket; what is negative hangs below the ground."""
    values: list[dict[str, Any]] = []
    for step, label in zip(bars.steps, labels, strict=True):
        ground = {True: 0, False: 0}
        for bucket in bars.buckets if step.name in ENDS else ():
            amount = step.amounts.get(bucket, 0)
            begins = ground[amount >= 0]
            ground[amount >= 0] = begins + amount
            if amount:
                values.append(_bar(scale, label, begins, begins + amount, amount, bucket=BUCKET_WORDS[bucket]))
    colours = style.bucket_colours(bars.buckets)
    return (
        style.chart(values)
        .mark_bar(size=BAR, stroke=style.PAPER, strokeWidth=0.6)
        .encode(
            x=x,
            y=_y(),
            y2="to:Q",
            color=alt.Color("bucket:N", scale=colours, legend=alt.Legend(columns=len(bars.buckets))),
            tooltip=["step:N", "bucket:N", "amount:N"],
        )
    )


def _between(bars: Bars, labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    values = [
        _bar(scale, label, begins, ends, ends - begins, way=CAME if ends > begins else WENT)
        for step, label, (begins, ends) in zip(bars.steps, labels, bars.spans, strict=True)
        if step.name not in ENDS and begins != ends
    ]
    colours = alt.Scale(domain=[CAME, WENT], range=[GAIN, LOSS])
    return (
        style.chart(values)
        .mark_bar(size=BAR)
        .encode(
            x=x,
            y=_y(),
            y2="to:Q",
            color=alt.Color("way:N", scale=colours, legend=alt.Legend(columns=2)),
            tooltip=["step:N", "amount:N"],
        )
    )


def _bar(scale: Scale, label: str, begins: int, ends: int, amount: int, **more: str) -> dict[str, Any]:
    return {
        "step": label,
        "from": scale.place(begins),
        "to": scale.place(ends),
        "amount": shown.exact(amount, scale.currency),
        **more,
    }


def _connected(bars: Bars, labels: list[str], scale: Scale, column: int) -> style.Mark:
    """A thin line from the end of each bar to the next, which begins there."""
    values = [
        {"step": label, "next": following, "from": scale.place(ends)}
        for label, following, (_, ends) in zip(labels, labels[1:], bars.spans, strict=False)
    ]
    edge = (column - BAR) / 2 / column
    begins = alt.X("step:N", scale=alt.Scale(domain=labels), title=None, bandPosition=1 - edge)
    chart = style.chart(values).mark_rule(color=EVEN, strokeWidth=1)
    return chart.encode(x=begins, x2=alt.X2("next:N", bandPosition=edge), y=_y())


def _nothing(bars: Bars, labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    """A flat stroke where deals moved and the sum is as it was."""
    values = [
        {"step": label, "from": scale.place(ends)}
        for step, label, (begins, ends) in zip(bars.steps, labels, bars.spans, strict=True)
        if step.name not in ENDS and begins == ends
    ]
    mark = style.chart(values).mark_tick(orient="horizontal", color=EVEN, size=BAR, thickness=2)
    return mark.encode(x=x, y=_y())


def _texts(bars: Bars, labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    values = []
    for step, label, (begins, ends) in zip(bars.steps, labels, bars.spans, strict=True):
        text = scale.text(ends) if step.name in ENDS else scale.change(ends - begins)
        values.append({"step": label, "from": scale.place(_top(bars, step, begins, ends)), "text": text})
    return (
        style.chart(values)
        .mark_text(baseline="bottom", dy=-LABEL_GAP, fontSize=style.SIZE, fontWeight="bold")
        .encode(x=x, y=_y(), text="text:N")
    )


def _top(bars: Bars, step: Step, begins: int, ends: int) -> int:
    if step.name not in ENDS:
        return max(begins, ends)
    return sum(max(0, step.amounts.get(bucket, 0)) for bucket in bars.buckets)


def _ground() -> style.Mark:
    return style.chart([{"from": 0}]).mark_rule(color=INK, strokeWidth=1).encode(y="from:Q")
