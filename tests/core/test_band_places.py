"""Which places of a total credits occupy (R41), against a model that counts every place by itself."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.band_places import Places, Stretch

LOW, HIGH = -400, 400


class EveryPlace:
    """How often each place is taken, one by one; everything below nothing is taken once at first."""

    def __init__(self) -> None:
        self.level = {place: 1 if place < 0 else 0 for place in range(LOW, HIGH)}

    def take(self, amount: int) -> list[int]:
        if amount > 0:
            found = [place for place in range(LOW, HIGH) if self.level[place] <= 0][:amount]
        else:
            found = [place for place in reversed(range(LOW, HIGH)) if self.level[place] >= 1][:-amount]
        self.add(found, 1 if amount > 0 else -1)
        return found

    def add(self, places: list[int], by: int) -> None:
        for place in places:
            self.level[place] += by


def every(stretches: list[Stretch]) -> list[int]:
    return sorted(place for low, high in stretches for place in range(low, high))


@given(st.lists(st.tuples(st.integers(-12, 12).filter(bool), st.booleans()), max_size=25))
def test_places_are_taken_and_given_back_as_if_each_were_counted_by_itself(steps: list[tuple[int, bool]]) -> None:
    places, model = Places(), EveryPlace()
    held: list[tuple[int, list[Stretch], list[int]]] = []
    for amount, gives_back in steps:
        if gives_back and held:
            before, stretches, found = held.pop(abs(amount) % len(held))
            places.give_back(before, stretches)
            model.add(found, -1 if before > 0 else 1)
            continue
        stretches, found = places.take(amount), model.take(amount)
        assert every(stretches) == sorted(found)
        held.append((amount, stretches, found))
