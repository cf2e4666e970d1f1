"""S32: one document of the feed as an older version is told it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.shapes import SHAPES
from sfa.db import feed
from sync.projection import PREFIX, Projection
from sync.versions import VERSIONS
from tests.office import Office
from tests.older_contract import DESCRIBED_FROM_0, UNKNOWN, VERSIONS_FROM_0, told

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=8))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any], bytes]:
    """An entity, a row and the document as the feed makes it; texts may look like the document's own members."""
    entity = draw(st.sampled_from(sorted(SHAPES)))
    row = {field: draw(VALUES) for field in SHAPES[entity].types}
    if "name" in row:
        row["name"] = draw(st.sampled_from(['{"entity":"tasks","key"', '"row":{', "x"]))
    if entity == "deals":
        row["amount_minor"] = draw(st.none() | st.integers(0, 10**9))
    return entity, row, _doc(entity, row)


def _doc(entity: str, row: dict[str, Any]) -> bytes:
    return feed.ENCODER.encode({"entity": entity, "key": "k", "rev": 3, "row": row})


@given(documents(), st.sampled_from([0, 1]))
def test_an_older_version_is_told_what_it_knows_in_its_own_words(
    made: tuple[str, dict[str, Any], bytes], contract: int
) -> None:
    entity, row, doc = made
    projection = VERSIONS_FROM_0.projection(contract)
    assert projection is not None
    found = projection.doc(doc)
    wanted = told(contract, entity, row)
    if wanted is None:
        assert found is None
    else:
        assert found is not None
        assert msgspec.json.decode(found) == {"entity": entity, "key": "k", "rev": 3, "row": wanted}
        assert set(wanted) <= set(DESCRIBED_FROM_0[contract].entities[entity])


@given(documents())
def test_a_document_of_an_entity_that_did_not_change_is_not_touched(made: tuple[str, dict[str, Any], bytes]) -> None:
    entity, _, doc = made
    projection = VERSIONS_FROM_0.projection(0)
    assert projection is not None
    if entity in {"notes", "users", "prices"}:
        assert projection.doc(doc) is doc


def test_tombstones_pass_unless_the_entity_is_unknown() -> None:
    projection = VERSIONS_FROM_0.projection(0)
    assert projection is not None
    for entity in SHAPES:
        doc = feed.ENCODER.encode({"entity": entity, "key": "k", "rev": 3, "gone": True})
        assert projection.doc(doc) == (None if told(0, entity, _blank(entity)) is None else doc)


def _blank(entity: str) -> dict[str, Any]:
    return dict.fromkeys(SHAPES[entity].types)


@pytest.mark.parametrize("user", ["ana", "dirk"])
def test_every_document_of_the_feed_begins_with_its_entity(shared_office: Office, user: str) -> None:
    """What tells whether a document must be decoded at all."""
    shared_office.delete("contacts", "zoe")
    held = sorted(shared_office.held(user))
    docs = shared_office.database.read(lambda c: [bytes(doc) for _, _, doc in feed.news(c, held, 0, 10_000, {})])
    assert len(docs) > 20
    assert [doc for doc in docs if not doc.startswith(PREFIX)] == []


def test_the_newest_version_goes_through_nothing() -> None:
    assert VERSIONS.projection(VERSIONS.maximum) is None
    assert VERSIONS_FROM_0.projection(VERSIONS.maximum) is None
    same = Projection(DESCRIBED_FROM_0[1].entities, DESCRIBED_FROM_0[1].entities, [])
    assert same.is_identity


def test_rows_of_an_entity_that_no_description_has_are_told_to_nobody_older() -> None:
    projection = VERSIONS.projection(1)
    assert projection is not None
    assert projection.doc(_doc("secrets", {"a": 1})) is None


def test_what_is_unknown_is_named_for_the_digests() -> None:
    projection = VERSIONS_FROM_0.projection(0)
    assert projection is not None
    later = DESCRIBED_FROM_0[VERSIONS.maximum].entities.keys() - DESCRIBED_FROM_0[1].entities.keys()
    assert projection.unknown == UNKNOWN | later
