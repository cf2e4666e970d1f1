"""Which rate of effort counts on a day: found by its first day, as if all were looked through."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.dated import EffortRate, EffortRates

DAYS = [f"2026-01-0{n}" for n in range(1, 10)]
ends = st.none() | st.sampled_from(DAYS)
rates_ = st.lists(
    st.tuples(
        st.sampled_from(["work_hour", "capital"]), st.sampled_from(["ana", "bob", None]), st.sampled_from(DAYS), ends
    ),
    max_size=12,
)


@given(rates_, st.sampled_from(["ana", None]), st.sampled_from(DAYS))
def test_a_person_s_own_rate_comes_before_everybody_s_and_the_latest_before_the_rest(
    said: list[tuple[str, str | None, str, str | None]], user: str | None, day: str
) -> None:
    """R40."""
    rates = [
        EffortRate(f"r{n:02}", kind, of, n, "EUR", None, since, to) for n, (kind, of, since, to) in enumerate(said)
    ]
    valid = [
        r
        for r in rates
        if r.kind == "work_hour" and r.user_key in (None, user) and r.valid_from <= day < (r.valid_to or "9999")
    ]
    wanted = max(valid, key=lambda r: (r.user_key is not None, r.valid_from, r.key), default=None)
    assert EffortRates(rates).on("work_hour", user, day) == wanted
