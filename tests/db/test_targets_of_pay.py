"""Commission of a quota is reckoned on the version that figures count by (R5, R41)."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.db.earnings import _in_force
from sfa.quotas.measures import QuotaRow
from sfa.quotas.tallies import Version, in_force

DAYS = st.dates().filter(lambda day: 1 < day.year < 9000).map(lambda day: day.isoformat())
QUOTA: dict[str, Any] = {"key": "q", "period_key": "p", "measure": "revenue", "target": 1, "currency": "EUR"}


@given(st.lists(DAYS, min_size=1, max_size=6), DAYS)
def test_pay_and_figures_take_the_same_version_of_a_quota(begin: list[str], day: str) -> None:
    versions = [Version(number, 100 + number, "EUR", on) for number, on in enumerate(begin, 1)]
    days = {"period_name": "P", "start_on": "0001-01-01", "end_on": "9999-12-31", "start_at": 0, "end_at": 1}
    known = {name: None for name in QuotaRow.__struct_fields__ if name not in (*QUOTA, *days)}
    quota = QuotaRow(**{**known, **QUOTA, **days})
    rows = [SimpleNamespace(number=v.number, target=v.target, valid_from=v.valid_from) for v in versions]
    assert _in_force(rows, day).number == in_force(quota, versions, day).version
