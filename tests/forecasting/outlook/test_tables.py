"""Ranges and the honesty page as files: the figures of the JSON, to whom the JSON is told."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from forecasting.outlook.store import Run
from forecasting.outlook.tables import honesty_table, outlook_table
from forecasting.outlook.telling import NodeTold, OutlookTold, ScoresTold, told
from forecasting.outlook.values import VIEWS, Learnt, Outlook, Range, Score, Seen
from sfa.core.money import format_minor
from sfa.web.sheets import as_csv, as_xlsx
from tests.crm.desk import Desk
from tests.forecasting.outlook.test_routes import desk, found, period
from tests.forecasting.selling import Q1, selling
from tests.forecasting.telling import code
from tests.forecasting.test_said_tables import amount, read
from tests.forecasting.test_sheets import cells

__all__ = ["desk", "selling"]
AMOUNTS = ("won", "open", "new", "adjusted")
RANGES = ("mean", "p10", "p50", "p90", "quota")
DIGEST = "a" * 64
RUN = told(
    Run(
        number=3, state="done", as_of="2026-01-05", asked_at=1, asked_by=None, claimed_by=None, beat_at=None,
        began_at=None, ended_at=2, step=None, progress=1_000, attempts=1, seq=7, currency="EUR", seed=1, engine="1",
        digest=DIGEST, found_digest="b" * 64, code=None, learnt=None,
    )
)  # fmt: skip


def asked(desk: Desk, path: str, as_: str, **said: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The JSON, and the lines of the CSV of the same question; the XLSX has as many."""
    answers = [
        desk.ask(as_, "GET", f"/api/forecast/{path}", params={**said, **form})
        for form in ({}, {"format": "csv"}, {"format": "xlsx"})
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "private, no-store"
    named = answers[1].headers["content-disposition"]
    assert named == f'attachment; filename="forecast-{path}-2026-01-05.csv"'
    lines = read(answers[1].text)
    assert len(cells(answers[2].content)) == len(lines) + 1
    return answers[0].json(), lines


def test_ranges_are_a_file_with_the_figures_of_the_answer(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(100, 200, 300))
    answer, lines = asked(desk, "outlook", "root")
    assert [(row["node"], row["depth"], row["currency"]) for row in lines] == [
        ("company", "0", "EUR"),
        ("team:all-sales", "1", "EUR"),
    ]
    for item, row in zip(answer["items"], lines, strict=True):
        (one,) = item["periods"]
        assert (row["name"], row["period_key"], row["code"]) == (item["name"] or "", Q1, "")
        for name in AMOUNTS:
            assert row[name] == amount(one[f"{name}_minor"])
        for name in RANGES:
            assert row[name] == amount(one["range"][f"{name}_minor"])
        assert row["reach_bp"] == str(one["range"]["reach_bp"])
        assert (row["pipeline"], row["pipeline_weight_bp"], row["series"]) == ("6.00", "10000", "")


def test_how_right_views_were_is_a_file(desk: Desk) -> None:
    found(desk.office, "2026-01-05", period(0, 0, 0))
    answer, (row,) = asked(desk, "honesty", "bob")
    (score,) = answer["items"]
    for name in ("node", "view", "days", "periods", "wape_bp", "bias_bp"):
        assert row[name] == str(score[name])
    assert (row["pinball"], row["held_bp"], row["few"]) == ("", "", "no")


def test_a_file_is_refused_as_the_answer_is(desk: Desk) -> None:
    assert code(desk.get("root", "/api/forecast/outlook?format=csv")) == (404, "outlook_missing")
    found(desk.office, "2026-01-05", period(0, 0, 0))
    for path in ("outlook", "honesty"):
        refused = desk.get("bob", f"/api/forecast/{path}?node=user:ana&format=xlsx")
        assert code(refused) == (404, "not_found")
        assert refused.headers["content-type"] == "application/problem+json"
        assert code(desk.get("bob", f"/api/forecast/{path}?format=pdf")) == (400, "request_invalid")


def test_what_a_run_of_another_version_learnt_is_told_as_far_as_it_is_known() -> None:
    learnt = {"engine": "0", "cut_off": 1, "closed_deals": 2, "signal": False, "said": {"won": 1.0}, "since": "then"}
    kept: dict[str, Any] = {**dict.fromkeys(Run.__struct_fields__), "number": 1, "state": "done", "learnt": learnt}
    assert told(Run(**kept)).learnt == Learnt(engine="0", cut_off=1, closed_deals=2, signal=False, said={"won": 1.0})


MINOR = st.integers(-(10**15), 10**15)
SEEN = st.builds(
    Seen, st.sampled_from([*VIEWS, "dreams"]), st.none() | MINOR, st.integers(0, 10_000), st.none() | st.just("no_call")
)
PERIODS = st.builds(
    Outlook,
    period_key=st.sampled_from(["q1", "=q1"]),
    won_minor=MINOR,
    open_minor=MINOR,
    new_minor=MINOR,
    adjusted_minor=MINOR,
    range=st.none()
    | st.builds(Range, MINOR, MINOR, MINOR, MINOR, st.none() | MINOR, st.none() | st.integers(0, 10_000)),
    views=st.lists(SEEN, max_size=4, unique_by=lambda seen: seen.view),
    code=st.none() | st.just("no_history"),
)
NODES = st.builds(
    NodeTold,
    st.just("team:x"),
    st.none() | st.sampled_from(["=1+1", "North"]),
    st.just(1),
    st.lists(PERIODS, max_size=2),
)


@given(items=st.lists(NODES, max_size=3), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_every_figure_of_any_answer_is_in_its_row_and_what_is_not_known_is_empty(
    items: list[NodeTold], currency: str
) -> None:
    table = outlook_table(OutlookTold(run=RUN, under_way=None, currency=currency, items=items, hidden=2, unrated=5))
    lines = read(as_csv(table))
    periods = [one for node in items for one in node.periods]
    assert len(lines) == len(periods)
    for one, row in zip(periods, lines, strict=True):
        for name in AMOUNTS:
            assert row[name] == format_minor(getattr(one, f"{name}_minor"), currency)
        for name in RANGES:
            value = getattr(one.range, f"{name}_minor") if one.range is not None else None
            assert row[name] == ("" if value is None else format_minor(value, currency))
        by_view = {seen.view: seen for seen in one.views}
        for view in [*(view for view in VIEWS if view != "blend"), *by_view]:
            seen = by_view.get(view)
            value = seen.mean_minor if seen is not None else None
            assert row[view] == ("" if value is None else format_minor(value, currency))
            assert row[f"{view}_weight_bp"] == ("" if seen is None else str(seen.weight_bp))
        assert not any(cell.startswith("=") for cell in row.values())
    assert {("hidden nodes", "2"), ("without a rate", "5")} <= set(table.about)
    assert ("asked", DIGEST) in table.about


def test_a_run_that_could_not_compute_anything_says_why_beside_an_empty_table() -> None:
    run = structs.replace(RUN, code="no_history", engine=None)
    empty = outlook_table(OutlookTold(run=run, under_way=None, currency="EUR", items=[], hidden=0, unrated=0))
    assert read(as_csv(empty)) == []
    assert as_xlsx(empty)
    assert {("code", "no_history"), ("engine", "none")} <= set(empty.about)
    score = Score(
        node="company", view="blend", days=30, periods=4, wape_bp=None, bias_bp=None, pinball_minor=1_234,
        held_bp=8_000, few=True,
    )  # fmt: skip
    honest = honesty_table(ScoresTold(run=run, currency="EUR", node="company", items=[score]))
    assert read(as_csv(honest))[0] == {
        "node": "company", "view": "blend", "days": "30", "periods": "4", "wape_bp": "", "bias_bp": "",
        "pinball": "12.34", "held_bp": "8000", "few": "yes", "currency": "EUR",
    }  # fmt: skip
    assert as_xlsx(honest) == as_xlsx(honest)
