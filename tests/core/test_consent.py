"""Whether somebody may be contacted: default deny, the latest decision counts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.consent import Verdict, may_contact

rows = st.lists(
    st.fixed_dictionaries(
        {
            "purpose": st.sampled_from(["news", "offers"]),
            "channel": st.sampled_from(["any", "email", "phone"]),
            "granted": st.booleans(),
            "decided_at": st.one_of(st.none(), st.integers(0, 9)),
            "created_at": st.integers(0, 9),
        }
    ),
    max_size=8,
)


def keyed(found: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"c{i}", row) for i, row in enumerate(found)]


@given(rows, st.integers(0, 10))
def test_the_verdict_is_that_of_the_last_decision_that_matches(found: list[dict[str, Any]], at: int) -> None:
    def when(row: dict[str, Any]) -> int:
        return row["created_at"] if row["decided_at"] is None else int(row["decided_at"])

    fits = [r for r in found if r["purpose"] == "news" and r["channel"] in ("any", "email") and when(r) <= at]
    last = [r for r in fits if when(r) == max(map(when, fits))]
    verdict = may_contact(keyed(found), "news", "email", at)
    assert verdict.allowed == (bool(last) and all(r["granted"] for r in last))
    assert (verdict.reason == "no_consent") == (not fits)


@given(rows, st.integers(0, 10), st.randoms())
def test_the_order_in_which_consents_arrive_does_not_matter(found: Any, at: int, chance: Any) -> None:
    shuffled = keyed(found)
    chance.shuffle(shuffled)
    assert may_contact(shuffled, "news", "email", at) == may_contact(keyed(found), "news", "email", at)


def test_without_any_consent_nothing_is_allowed() -> None:
    assert may_contact([], "news", "email", 10**15) == Verdict(False, "no_consent")
