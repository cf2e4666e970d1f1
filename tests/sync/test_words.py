"""Texts compared and merged word by word, in any script (S25)."""

import random
from collections import Counter
from itertools import permutations
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from sync import words
from sync.notes import Document

TYPED = ("casa", "ação", "客", "先", "カ", "ทำ", "क्षि", "слово", "👩‍👩‍👧", "🇵🇹", "é", "e\u0301", "1️⃣", ",", "x")
texts = st.lists(st.sampled_from((*TYPED, " ", "\n", "\r\n")), max_size=14).map("".join)


@given(texts)
def test_the_pieces_of_a_text_are_the_text_and_cut_no_visible_character(text: str) -> None:
    pieces = words.words_of(text)
    assert "".join(pieces) == text
    assert [c for piece in pieces for c in regex.findall(r"\X", piece)] == regex.findall(r"\X", text)


@given(texts, texts)
def test_the_changes_make_the_new_text_of_the_old(old: str, new: str) -> None:
    found = words.changes(old, new)
    assert found is not None
    for change in reversed(found):
        old = old[: change.start] + change.words + old[change.end :]
    assert old == new


def test_words_of_scripts_without_spaces_are_single_characters() -> None:
    assert words.words_of("olá, 東京へ 👩‍👩‍👧!") == ["olá", ",", " ", "東", "京", "へ", " ", "👩‍👩‍👧", "!"]


@given(texts, texts)
def test_who_changed_nothing_gets_what_the_other_one_wrote(base: str, other: str) -> None:
    assert words.merge(base, other, base) == other
    assert words.merge(base, base, other) == other
    assert words.merge(base, other, other) == other


def test_a_preview_shows_both_sides_and_glues_nothing() -> None:
    assert words.merge("um dois", "um dois três", "zero um dois") == "zero um dois três"
    assert words.merge("", "olá", "adeus") == "olá adeus"
    assert words.merge("a b c", "a c", "a b c d") == "a c d"


def test_texts_that_differ_too_much_are_not_compared() -> None:
    few = [chr(0x4E00 + i) for i in range(150)]
    assert words.changes("".join(few * 600), "".join(reversed(few * 600))) is None


class Looked(str):
    """A word that counts how often it is compared."""

    times = 0

    def __eq__(self, other: object) -> bool:
        Looked.times += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_far_apart_texts_of_few_words_are_given_up_after_bounded_work() -> None:
    some = random.Random(1)
    old, new = ([Looked(f"w{some.randrange(100)}") for _ in range(10_000)] for _ in range(2))
    Looked.times = 0
    assert words._common(old, new, words.Work(words.COMPARISON_MAX)) is None
    assert Looked.times < 4 * words.COMPARISON_MAX
    work = words.Work(10**9)
    assert words.changes(" ".join(old), " ".join(new), work) is None
    assert 10**9 - work.left <= 1.1 * words.COMPARISON_MAX


def test_no_comparison_is_made_when_the_work_is_used_up() -> None:
    work = words.Work(1_000)
    assert words.changes("um dois", "um três", work) is not None
    assert words.changes("um " * 900, "dois " * 900, work) is None
    assert words.changes("um dois", "um três", work) is None
    assert words.whole("um dois", "um três", work) == [words.Change(0, 7, "um três")]


def test_two_people_rewrite_paragraphs_of_a_long_note() -> None:
    some = random.Random(2)
    paragraphs = [" ".join(f"w{some.randrange(3_000)}" for _ in range(300)) for _ in range(55)]
    base, theirs, mine = ("\n".join(paragraphs) for _ in range(3))
    for at in (3, 20, 40):
        theirs = theirs.replace(paragraphs[at], " ".join(f"a{some.randrange(900)} de" for _ in range(150)))
        mine = mine.replace(paragraphs[at + 5], " ".join(f"b{some.randrange(900)} de" for _ in range(150)))
    assert len(base) > 90_000
    merged = words.merge(base, theirs, mine)
    assert merged is not None
    said = {word for text in (theirs, mine) for word in text.split() if word[0] in "ab"}
    assert said <= set(merged.split())
    assert paragraphs[0] in merged
    assert paragraphs[3] not in merged


@given(texts, texts, st.integers(0, 4))
def test_texts_parted_at_words_that_stand_once_become_the_new_one_or_nothing(old: str, new: str, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "DIFFERENCES_MAX", most)
        found = words.changes(old, new)
    for change in reversed(found or []):
        old = old[: change.start] + change.words + old[change.end :]
    assert found is None or old == new


def test_words_that_stand_once_part_texts_that_differ_in_many_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "DIFFERENCES_MAX", 2)
    old, new = "a u b a v a b w", "b u a a v b a w"
    found = words.changes(old, new)
    assert found is not None
    assert len(found) > 2
    assert words.changes("a b a b b", "b b a a a a") is None


# -- documents: many editors, each with a few saves ----------------------------------------------


class Server:
    """One note on a server: what arrives is merged as a push would."""

    def __init__(self, text: str) -> None:
        self.updates: list[dict[str, Any]] = []
        self.text, self.rev, self.own = text, 1, ""
        self._document(1).catch_up(1, None, text)

    def _document(self, rev: int) -> Document:
        return Document("n", rev, self.updates, self.updates.append)

    def save(self, device: str, base: int, mine: str) -> None:
        merged = self._document(self.rev).type(base, device, mine)
        assert merged is not None
        self.rev += merged != self.text
        self.text = merged


BASE = ("um", "dois", "três", "quatro", "cinco")
# A save: words deleted, and places where new words go.
saves = st.tuples(st.sets(st.integers(0, 4), max_size=2), st.lists(st.integers(0, 9), min_size=1, max_size=3))
editors = st.lists(st.lists(saves, min_size=1, max_size=2), min_size=2, max_size=4)


def typed(name: str, edits: list[tuple[set[int], list[int]]]) -> tuple[list[str], set[str], set[str]]:
    """-> the texts that a device saves one after the other, the words that it inserted, and those that it deleted."""
    now, new, gone, texts = list(BASE), set[str](), set[str](), list[str]()
    for number, (deleted, places) in enumerate(edits):
        for i in deleted:
            if BASE[i] in now:
                now.remove(BASE[i])
                gone.add(BASE[i])
        for place in places:
            word = f"{name}{number}ñ{len(new)}"
            now.insert(min(place, len(now)), word)
            new.add(word)
        texts.append(" ".join(now))
    return texts, new, gone


@given(editors, st.randoms(use_true_random=False))
def test_every_word_survives_once_whatever_arrives_first(
    edits: list[list[tuple[set[int], list[int]]]], order: Any
) -> None:
    """S25: two to four devices edit one text offline, each one or two times."""
    said = [typed("abcd"[i], part) for i, part in enumerate(edits)]
    expected = {word for _, new, _ in said for word in new} | (set(BASE) - {w for _, _, gone in said for w in gone})
    outcomes = set()
    for _ in range(4):
        queues = {f"d{i}": list(part[0]) for i, part in enumerate(said)}
        server = Server(" ".join(BASE))
        while queues:
            device = order.choice(sorted(queues))
            server.save(device, 1, queues[device].pop(0))
            if not queues[device]:
                del queues[device]
        assert Counter(server.text.split()) == Counter(expected)
        outcomes.add(" ".join(server.text.split()))
    assert len(outcomes) == 1


@given(editors)
def test_a_save_that_comes_again_changes_nothing(edits: list[list[tuple[set[int], list[int]]]]) -> None:
    server = Server(" ".join(BASE))
    for i, part in enumerate(edits):
        for text in typed("abcd"[i], part)[0]:
            server.save(f"d{i}", 1, text)
            after = server.text
            server.save(f"d{i}", 1, text)
            assert server.text == after


@given(st.permutations(("東", "京", "へ", "行", "👩‍👩‍👧", "🇯🇵", "く")), st.integers(0, 7), st.integers(0, 7))
def test_characters_of_a_script_without_spaces_survive_each(base: list[str], here: int, there: int) -> None:
    ana, bob = [*base[:here], "明", "日", *base[here:]], [*base[:there], "👍🏽", *base[there:]]
    for order in permutations((("a", ana), ("b", bob))):
        server = Server("".join(base))
        for device, text in order:
            server.save(device, 1, "".join(text))
        assert Counter(regex.findall(r"\X", server.text)) == Counter([*base, "明", "日", "👍🏽"])


def test_two_words_meet_with_a_space_where_others_deleted_all_between_them() -> None:
    server = Server("um dois três quatro cinco")
    server.save("a", 1, "um dois cinco")
    server.save("b", 1, "um dois novo quatro outro cinco")
    assert server.text.split() == ["um", "dois", "novo", "outro", "cinco"]


def test_what_two_people_typed_alike_stays_once_when_one_goes_on() -> None:
    server = Server("um")
    server.save("a", 1, "um dois")
    server.save("b", 1, "um dois")
    server.save("b", 1, "um dois três")
    assert server.text == "um dois três"
