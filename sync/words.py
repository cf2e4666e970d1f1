"""Texts compared and merged word by word, in any script (S25): pure, and shared by server, device and tests.

A *word* is the smallest piece that an edit takes or leaves: a run of letters and digits, or one character of a script
that writes no spaces (Han, kana, Thai, Lao, Khmer, Burmese), or one other character (a space, a comma, an emoji). A
character is what people see: a grapheme cluster is never cut. `merge` needs no documents: it is what a device shows
until the server has answered. Two words that were never typed together are never glued.

A comparison costs at most `COMPARISON_MAX` words and characters looked at, whatever the texts are, and many of them in
one request at most what their `Work` allows. Beyond that the answer is None, never a guess.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

import regex
from msgspec import Struct

BODY_CHARACTERS_MAX = 100_000
DIFFERENCES_MAX = 500  # words by which texts differ that are compared exactly
COMPARISON_MAX = 1_000_000  # words and characters that one comparison may look at

Pairs = list[tuple[int, int]]  # places of one word in two texts

_CLUSTER = regex.compile(r"\X")
_WORD = regex.compile(r"[\p{L}\p{N}_]")
_UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}"
    r"\p{Script=Myanmar}]"
)


class Work:
    """How many words and characters may still be looked at, by all comparisons of a request together."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, amount: int) -> bool:
        """Whether there was that much left; what was not there is owed, so that nothing follows."""
        self.left -= amount
        return self.left >= 0


class Change(Struct, frozen=True):
    """The characters [start, end) of the old text become `words`."""

    start: int
    end: int
    words: str


def words_of(text: str) -> list[str]:
    """The text in pieces; joined they are the text."""
    found: list[str] = []
    start = place = 0
    in_run = False
    for cluster in _CLUSTER.findall(text):
        runs = _runs(cluster)
        if place and not (runs and in_run):
            found.append(text[start:place])
            start = place
        place += len(cluster)
        in_run = runs
    return [*found, text[start:]] if text else []


def _runs(cluster: str) -> bool:
    return bool(_WORD.match(cluster)) and not _UNSPACED.match(cluster)


def glues(before: str, after: str) -> bool:
    """Whether the two texts would become one word where they meet."""
    if not before or not after:
        return False
    return _runs(_CLUSTER.findall(before[-16:])[-1]) and _runs(_CLUSTER.findall(after[:16])[0])


def changes(old: str, new: str, work: Work | None = None) -> list[Change] | None:
    """What makes `new` of `old`, in order, with as few words as can be; None where they differ too much to be compared
    word by word, or `work` is used up."""
    allowed = COMPARISON_MAX if work is None else min(COMPARISON_MAX, work.left)
    mine = Work(allowed)
    found = _changes(old, new, mine)
    if work is not None:
        work.left -= allowed - mine.left
    return found


def _changes(old: str, new: str, work: Work) -> list[Change] | None:
    head = _same_head(old, new)
    tail = _same_tail(old, new, head)
    if not work.spend(len(old) + len(new) - 2 * (head + tail) + 1):  # cut into words is only what is left between
        return None
    a, b = words_of(old[head : len(old) - tail]), words_of(new[head : len(new) - tail])
    here = [i for i, word in enumerate(a) if not word.isspace()]
    there = [i for i, word in enumerate(b) if not word.isspace()]
    kept = _common([a[i] for i in here], [b[i] for i in there], work)
    if kept is None:
        return None
    starts = [head]
    for word in a:
        starts.append(starts[-1] + len(word))
    found: list[Change] = []
    i = j = 0
    for at, to in (*((here[x], there[y]) for x, y in kept), (len(a), len(b))):
        found += _between(starts, a, b, (i, at), (j, to))
        i, j = at + 1, to + 1
    return found


def _same_head(old: str, new: str) -> int:
    """How many characters both begin with, up to behind a space after which a new visible character begins."""
    if old == new:
        return len(old)
    low, high = 0, min(len(old), len(new))
    while low < high:
        half = (low + high + 1) // 2
        low, high = (half, high) if old[low:half] == new[low:half] else (low, half - 1)
    while low and not (old[low - 1] == " " and _begins(old[low : low + 1]) and _begins(new[low : low + 1])):
        low = old.rfind(" ", 0, low - 1) + 1
    return low


def _same_tail(old: str, new: str, head: int) -> int:
    """How many characters both end with beyond their common head, from a space on."""
    low, high = 0, min(len(old), len(new)) - head
    while low < high:
        half = (low + high + 1) // 2
        same = old[len(old) - half : len(old) - low] == new[len(new) - half : len(new) - low]
        low, high = (half, high) if same else (low, half - 1)
    start = len(old) - low
    while start < len(old) and not (old[start] == " " and _begins(old[start + 1 : start + 2])):
        start = old.find(" ", start + 1) % (len(old) + 1)
    return len(old) - start


def _begins(character: str) -> bool:
    """Whether a visible character begins here, behind a space; at the end of the text one might."""
    return not character or len(_CLUSTER.findall(" " + character)) == 2


def _between(starts: list[int], a: list[str], b: list[str], old: tuple[int, int], new: tuple[int, int]) -> list[Change]:
    """The change between two words that stay: spaces at either end stay with them."""
    (i, at), (j, to) = old, new
    while i < at and j < to and a[i] == b[j]:
        i, j = i + 1, j + 1
    while i < at and j < to and a[at - 1] == b[to - 1]:
        at, to = at - 1, to - 1
    return [Change(starts[i], starts[at], "".join(b[j:to]))] if i < at or j < to else []


def _common(a: Sequence[str], b: Sequence[str], work: Work) -> Pairs | None:
    """Which words stay, as places in both: as many as there can be, unless the texts are far apart. Then the words that
    stand once in either part them, and as many as there can be stay between those."""
    first, here, there, last = _may_stay(a, b, range(len(a)), range(len(b)))
    middle = _fewest(a, b, here, there, work)
    if middle is None:
        middle = []
        anchors = _anchors(a, b, here, there)
        i = j = 0
        for x, y in (*anchors, (len(here), len(there))):
            head, mine, other, tail = _may_stay(a, b, here[i:x], there[j:y])
            found = _fewest(a, b, mine, other, work) if anchors else None
            if found is None:
                return None
            anchor = [(here[x], there[y])] if x < len(here) and y < len(there) else []
            middle += [*head, *found, *tail, *anchor]
            i, j = x + 1, y + 1
    return [*first, *middle, *last]


def _may_stay(
    a: Sequence[str], b: Sequence[str], here: Sequence[int], there: Sequence[int]
) -> tuple[Pairs, list[int], list[int], Pairs]:
    """-> the equal words at the beginning, the places between in each text whose word is in the other one too, and the
    equal words at the end."""
    head, tail, most = 0, 0, min(len(here), len(there))
    while head < most and a[here[head]] == b[there[head]]:
        head += 1
    while tail < most - head and a[here[-1 - tail]] == b[there[-1 - tail]]:
        tail += 1
    first = list(zip(here[:head], there[:head], strict=True))
    last = list(zip(here[len(here) - tail :], there[len(there) - tail :], strict=True))
    here, there = here[head : len(here) - tail], there[head : len(there) - tail]
    mine, others = {a[i] for i in here}, {b[j] for j in there}
    return first, [i for i in here if a[i] in others], [j for j in there if b[j] in mine], last


def _anchors(a: Sequence[str], b: Sequence[str], here: Sequence[int], there: Sequence[int]) -> Pairs:
    """The longest run in one order of words that stand once in either text, as places in `here` and `there`."""
    mine, others = Counter(a[i] for i in here), Counter(b[j] for j in there)
    place = {b[j]: y for y, j in enumerate(there) if others[b[j]] == 1}
    once = [(x, place[a[i]]) for x, i in enumerate(here) if mine[a[i]] == 1 and a[i] in place]
    ends: list[int] = []  # the smallest end of a run of each length
    tops: list[int] = []
    before: list[int] = []
    for number, (_, y) in enumerate(once):
        length = bisect_left(ends, y)
        ends[length : length + 1], tops[length : length + 1] = [y], [number]
        before.append(tops[length - 1] if length else -1)
    found: Pairs = []
    number = tops[-1] if tops else -1
    while number >= 0:
        found.append(once[number])
        number = before[number]
    return found[::-1]


def _fewest(
    all_a: Sequence[str], all_b: Sequence[str], here: Sequence[int], there: Sequence[int], work: Work
) -> Pairs | None:
    """The longest common subsequence (Myers 1986), if at most `DIFFERENCES_MAX` words differ."""
    a, b = [all_a[i] for i in here], [all_b[j] for j in there]
    if not a or not b:
        return []
    furthest = {1: 0}
    steps: list[dict[int, int]] = []
    for d in range(min(DIFFERENCES_MAX, len(a) + len(b)) + 1):
        if not work.spend(2 * d + 1):
            return None
        steps.append({k: furthest[k] for k in range(-d - 1, d + 2) if k in furthest})
        for k in range(-d, d + 1, 2):
            down = k == -d or (k != d and furthest[k - 1] < furthest[k + 1])
            x = start = furthest[k + 1] if down else furthest[k - 1] + 1
            y = x - k
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x >= len(a) and y >= len(b):
                return [(here[i], there[j]) for i, j in _back(steps, len(a), len(b))]
            if x > start and not work.spend(x - start):
                return None
    return None


def _back(steps: list[dict[int, int]], x: int, y: int) -> Pairs:
    kept: Pairs = []
    for d in range(len(steps) - 1, -1, -1):
        before, k = steps[d], x - y
        down = k == -d or (k != d and before.get(k - 1, -1) < before.get(k + 1, -1))
        came = k + 1 if down else k - 1
        from_x = before.get(came, 0) if d else 0
        from_y = from_x - came if d else 0
        while x > from_x and y > from_y:
            x, y = x - 1, y - 1
            kept.append((x, y))
        if d:
            x, y = from_x, from_y
    return kept[::-1]


def whole(old: str, new: str, work: Work | None = None) -> list[Change]:
    """The changes, or the whole text replaced where it cannot be compared."""
    found = changes(old, new, work)
    return [Change(0, len(old), new)] if found is None else found


def merge(base: str, theirs: str, mine: str) -> str | None:
    """Both sides' changes of `base`; inserted at one place, theirs come first. What either deleted is gone. None where
    the texts cannot be compared or the outcome is too long."""
    if mine in (base, theirs):
        return theirs
    if theirs == base:
        return mine
    left, right = changes(base, theirs), changes(base, mine)
    if left is None or right is None:
        return None
    inserted: dict[int, list[str]] = {}
    kept = bytearray(b"\x01") * len(base)
    for change in (*left, *right):
        inserted.setdefault(change.start, []).append(change.words)
        kept[change.start : change.end] = bytes(change.end - change.start)
    pieces: list[str] = []
    origins: list[bool] = []  # whether a piece was inserted
    start = 0
    for place in sorted({*inserted, len(base)}):
        pieces.append("".join(base[i] for i in range(start, place) if kept[i]))
        origins.append(False)
        for words in inserted.get(place, ()):
            pieces.append(words)
            origins.append(True)
        start = place
    merged = ""
    for piece, is_new in zip(pieces, origins, strict=True):
        merged += " " if is_new and merged and piece and glues(merged, piece) else ""
        merged += piece
    return merged if len(merged) <= BODY_CHARACTERS_MAX else None
