"""Locked calls against what was closed in the end (R29), lock by lock: a wide bar is the closed figure, a diamond the
call, and the line between them is the miss. At most `CALLS_MAX` are drawn, the latest; the measures are of all.
"""

from typing import Any

import altair as alt

from forecasting.pictures import shown, style
from forecasting.pictures.shown import BUCKET_WORDS, Scale
from forecasting.pictures.style import INK, LOSS
from forecasting.pictures.values import AccuracyPicture, Called
from sfa.core.money import ratio_bp

CALLS_MAX = 39  # three quarters of weeks
STEP, STEP_MAX, WIDTH_MAX, HEIGHT = 64, 96, 900, 280
MISSES_MAX = 16  # above this many there is no room for a number each
CLOSED, CALL = "Closed", "Call"
COLOURS = {CLOSED: "#A9D3EA", CALL: "#0B2E4F"}


def accuracy_spec(picture: AccuracyPicture) -> style.Spec:
    calls = _ordered(picture)[-CALLS_MAX:]
    amounts = [amount for call in calls for amount in (call.call_minor, call.closed_minor or 0)]
    scale = shown.scale_of(amounts, picture.about.currency)
    labels = _labels(calls)
    step = min(STEP_MAX, WIDTH_MAX // max(1, len(calls)), max(STEP, 4 * STEP // max(1, len(calls))))
    x = alt.X("at:N", scale=alt.Scale(domain=style.places(labels)), title=None, axis=_lock_axis(labels))
    layers = [_closed(calls, labels, scale, x), _misses(calls, labels, scale, x), _calls(calls, labels, scale, x)]
    if len(calls) <= MISSES_MAX:
        layers.append(_texts(calls, labels, scale, x))
    chart = alt.layer(*layers).properties(
        title=style.heading("Calls and closed", picture.about, scale, *_summed(picture, len(calls))),
        width=max(360, step * len(labels)),
        height=HEIGHT,
    )
    return style.finished(chart, described(picture))


def described(picture: AccuracyPicture) -> str:
    about, calls = picture.about, _ordered(picture)[-CALLS_MAX:]
    told = "; ".join(
        f"{call.due_on} for {call.period}: called {shown.exact(call.call_minor, about.currency)}, "
        + ("still running" if call.closed_minor is None else f"closed {shown.exact(call.closed_minor, about.currency)}")
        for call in calls
    )
    begin = f"Locked calls of {shown.clean(about.node)}, as of {about.as_of}"
    return ". ".join([begin, *_summed(picture, len(calls)), *([told] if told else []), *style.notes(about)]) + "."


def _ordered(picture: AccuracyPicture) -> list[Called]:
    return sorted(picture.calls, key=lambda call: (call.due_on, call.period))


def _summed(picture: AccuracyPicture, drawn: int) -> list[str]:
    over = sum(call.closed_minor is not None for call in picture.calls)
    words = [
        f"View {BUCKET_WORDS[picture.view].lower()}",
        f"WAPE {shown.percent(picture.wape_bp)}",
        f"bias {shown.percent(picture.bias_bp)}",
        f"{over} of {len(picture.calls)} calls are of periods that are over" + (", few" if picture.few else ""),
    ]
    lines = ["  ·  ".join(words)]
    if not picture.calls:
        lines.append("No call was locked")
    if drawn < len(picture.calls):
        lines.append(f"The latest {drawn} calls are drawn")
    return lines


def _labels(calls: list[Called]) -> list[str]:
    """The day of the lock and its period, in two lines where there is room."""
    between = "\n" if len(calls) <= MISSES_MAX else "  "
    return [f"{call.due_on}{between}{shown.clean(call.period)}" for call in calls]


def _lock_axis(labels: list[str]) -> alt.Axis:
    told = style.label_of(labels)
    if len(labels) <= MISSES_MAX:
        return alt.Axis(
            labelExpr=told, labelAngle=0, labelFontSize=style.SMALL - 1, labelLineHeight=14, labelLimit=STEP_MAX
        )
    return alt.Axis(labelExpr=told, labelAngle=-90, labelFontSize=style.SMALL - 1, labelLimit=140)


def _values(calls: list[Called], labels: list[str], scale: Scale) -> list[dict[str, Any]]:
    found = []
    for at, call, label in zip(style.places(labels), calls, labels, strict=True):
        value: dict[str, Any] = {
            "at": at,
            "lock": label,
            "call": scale.place(call.call_minor),
            "called": shown.exact(call.call_minor, scale.currency),
            "what": CALL,
        }
        if call.closed_minor is not None:
            value |= {
                "closed": scale.place(call.closed_minor),
                "closed_amount": shown.exact(call.closed_minor, scale.currency),
                "top": scale.place(max(call.call_minor, call.closed_minor)),
                "miss": _miss(call.call_minor, call.closed_minor),
            }
        found.append(value)
    return found


def _miss(called: int, closed: int) -> str:
    share_bp = ratio_bp(called - closed, abs(closed))
    if share_bp is None:
        return ""
    return f"+{shown.percent(share_bp)}" if share_bp > 0 else shown.percent(share_bp)


def _closed(calls: list[Called], labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    values = [{**value, "what": CLOSED} for value in _values(calls, labels, scale) if "closed" in value]
    return (
        style.chart(values)
        .mark_bar(width=alt.RelativeBandSize(band=0.72))
        .encode(
            x=x,
            y=alt.Y("closed:Q", axis=style.money_axis()),
            color=_colours(),
            tooltip=["lock:N", "closed_amount:N"],
        )
    )


def _misses(calls: list[Called], labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    values = [value for value in _values(calls, labels, scale) if "closed" in value]
    chart = style.chart(values).mark_rule(color=LOSS, strokeWidth=2)
    return chart.encode(x=x, y=alt.Y("call:Q", axis=style.money_axis()), y2="closed:Q")


def _calls(calls: list[Called], labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    return (
        style.chart(_values(calls, labels, scale))
        .mark_point(shape="diamond", filled=True, size=130, opacity=1, stroke=style.PAPER, strokeWidth=1)
        .encode(
            x=x,
            y=alt.Y("call:Q", axis=style.money_axis()),
            color=_colours(),
            tooltip=["lock:N", "called:N", "closed_amount:N", "miss:N"],
        )
    )


def _texts(calls: list[Called], labels: list[str], scale: Scale, x: alt.X) -> style.Mark:
    values = [value for value in _values(calls, labels, scale) if value.get("miss")]
    chart = style.chart(values).mark_text(baseline="bottom", dy=-9, fontSize=style.SMALL, color=INK)
    return chart.encode(x=x, y=alt.Y("top:Q", axis=style.money_axis()), text="miss:N")


def _colours() -> alt.Color:
    scale = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    return alt.Color("what:N", scale=scale, legend=alt.Legend(columns=2))
