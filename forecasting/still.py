"""Open deals that are the same at both ends of a movement, summed without a look at each as a stand. Pure.

Most deals of a company did not change from one snapshot to another: they are in the same document, bucket and node, at
the same rate, and have no hole. They add to opening and closing alike and to no class, so their sums are all that a
bridge needs of them. Whatever is not plainly so is given back, to be looked at by itself.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from forecasting.kept import Row
from forecasting.stands import Around, Lens, by_product
from sfa.core.exchange import Applied
from sfa.core.forecast import OMITTED, bucket_of


class _Deal(Struct, frozen=True, gc=False):
    """What of a document decides where a deal stands."""

    state: str = "open"
    territory_key: str | None = None
    category: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    close_on: str | None = None
    parts: tuple[tuple[str, bool, int, int | None], ...] = ()
    products: tuple[tuple[str, int], ...] = ()
    credits: list[Any] | None = None


_read = msgspec.json.Decoder(_Deal).decode
_At = tuple[str | None, str | None, str | None]  # category, day, currency
_Worth = tuple[str | None, Applied | None]  # bucket, rate


class Still:
    """What of a node stands still between two ends: `amounts` by bucket, and how many deals they are of."""

    def __init__(self, first: Around, last: Around, lens: Lens) -> None:
        self.amounts: dict[str, int] = {}
        self.deals = 0
        self._first, self._last, self._lens = first, last, lens
        self._worths: dict[_At, _Worth | None] = {}
        self._people: dict[tuple[str, str | None], bool | None] = {}
        self._workers: dict[str, bool] = {}

    def sift(self, rows: Iterable[Row]) -> list[Row]:
        """Sum up what stands still of versions that stand at both ends -> the others."""
        others: list[Row] = []
        of_places, of_product, product = self._lens.of_places, self._lens.product is not None, self._lens.product
        worths, people = self._worths, self._people
        for row in rows:
            deal = _read(row[3])
            if deal.state != "open" or deal.credits is not None or deal.amount_minor is None:
                others.append(row)
                continue
            at = deal.category, deal.close_on, deal.currency
            worth = worths[at] if at in worths else self._worth(at)
            if worth is None:
                others.append(row)
                continue
            bucket, applied = worth
            if bucket is None:
                continue
            territory = deal.territory_key if of_places else None
            total, is_here, is_told = 0, False, True
            for user, overlay, share, amount in deal.parts:
                if amount is None:
                    is_told = False
                    break
                if overlay or not share:  # nobody asks where he stands
                    is_his = False if self._works(user) else None
                else:
                    whose = user, territory
                    is_his = people[whose] if whose in people else self._person(whose)
                if is_his is None:
                    is_told = False
                    break
                if is_his:
                    value = amount if applied is None else applied.value(amount)
                    if of_product:
                        parts = dict(by_product(deal.products, value))
                        if product not in parts:
                            continue
                        value = parts[product]
                    is_here = True
                    total += value
            if not is_told:
                others.append(row)
            elif is_here:
                self.deals += 1
                self.amounts[bucket] = self.amounts.get(bucket, 0) + total
        return others

    def _worth(self, at: _At) -> _Worth | None:
        """The bucket and the rate of such deals; None where they are not the same at both ends, or not known."""
        category, close_on, currency = at
        first, last = self._first, self._last
        found: _Worth | None = None
        if close_on is not None and currency is not None:
            period = first.period
            buckets = {
                bucket_of(category or OMITTED, close_on, around.today, period.start_on, period.end_on)
                for around in (first, last)
            }
            rates = {around.applied.get(currency) if currency != around.currency else None for around in (first, last)}
            if len(buckets) == len(rates) == 1:
                (bucket,), (rate,) = buckets, rates
                if rate is not None or currency == first.currency:
                    found = bucket, rate
        self._worths[at] = found
        return found

    def _person(self, whose: tuple[str, str | None]) -> bool | None:
        """Whether parts of a person, in a territory, are in the node; None where that is not the same at both ends, or
        he is nobody."""
        user, territory = whose
        found = set[bool]()
        for around in (self._first, self._last):
            path = around.tree.territory_path(territory, around.today) if self._lens.of_places else ()
            found.add(self._lens.takes(user, around.tree.place(user, around.today), path))
        answer = found.pop() if len(found) == 1 and self._works(user) else None
        self._people[whose] = answer
        return answer

    def _works(self, user: str) -> bool:
        """Whether he is somebody, and has not left, at both ends."""
        if user not in self._workers:
            people = (around.people.get(user) for around in (self._first, self._last))
            self._workers[user] = all(person is not None and person.active for person in people)
        return self._workers[user]
