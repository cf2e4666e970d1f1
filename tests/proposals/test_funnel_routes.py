"""`GET /api/proposal-funnel`: real versions on both databases, what each person sees, files (R30, R51)."""

import csv
import io
import zipfile
from collections.abc import Iterator

import pytest

from proposals import funnel_reading
from sfa.core.days import start_of_ms
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.proposals.buyer import answers
from tests.proposals.buyer.looking import link, look, sent
from tests.proposals.selling import order

WINDOW = "from=2026-01-01&to=2026-03-01"
DEAL = {"stage_key": "lead", "amount_minor": 1, "currency": "EUR"}


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    """Three proposals: Ana's, opened, revised and sent again; Bob's in dollars, withdrawn; Cleo's, which only looks."""
    office.put(
        ("deals", "deal-b", {**DEAL, "name": "B", "owner_key": "bob", "account_key": "acme"}),
        ("deals", "deal-c", {**DEAL, "name": "C", "owner_key": "cleo", "account_key": "zeta"}),
        ("accounts", "acme", {"tier": "A"}),
    )
    ana = sent(office)
    office.clock.advance(3_600_000)
    look(office, link(office))
    order(ana, "revise")
    order(ana, "send")
    office.clock.advance(31 * DAY_MS)
    draft(office, "bob", "p2", "deal-b", "USD")
    order(office.phone("bob"), "send", "p2")
    order(office.phone("bob"), "withdraw", "p2")
    draft(office, "cleo", "p3", "deal-c", "EUR")
    order(office.phone("cleo"), "send", "p3")
    with opened(office) as made:
        yield made


def draft(office: Office, user: str, key: str, deal: str, currency: str) -> None:
    phone = office.phone(user)
    said = {"deal_key": deal, "title": key, "currency": currency, "language": "es"}
    line = {"proposal_key": key, "name": "Pump", "quantity": "1", "unit_price_minor": 50_00}
    receipts = phone.push(
        phone.mutation("create", "proposals", key, set=said),
        phone.mutation("create", "proposal_lines", f"{key}-1", set=line),
    ).receipts
    assert [receipt.outcome for receipt in receipts] == ["applied", "applied"], receipts


def test_each_sees_what_became_of_what_he_sees(desk: Desk) -> None:
    """R30: a manager his books, and that there are others; a director everything."""
    whole = desk.get("dirk", f"/api/proposal-funnel?{WINDOW}&by=rep").json()
    total = whole["total"]
    assert (total["proposals"], total["sent"], total["opened"], total["open"]) == (3, 4, 1, 2)
    assert (total["superseded"], total["withdrawn"], total["accepted"], whole["partial"]) == (1, 1, 0, False)
    assert [(item["key"], item["name"], item["sent"]) for item in whole["items"]] == [
        ("ana", "Ana", 2),
        ("bob", "Bob", 1),
        ("cleo", "Cleo", 1),
    ]
    assert total["to_open"] == {"count": 1, "median_s": 3_600, "p90_s": 3_600}
    assert [(each["currency"], each["sent_minor"]) for each in total["amounts"]] == [("EUR", 650_00), ("USD", 50_00)]
    assert total["converted"]["sent_minor"] is None
    assert [rate["from_currency"] for rate in total["converted"]["missing"]] == ["USD"]
    part = desk.get("mia", f"/api/proposal-funnel?{WINDOW}&by=rep").json()
    assert ([item["key"] for item in part["items"]], part["partial"]) == (["ana", "bob"], True)
    own = desk.get("cleo", f"/api/proposal-funnel?{WINDOW}&by=rep").json()
    assert ([item["key"] for item in own["items"]], own["partial"]) == (["cleo"], True)


def test_it_is_told_by_month_segment_template_and_language(desk: Desk) -> None:
    said = {"month": {"2026-01": 2, "2026-02": 2}, "segment": {"A": 3, None: 1}, "template": {"house": 2, None: 2}}
    said["language"] = {"en": 2, "es": 2}
    for by, groups in said.items():
        items = desk.get("dirk", f"/api/proposal-funnel?{WINDOW}&by={by}").json()["items"]
        assert {item["key"]: item["sent"] for item in items} == groups


def test_a_window_is_of_local_days(desk: Desk) -> None:
    """R32: the day of Madrid; what was sent in the first millisecond of a day is of it."""
    now = desk.office.clock.now_ms()
    desk.office.clock.advance(start_of_ms("2026-02-10", "Europe/Madrid") - now)
    draft(desk.office, "bob", "p4", "deal-b", "EUR")
    order(desk.office.phone("bob"), "send", "p4")
    counts = [
        desk.get("dirk", f"/api/proposal-funnel?from={day}&to={after}").json()["total"]["sent"]
        for day, after in (("2026-02-09", "2026-02-10"), ("2026-02-10", "2026-02-11"))
    ]
    assert counts == [0, 1]


def test_a_rate_converts_at_the_day_of_sending(desk: Desk) -> None:
    """R34: and a deal that is deleted is left out."""
    rate = {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.25", "valid_from": "2026-02-01"}
    desk.office.put(("rates", "r-usd", rate))
    total = desk.get("dirk", f"/api/proposal-funnel?{WINDOW}").json()["total"]
    assert (total["converted"]["sent_minor"], total["converted"]["missing"]) == (690_00, [])
    assert total["converted"]["rates"][0]["rate_on"] == "2026-02-01"
    desk.office.delete("deals", "deal-b")
    assert desk.get("dirk", f"/api/proposal-funnel?{WINDOW}").json()["total"]["sent"] == 3


def test_files_say_what_the_answer_says(desk: Desk) -> None:
    path = f"/api/proposal-funnel?{WINDOW}&by=rep"
    answer = desk.get("dirk", f"{path}&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["row"], row["rep"], row["sent"], row["currency"]) for row in rows] == [
        ("group", "ana", "2", "EUR"),
        ("group amount", "ana", "", "EUR"),
        ("group", "bob", "1", "EUR"),
        ("group amount", "bob", "", "USD"),
        ("group", "cleo", "1", "EUR"),
        ("group amount", "cleo", "", "EUR"),
        ("total", "", "4", "EUR"),
        ("total amount", "", "", "EUR"),
        ("total amount", "", "", "USD"),
    ]
    assert [(row["sent_amount"], row["missing"]) for row in rows][2:4] == [("", "USD 2026-02-05"), ("50.00", "")]
    book = desk.get("dirk", f"{path}&format=xlsx")
    assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(io.BytesIO(book.content)).namelist()


@pytest.mark.parametrize(
    "query", ["from=9999-12-30&to=9999-12-31", "from=0001-01-01&to=0001-01-02", "from=1970-01-01&to=1970-01-02"]
)
def test_a_window_in_which_nothing_was_sent_is_empty(desk: Desk, query: str) -> None:
    answer = desk.get("dirk", f"/api/proposal-funnel?{query}")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["total"]["sent"], answer.json()["items"], answer.json()["total"]["opened_bp"]) == (
        0,
        [],
        None,
    )


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-03-01&to=2026-03-01",
        "from=2020-01-01&to=2026-03-01",
        "from=9999-12-31&to=9999-12-31",
        "from=x&to=2026-03-01",
        "from=2026-02-30&to=2026-03-01",
        f"{WINDOW}&by=cost",
        f"{WINDOW}&format=pdf",
        f"{WINDOW}&by=%00",
        "from=2026-01-01",
    ],
)
def test_what_is_no_question_is_refused(desk: Desk, query: str) -> None:
    answer = desk.get("dirk", f"/api/proposal-funnel?{query}")
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["code"] in ("request_invalid", "field_invalid")


def test_what_was_accepted_counts_with_what_it_came_to_and_how_long_it_took(office: Office) -> None:
    """R51, R55: by the very acceptance that wins the deal; who opened it before is counted for the time to open."""
    answers.sent(office)
    at = answers.link(office)
    office.clock.advance(600_000)
    assert look(office, at).counted
    office.clock.advance(3_000_000)
    answers.accept(office, at)
    window = (NOW - DAY_MS, NOW + DAY_MS)
    (kept,) = office.database.read(funnel_reading.read, window, None)
    assert (kept.status, kept.accepted_minor, kept.total_minor) == ("accepted", 300_00, 300_00)
    assert (kept.opened_at, kept.ended_at) == (NOW + 600_000, NOW + 3_600_000)
    assert look(office, at, 2).why_not == "not_current"
    found = office.database.read(funnel_reading.told, "dirk", NOW, "2026-01-01", "2026-02-01", "rep").total
    assert (found.accepted, found.accepted_bp, found.open, found.to_sign.median_s) == (1, 10_000, 0, 3_600)
    assert (found.converted.accepted_minor, found.to_open.median_s) == (300_00, 600)
