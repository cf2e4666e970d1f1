"""What a process keeps of forecasts: made once, of the newest clock number, no more than it may weigh (R30)."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from forecasting import reading, service
from forecasting.keeping import Kept
from tests.crm.desk import Desk
from tests.forecasting.telling import rollup
from tests.forecasting.test_overrides import ANA, listed, said
from tests.forecasting.test_routes import warmth


def kept(most: int = 3, weight_max: int | None = None) -> Kept[tuple[int, str], str]:
    return Kept(lambda key: key[0], most, weight_of=len if weight_max else lambda _: 1, weight_max=weight_max)


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    found = kept()
    for name in "abc":
        found.put((1, name), name)
    assert found.get((1, "a")) == "a"
    found.put((1, "d"), "d")
    assert [key[1] for key, _ in found.items()] == ["c", "a", "d"]


def test_what_is_of_an_earlier_clock_number_is_let_go_and_not_taken_again() -> None:
    found = kept()
    found.put((1, "a"), "a")
    found.put((2, "b"), "b")
    found.put((1, "late"), "c")
    assert (found.items(), found.weight) == ([((2, "b"), "b")], 1)


def test_no_more_is_kept_than_it_may_weigh() -> None:
    found = kept(100, 10)
    for name in ("aaaa", "bbbb", "cccc"):
        found.put((1, name), name)
    assert ([value for _, value in found.items()], found.weight) == (["bbbb", "cccc"], 8)
    found.put((1, "huge"), "h" * 11)
    assert len(found) == 2
    found.put((1, "bbbb"), "b")
    assert found.weight == 5


class Reads:
    """The periods whose deals were read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.periods: list[str] = []
        real = reading.read_raw

        def counted(connection: Any, world: Any, period: Any, by: str, **how: Any) -> Any:
            self.periods.append(period.key)
            time.sleep(0.1)  # so that those who ask at once meet
            return real(connection, world, period, by, **how)

        monkeypatch.setattr(service, "read_raw", counted)


def test_a_cold_roll_up_reads_the_deals_once_however_many_ask(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(monkeypatch)
    desk.token("root")
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: rollup(desk), range(5)))
    assert reads.periods == ["q1"]
    assert all(answer == answers[0] for answer in answers)


def test_answers_of_earlier_clock_numbers_are_not_kept(desk: Desk) -> None:
    forecasts = desk.client.app.state.services.forecasts
    for amount in range(5):
        desk.office.put(("deals", "deal-a", {"amount_minor": 1_000 + amount}))
        rollup(desk)
        rollup(desk, "ana")
    assert (len(forecasts._answers), len(forecasts._bases)) == (2, 1)
    assert forecasts._answers.weight == sum(len(told.nodes) for _, (_, told) in forecasts._answers.items())


def test_what_people_look_at_is_not_put_out_by_what_is_asked_once(desk: Desk) -> None:
    """Also where their answers are kept, so that nobody looks at the base itself."""
    warmth(desk, "dirk")
    for currency in ("USD", "GBP", "JPY", "CHF", "SEK"):
        assert warmth(desk, path=f"/api/forecast/rollup?period=q1&currency={currency}") == "cold"
        assert warmth(desk, "dirk") == "warm"
    assert warmth(desk, "mia") == "warm"


def test_a_page_of_overrides_looks_at_one_forecast_and_keeps_none_warm(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    months = [f"m{n}" for n in range(6)]
    for n, key in enumerate(months):
        days = {"start_on": f"2026-{n + 3:02}-01", "end_on": f"2026-{n + 4:02}-01"}
        desk.office.put(("fiscal_periods", key, {"name": key, "kind": "month", **days}))
    for key in months:
        said(desk, "ana", ANA, amount=1, period=key)
    forecasts = desk.client.app.state.services.forecasts
    forecasts._asked.clear()
    reads, seen = Reads(monkeypatch), list[str]()
    page: dict[str, Any] = {"next": None}
    for _ in months:
        before = len(reads.periods)
        after = f"?after={page['next']}" if page["next"] is not None else ""
        page = desk.get("ana", f"/api/forecast/overrides{after}").json()
        assert len(reads.periods) <= before + 1
        seen += [item["override"]["period_key"] for item in page["items"]]
    assert (seen, page["next"]) == (months, None)
    assert forecasts._asked == {}
    assert [item["override"]["period_key"] for item in listed(desk, "ana", period="m4")] == ["m4"]


def test_what_nobody_can_be_told_is_not_made_ahead_in_the_place_of_what_is_looked_at(desk: Desk) -> None:
    forecasts = desk.client.app.state.services.forecasts
    rollup(desk)
    for n in range(service.BASES_MAX):
        assert desk.get("root", f"/api/forecast/rollup?period=nowhere-{n}").status_code == 422
    assert [wanted.period for wanted in forecasts._asked] == ["q1"]


def test_no_dimension_at_all_is_refused(desk: Desk) -> None:
    answer = desk.get("root", "/api/forecast/rollup?period=q1&by=")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
