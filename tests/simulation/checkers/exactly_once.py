"""Nothing happens twice (promise 2): one receipt and one set of changes for each (device, n), units whole (S18-S20).

The ledger has seen to it that no number was sent with two contents or answered with two receipts.
"""

from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed


def check(books: Books) -> None:
    _check_receipts(books)
    _check_changes(books)
    _check_units(books)


def _check_receipts(books: Books) -> None:
    numbers: dict[str, list[int]] = {}
    for row in books.receipt_rows:
        found = [item["n"] for item in row["items"]]
        if row["items"][0]["outcome"] == "skipped":
            found = list(range(found[0], row["items"][0]["details"]["last_n"] + 1))
        if found != list(range(row["first_n"], row["last_n"] + 1)):
            raise Failed("exactly_once", f"{row['device_key']}: receipts {found} in a row of {row['first_n']}..")
        numbers.setdefault(row["device_key"], []).extend(found)
    for device, last_n in books.last_n.items():
        if sorted(numbers.get(device, [])) != list(range(1, last_n + 1)):
            raise Failed("exactly_once", f"{device} has taken {last_n}, receipts are {sorted(numbers.get(device, []))}")
    for mark, told in books.ledger.receipts.items():
        stored = {**books.told.get(mark, {}), "digest": None}
        if stored != {**told, "digest": None}:
            raise Failed("exactly_once", f"{mark} was told {told}, stored is {stored}")


def _check_changes(books: Books) -> None:
    for mark, entries in books.made.items():
        places = [(entry["entity"], entry["key"]) for entry in entries if entry["kind"] != "refusal.offer"]
        twice = sorted({place for place in places if places.count(place) > 1})
        if twice:
            raise Failed("exactly_once", f"{mark} changed {twice} more than once: {[e['changes'] for e in entries]}")
        told = books.told.get(mark)
        if told is None:
            raise Failed("exactly_once", f"{mark} changed {places} without a receipt")
        written = any(entity != "refusals" for entity, _ in places)
        if told["outcome"] == "refused" and written and not books.is_repaired(mark):
            raise Failed("exactly_once", f"{mark} was refused ({told['code']}) and still changed {places}")


def _check_units(books: Books) -> None:
    units: dict[tuple[str, str], list[str]] = {}
    for mark, mutation in books.sent.items():
        if mutation.get("unit") is not None and mark in books.told:
            units.setdefault((mark[0], mutation["unit"]["id"]), []).append(books.told[mark]["outcome"])
    for (device, unit), outcomes in units.items():
        if "refused" in outcomes and set(outcomes) != {"refused"}:
            raise Failed("exactly_once", f"unit {unit} of {device} landed in part: {outcomes}")
