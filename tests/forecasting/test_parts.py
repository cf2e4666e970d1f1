"""Parts of deals in their order, page by page: the same as all facts gathered and sorted (R23)."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from forecasting.answers import UNLISTED, Fact
from forecasting.ledger import parted
from forecasting.parts import Order, Part, listed, parts_of
from sfa.core.forecast import BUCKETS
from tests.forecasting.test_rollup import facts


def plainly(said: list[Fact], by: str, bucket: str | None) -> list[tuple[Order, int | None, int | None]]:
    sums: dict[Order, list[tuple[int | None, int | None]]] = {}
    for whole in said:
        for _, fact in parted(whole, by):
            if fact.bucket not in UNLISTED if bucket is None else fact.bucket == bucket:
                at = fact.deal_key, fact.user_key, fact.bucket, fact.overlay
                sums.setdefault(at, []).append((fact.amount_minor, fact.weighted_minor))
    return [(at, _sum([a for a, _ in of]), _sum([w for _, w in of])) for at, of in sorted(sums.items())]


def _sum(values: list[int | None]) -> int | None:
    return None if None in values else sum(value for value in values if value is not None)


def paged(said: list[Fact], by: str, bucket: str | None, size: int) -> Iterator[Part]:
    leaves, after = parts_of(said, by).leaves(lambda _: True), None
    while True:
        page = [part for part, _ in zip(listed(leaves, bucket, after), range(size), strict=False)]
        yield from page
        if len(page) < size:
            return
        after = page[-1].at


@given(
    st.lists(facts(), max_size=25),
    st.sampled_from(("owner", "territory", "product")),
    st.sampled_from((None, "undated", *BUCKETS)),
    st.integers(1, 4),
)
def test_pages_tell_each_part_once_in_order_r23(said: list[Fact], by: str, bucket: str | None, size: int) -> None:
    found = [(part.at, part.amount, part.weighted) for part in paged(said, by, bucket, size)]
    assert found == plainly(said, by, bucket)
