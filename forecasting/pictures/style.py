"""How all pictures look: one font that lies beside this file, one palette, one heading.

The colours of certainty go from dark to light and slipped money is orange, so that they are told apart in grey and by
people who see red and green alike; a test measures it. Nothing here is fetched: fonts and data are local.
"""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt

from forecasting.pictures.shown import BUCKET_WORDS, MINUS, THIN, Scale, clean
from forecasting.pictures.values import About
from sfa.core.forecast import OPEN

FONT = "Noto Sans"
INK, SOFT, FAINT, PAPER = "#16212E", "#5B6770", "#E4E8EC", "#FFFFFF"
SIZE, SMALL = 12, 11
COLOURS = {
    "closed": "#0B2E4F",
    "commit": "#1F6AA5",
    "likely": "#5FA8D3",
    "best_case": "#A9D3EA",
    "pipeline": "#CCC8C0",
    "slipped": "#E08A1E",
}
DRAWN = tuple(COLOURS)  # the buckets of a picture, in the order of the stack; omitted money is in none
GAIN, LOSS, EVEN = "#1B8A6B", "#C2452D", "#8A949E"
Spec = dict[str, Any]
Mark = Any  # a chart with its mark: the types of the library end there


def chart(values: list[dict[str, Any]]) -> Mark:
    """A chart of these values, which the specification holds itself."""
    return alt.Chart(alt.InlineData(values=values))


def places(labels: Sequence[str]) -> list[str]:
    """The values of a scale, one for each label. Labels are none themselves: Vega looks values up in plain objects, so
    that a team named `constructor` or `toString` would leave the picture blank."""
    return [f"n{number}" for number in range(len(labels))]


def label_of(labels: Sequence[str]) -> str:
    """The expression with which an axis finds the label of a place; the literals in it begin with a sign of their own,
    which is cut off again, because Vega looks literals up as it does values."""
    literals = json.dumps([f"·{label}" for label in labels])
    return f"slice({literals}[toNumber(slice(datum.value, 1))], 1)"


def heading(what: str, about: About, scale: Scale, *more: str) -> alt.TitleParams:
    """The title, and below it unit and day, further lines, and what is missing."""
    lines = [f"{scale.title}  ·  as of {about.as_of}  ·  {about.source}", *more, *notes(about)]
    return alt.TitleParams(f"{what} {clean(about.period)}  ·  {clean(about.node)}", subtitle=lines)


def notes(about: About) -> list[str]:
    return [f"Partial: {clean(note)}" for note in about.notes]


def bucket_colours(among: tuple[str, ...] = DRAWN) -> alt.Scale:
    return alt.Scale(domain=[BUCKET_WORDS[name] for name in among], range=[COLOURS[name] for name in among])


def view_buckets(view: str | None) -> tuple[str, ...]:
    """What a picture of a cumulative view stacks; all but what is omitted where it is of none."""
    return DRAWN if view is None else ("closed", *OPEN[: OPEN.index(view) + 1])


def money_axis(**more: Any) -> alt.Axis:
    return alt.Axis(title=None, format=",~f", tickCount=6, **more)


def finished(chart: alt.TopLevelMixin, description: str) -> Spec:
    """The whole specification: itself its data, its looks and its alternative text."""
    spec: Spec = _styled(chart).to_dict()
    spec["description"] = description
    spec["config"]["locale"] = {
        "number": {"decimal": ".", "thousands": THIN, "grouping": [3], "currency": ["", ""], "minus": MINUS}
    }
    return spec


def _styled(chart: Any) -> Any:
    return (
        chart.configure(font=FONT, background=PAPER, padding=20, lineBreak="\n")
        .configure_view(stroke=None)
        .configure_title(
            anchor="start", fontSize=18, fontWeight="bold", color=INK, frame="bounds", offset=18,
            subtitleFontSize=SIZE, subtitleColor=SOFT, subtitlePadding=6, subtitleLineHeight=17, limit=900,
        )
        .configure_axis(
            labelFontSize=SIZE, labelColor=INK, titleFontSize=SIZE, titleColor=SOFT, titleFontWeight="normal",
            gridColor=FAINT, domain=False, ticks=False, labelPadding=6,
        )
        .configure_legend(
            orient="bottom", direction="horizontal", labelFontSize=SIZE, labelColor=INK, title=None, symbolSize=120,
            symbolType="square", symbolStrokeWidth=0, columnPadding=16, offset=10, padding=6,
        )
        .configure_text(fontSize=SMALL, color=INK)
    )  # fmt: skip
