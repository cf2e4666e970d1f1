"""The last correction of a field counts, in whatever order they come (R14)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.visits.amendments import effective

corrections = st.lists(
    st.tuples(st.sampled_from(("outcome", "purpose")), st.integers(1, 9), st.text(max_size=3)),
    max_size=10,
    unique_by=lambda item: item[:2],
).map(lambda items: [{"field": field, "ordinal": n, "new": new} for field, n, new in items])
VISIT = {"outcome": "sold", "purpose": "rounds", "status": "completed"}


@given(corrections, st.randoms(use_true_random=False))
def test_effective_values_are_those_of_the_last_amendments(made: list[dict[str, Any]], rng: Any) -> None:
    """R14."""
    mixed = [*made, *made]
    rng.shuffle(mixed)
    found = effective(VISIT, mixed)
    for field in VISIT:
        mine = sorted((a["ordinal"], a["new"]) for a in made if a["field"] == field)
        assert found[field] == (mine[-1][1] if mine else VISIT[field])
