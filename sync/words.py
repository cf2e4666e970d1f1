"""Texts compared and merged word by word, in any script (S25): pure, and shared by server, device and tests.

A *word* is the smallest piece that an edit takes or leaves: a run of letters and digits, or one character of a script
that writes no spaces (Han, kana, Thai, Lao, Khmer, Burmese), or one other character (a space, a comma, an emoji). A
character is what people see: a grapheme cluster is never cut. `merge` needs no documents: it is what a device shows
until the server has answered. Two words that were never typed together are never glued.
"""

from collections import Counter
from difflib import SequenceMatcher

import regex
from msgspec import Struct

BODY_CHARACTERS_MAX = 100_000
DIFFERENCES_MAX = 500  # words by which texts differ that are compared exactly
WORK_MAX = 2_000_000  # pairs of equal words that a rougher comparison may look at

_CLUSTER = regex.compile(r"\X")
_WORD = regex.compile(r"[\p{L}\p{N}_]")
_UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}"
    r"\p{Script=Myanmar}]"
)


class Change(Struct, frozen=True):
    """The characters [start, end) of the old text become `words`."""

    start: int
    end: int
    words: str


def words_of(text: str) -> list[str]:
    """The text in pieces; joined they are the text."""
    found: list[str] = []
    in_run = False
    for cluster in _CLUSTER.findall(text):
        runs = _runs(cluster)
        if runs and in_run:
            found[-1] += cluster
        else:
            found.append(cluster)
        in_run = runs
    return found


def _runs(cluster: str) -> bool:
    return bool(_WORD.match(cluster)) and not _UNSPACED.match(cluster)


def glues(before: str, after: str) -> bool:
    """Whether the two texts would become one word where they meet."""
    if not before or not after:
        return False
    return _runs(_CLUSTER.findall(before[-16:])[-1]) and _runs(_CLUSTER.findall(after[:16])[0])


def changes(old: str, new: str) -> list[Change] | None:
    """What makes `new` of `old`, in order, with as few words as can be; None where they differ too much to be compared
    word by word."""
    a, b = words_of(old), words_of(new)
    here = [i for i, word in enumerate(a) if not word.isspace()]
    there = [i for i, word in enumerate(b) if not word.isspace()]
    kept = _common([a[i] for i in here], [b[i] for i in there])
    if kept is None:
        return None
    starts = [0]
    for word in a:
        starts.append(starts[-1] + len(word))
    found: list[Change] = []
    i = j = 0
    for at, to in (*((here[x], there[y]) for x, y in kept), (len(a), len(b))):
        found += _between(starts, a, b, (i, at), (j, to))
        i, j = at + 1, to + 1
    return found


def _between(starts: list[int], a: list[str], b: list[str], old: tuple[int, int], new: tuple[int, int]) -> list[Change]:
    """The change between two words that stay: spaces at either end stay with them."""
    (i, at), (j, to) = old, new
    while i < at and j < to and a[i] == b[j]:
        i, j = i + 1, j + 1
    while i < at and j < to and a[at - 1] == b[to - 1]:
        at, to = at - 1, to - 1
    return [Change(starts[i], starts[at], "".join(b[j:to]))] if i < at or j < to else []


def _common(a: list[str], b: list[str]) -> list[tuple[int, int]] | None:
    """Which words stay, as places in both: as many as there can be, unless the texts are far apart."""
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    first = [(i, i) for i in range(head)]
    last = [(len(a) - i, len(b) - i) for i in range(tail, 0, -1)]
    a, b = a[head : len(a) - tail], b[head : len(b) - tail]
    middle: list[tuple[int, int]] | None = []
    if a and b:
        middle = _fewest(a, b)
        if middle is None:
            middle = _blocks(a, b)
    return None if middle is None else [*first, *((head + i, head + j) for i, j in middle), *last]


def _fewest(a: list[str], b: list[str]) -> list[tuple[int, int]] | None:
    """The longest common subsequence (Myers 1986), if at most `DIFFERENCES_MAX` words differ."""
    furthest = {1: 0}
    steps: list[dict[int, int]] = []
    for d in range(min(DIFFERENCES_MAX, len(a) + len(b)) + 1):
        steps.append({k: furthest[k] for k in range(-d - 1, d + 2) if k in furthest})
        for k in range(-d, d + 1, 2):
            down = k == -d or (k != d and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            y = x - k
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x >= len(a) and y >= len(b):
                return _back(steps, len(a), len(b))
    return None


def _back(steps: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
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


def _blocks(a: list[str], b: list[str]) -> list[tuple[int, int]] | None:
    """Common runs of words, the longest first: for texts that are far apart. None where that would take too long."""
    times = Counter(b)
    if sum(times[word] for word in a) > WORK_MAX:
        return None
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]


def whole(old: str, new: str) -> list[Change]:
    """The changes, or the whole text replaced where it cannot be compared."""
    found = changes(old, new)
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
