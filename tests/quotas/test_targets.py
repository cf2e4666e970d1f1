"""R5: which target counts, live, on a device and in a closing: the same one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.quotas.measures import QuotaRow
from sfa.quotas.tallies import Version, in_force
from sync.device.attainment import own_figures
from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.quotas.books import close, quarter, told, until
from tests.sync.device.pocket import pocket

days = st.sampled_from([f"2026-0{month}-{day}" for month in range(1, 7) for day in ("01", "15", "28")])
bounds: dict[str, Any] = {"start_on": "2026-01-01", "end_on": "2026-04-01", "start_at": 0, "end_at": 1}
QUOTA = QuotaRow(key="q", period_key="q1", period_name="Q1", measure="revenue", target=1, currency="EUR", **bounds)


def approve(office: Office, key: str, **said: Any) -> Any:
    return office.phone("fay").do("quota.approve", "quotas", key, set=said)


def again(office: Office, key: str, target: int, **said: Any) -> Any:
    """Another target, approved."""
    fay = office.phone("fay")
    assert fay.do("quota.reset", "quotas", key, set={}).outcome == "applied"
    assert fay.edit("quotas", key, target=target).outcome == "applied"
    return approve(office, key, **said)


def live(desk: Desk, key: str, as_of: str = "") -> tuple[int, int]:
    desk.forget_tokens()
    found = desk.get("fay", f"/api/quotas/{key}/attainment{as_of}").json()
    return found["target"], found["version"]


@given(st.lists(days, min_size=1, max_size=5), st.none() | days)
def test_from_its_day_on_the_latest_approved_version_counts_and_after_the_period_nothing_changes(
    dated: list[str], day: str | None
) -> None:
    versions = [Version(number, number, "EUR", valid_from) for number, valid_from in enumerate(dated, 1)]
    found, last = in_force(QUOTA, versions, day), "2026-03-31"
    on = min(day or last, last)
    counting = [v for v in versions if v.valid_from <= on]
    if counting:
        assert found.version == counting[-1].number
    else:
        first = min(dated)
        assert found.version == max(v.number for v in versions if v.valid_from == first)
    assert in_force(QUOTA, versions, "2026-05-05") == in_force(QUOTA, versions, None)


def test_a_target_that_is_approved_after_the_end_counts_on_the_last_day_live_on_a_device_and_closed(
    office: Office,
) -> None:
    """R5: what a screen shows is what is closed."""
    quarter(office)
    device = pocket(office, "ana")
    with opened(office) as desk:
        assert approve(office, "q-ana").outcome == "applied"
        until(office, "2026-04-02 08:00")
        assert again(office, "q-ana", 800_000).outcome == "applied"
        assert office.rows("quota_versions")[-1]["valid_from"] == "2026-03-31"
        device.sync()
        here = own_figures(device)["q-ana"].quota
        assert live(desk, "q-ana") == (here.target, here.version) == (800_000, 2)
        assert close(office).outcome == "applied"
        sides = [told(desk, "q-ana")[side] for side in ("closed", "restated")]
        assert [(side["target"], side["version"]) for side in sides] == [(800_000, 2)] * 2
        until(office, "2026-05-02 08:00")
        assert live(desk, "q-ana") == (800_000, 2)


def test_a_day_behind_the_end_of_the_period_is_refused(office: Office) -> None:
    """R5: it would never count."""
    quarter(office)
    receipt = approve(office, "q-ana", valid_from="2026-04-01")
    assert (receipt.code, receipt.details) == ("field_invalid", {"field": "valid_from", "latest": "2026-03-31"})
    assert approve(office, "q-ana", valid_from="2026-03-31").outcome == "applied"


def test_a_version_that_is_not_in_force_yet_is_superseded_at_once(office: Office) -> None:
    """R5: an approval that is answered "applied" is what counts."""
    quarter(office)
    with opened(office) as desk:
        assert approve(office, "q-ana-2", valid_from="2026-05-01").outcome == "applied"
        assert again(office, "q-ana-2", 800_000, valid_from="2026-05-01").outcome == "applied"
        assert live(desk, "q-ana-2") == (800_000, 2), "of one day the later one"
        assert again(office, "q-ana-2", 700_000, valid_from="2026-04-15").outcome == "applied"
        assert again(office, "q-ana-2", 600_000).outcome == "applied"
        assert live(desk, "q-ana-2") == live(desk, "q-ana-2", "?as_of=2026-06-30") == (600_000, 4)
        assert again(office, "q-ana-2", 1, valid_from="2026-01-01").code == "field_invalid", "what counts, counted"
