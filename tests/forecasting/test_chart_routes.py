"""Files and pictures over HTTP: the figures and the rights of the answer that they are made of."""

import csv
import io
import json
from typing import Any

from PIL import Image

from forecasting.pictures.drawing import FORMS
from forecasting.pictures.shown import THIN, exact
from sfa.core.money import format_minor
from sfa.web.sheets import XLSX
from sfa.web.tabled import AS_FILES
from tests.crm.desk import Desk, opened
from tests.forecasting.review import call, until
from tests.forecasting.selling import Q1, order, take
from tests.forecasting.telling import code, rollup
from tests.office import Office

QUOTA = {"period_key": "q1", "measure": "revenue", "currency": "EUR", "target": 900_000}


def ask(desk: Desk, as_: str, path: str, **asked: Any) -> Any:
    return desk.ask(as_, "GET", f"/api/forecast/{path}", params=asked)


def lines(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def drawn(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for rows in spec["datasets"].values() for row in rows]


def test_a_roll_up_is_a_file_with_the_figures_that_are_shown(desk: Desk) -> None:
    told = rollup(desk, "mia")
    answer = ask(desk, "mia", "rollup", period="q1", format="csv")
    rows = lines(answer)
    assert [row["node"] for row in rows] == [node["node"] for node in told["nodes"]]
    for row, node in zip(rows, told["nodes"], strict=True):
        assert row["commit"] == format_minor(node["buckets"]["commit"]["amount_minor"], "EUR")
        assert row["commit_rolled_up"] == format_minor(node["views"]["commit"]["rolled_up"], "EUR")
        assert row["currency"] == "EUR"
    assert answer.headers["content-disposition"] == 'attachment; filename="forecast-rollup-2026-01-05.csv"'
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["sfa-forecast"] == "warm"
    sheet = ask(desk, "mia", "rollup", period="q1", format="xlsx")
    assert sheet.headers["content-type"] == XLSX
    assert sheet.content.startswith(b"PK")
    assert len(lines(ask(desk, "mia", "nodes/team:north", period="q1", format="csv"))) > 1


def test_deals_are_a_file_too(desk: Desk) -> None:
    (row,) = lines(ask(desk, "ana", "deals", period="q1", node="user:ana", bucket="commit", format="csv"))
    assert (row["deal_key"], row["amount"], row["currency"]) == ("deal-a", "5000.00", "EUR")


def test_a_roll_up_is_drawn_with_the_quotas_and_calls_that_the_caller_sees(desk: Desk) -> None:
    office = desk.office
    office.put(
        ("quotas", "qa", {**QUOTA, "user_key": "ana"}),
        ("quotas", "qn", {**QUOTA, "team_key": "north", "target": 2_000_000}),
        ("quotas", "qd", {**QUOTA, "user_key": "bob", "currency": "USD"}),
        ("quotas", "qv", {"period_key": "q1", "measure": "total_contacts", "target": 3, "user_key": "bob"}),
    )
    approve(office, "qa", "qn", "qd", "qv")
    call(office.phone("ana"), "call-1", 300_000)
    call(office.phone("ana"), "call-2", 310_000)
    told = ask(desk, "mia", "rollup/chart", period="q1", node="team:north")
    assert told.status_code == 200, told.text
    assert told.headers["content-type"] == FORMS["vl"]
    rows = drawn(told.json())
    marks = {(row["mark"], row["amount"]) for row in rows if "mark" in row}
    assert marks == {("Quota", exact(900_000, "EUR")), ("Quota", exact(2_000_000, "EUR")),
                     ("Call (commit)", exact(310_000, "EUR"))}  # fmt: skip
    assert {row["node"] for row in rows if "mark" in row} <= {
        row["node"] for row in rows if "text" in row and "node" in row
    }
    own = ask(desk, "ana", "rollup/chart", period="q1").json()
    assert {row["mark"] for row in drawn(own) if "mark" in row} == {"Quota", "Call (commit)"}
    assert exact(2_000_000, "EUR") not in json.dumps(own, ensure_ascii=False)


def approve(office: Office, *keys: str) -> None:
    for key in keys:
        done = office.phone("root").do("quota.approve", "quotas", key, base=office.rev("quotas", key), set={})
        assert done.outcome == "applied", done


def marks_of(spec: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(row["node"], row["mark"]): row["amount"] for row in drawn(spec) if "mark" in row}


def test_a_quota_that_nobody_approved_is_not_marked(desk: Desk) -> None:
    """R5: neither does coverage count it."""
    desk.office.put(("quotas", "qa", {**QUOTA, "user_key": "ana"}))
    asked = {"period": "q1", "node": "user:ana"}
    assert marks_of(ask(desk, "root", "rollup/chart", **asked).json()) == {}
    approve(desk.office, "qa")
    (amount,) = marks_of(ask(desk, "root", "rollup/chart", **asked).json()).values()
    assert amount == exact(900_000, "EUR")


def test_a_picture_of_a_past_day_marks_what_counted_then(selling: Office) -> None:
    """R5, R27: the target in force on that day, and the call that stood when it ended."""
    selling.put(
        ("forecast_policies", "p", {"name": "Mondays"}),
        ("quotas", "qa", {**QUOTA, "period_key": Q1, "user_key": "ana"}),
    )
    approve(selling, "qa")
    place = {"period_key": Q1, "due_on": "2026-01-19"}
    assert call(selling.phone("ana"), "call-1", 300_000, **place).outcome == "applied"
    take(selling)
    until(selling, "2026-01-12 08:00")
    root, rev = selling.phone("root"), selling.rev("quotas", "qa")
    assert root.do("quota.reset", "quotas", "qa", base=rev).outcome == "applied"
    assert root.edit("quotas", "qa", target=1_200_000).outcome == "applied"
    approve(selling, "qa")
    assert call(selling.phone("ana"), "call-2", 310_000, **place).outcome == "applied"
    with opened(selling) as desk:
        asked = {"period": Q1, "node": "user:ana"}
        now = marks_of(ask(desk, "root", "rollup/chart", **asked).json())
        then = marks_of(ask(desk, "root", "rollup/chart", **asked, as_of="2026-01-05").json())
    assert list(now.values()) == [exact(1_200_000, "EUR"), exact(310_000, "EUR")]
    assert list(then.values()) == [exact(900_000, "EUR"), exact(300_000, "EUR")]


def test_a_picture_is_pixels_for_who_cannot_draw(desk: Desk) -> None:
    small = ask(desk, "root", "rollup/chart", period="q1", format="png", scale=1)
    assert small.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(small.content)).convert("RGB")
    assert image.width > 500
    assert len(set(image.tobytes())) > 10  # not one colour
    again = ask(desk, "root", "rollup/chart", period="q1", format="png", scale=1)
    assert again.content == small.content


def test_a_movement_is_drawn_and_filed_as_it_is_told(selling: Office) -> None:
    """R28."""
    take(selling)
    order(selling, "deal.win", "deal-a")
    take(selling, 7)
    asked = {"from": "2026-01-05", "to": "2026-01-12", "period": Q1}
    with opened(selling) as desk:
        answer = ask(desk, "root", "movement", **asked)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        rows = {row["bar"]: row for row in lines(ask(desk, "root", "movement", **asked, format="csv"))}
        bars = [told["opening"], *told["classes"], told["rates"], told["closing"]]
        assert {name: row["total"] for name, row in rows.items()} == {
            bar["name"]: format_minor(bar["total_minor"], "EUR") for bar in bars
        }
        (moved,) = lines(ask(desk, "root", "movement/deals", **asked, format="csv"))
        assert (moved["deal_key"], moved["class"]) == ("deal-a", "won")
        spec = ask(desk, "root", "movement/chart", **asked, view="commit").json()
        texts = {row["step"].partition("\n")[0]: row["text"] for row in drawn(spec) if "text" in row}
        won = next(bar for bar in told["classes"] if bar["name"] == "won")
        assert (won["amounts"]["closed"], texts["Won"]) == (500_000, f"+5{THIN}000")
        assert spec["title"]["text"].endswith("Company")


def test_a_movement_has_the_name_that_its_node_had_then(selling: Office) -> None:
    """R27: frozen means frozen."""
    take(selling)
    selling.put(("teams", "north", {"name": "Renamed"}))
    with opened(selling) as desk:
        asked = {"from": "2026-01-05", "to": "2026-01-05", "period": Q1, "node": "team:north"}
        title = ask(desk, "root", "movement/chart", **asked).json()["title"]["text"]
    assert title.endswith("·  North"), title


def test_calls_are_drawn_against_what_was_closed_once_the_period_is_over(desk: Desk) -> None:
    """R29."""
    office = desk.office
    call(office.phone("ana"), "call-1", 300_000)
    until(office, "2026-04-02 08:00")
    desk.forget_tokens()
    spec = ask(desk, "ana", "accuracy/chart", node="user:ana").json()
    assert spec["title"]["text"].startswith("Calls and closed")
    rows = lines(ask(desk, "ana", "accuracy", node="user:ana", format="csv"))
    assert [row["kind"] for row in rows][-1] in ("all", "call")


def test_other_formats_are_refused_before_anything_is_read(desk: Desk) -> None:
    for path in ("rollup", "deals", "movement", "movement/deals", "accuracy", "nodes/company"):
        assert code(ask(desk, "ana", path, format="pdf")) == (400, "request_invalid"), path


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("rollup/chart", {"format": "json"}),
    ("rollup/chart", {"format": "png", "scale": 9}),
    ("movement/chart", {"format": "pdf"}),
    ("movement/chart", {"view": "closed"}),
    ("accuracy/chart", {"scale": 0}),
    ("accuracy/chart", {"view": "pipeline"}),
    ("accuracy/chart", {"weeks": -1}),
]


def test_what_cannot_be_drawn_is_refused(desk: Desk) -> None:
    for path, asked in WRONG:
        assert code(ask(desk, "root", path, **asked)) == (400, "request_invalid"), (path, asked)


def test_who_sees_nothing_of_a_node_gets_no_picture_of_it_r30(desk: Desk) -> None:
    assert code(ask(desk, "ana", "rollup/chart", period="q1", node="user:bob")) == (404, "not_found")
    assert code(ask(desk, "ana", "rollup", period="q1", node="user:bob", format="csv")) == (404, "not_found")


def test_the_description_names_every_form(desk: Desk) -> None:
    paths = desk.client.get("/schema/openapi.json").json()["paths"]
    for path in ("rollup", "deals", "movement", "accuracy", "calls", "overrides", "coverage", "changes"):
        content = paths[f"/api/forecast/{path}"]["get"]["responses"]["200"]["content"]
        assert set(content) == {"application/json", *AS_FILES}
    for path in ("rollup", "movement", "accuracy"):
        content = paths[f"/api/forecast/{path}/chart"]["get"]["responses"]["200"]["content"]
        assert set(content) == set(FORMS.values())
