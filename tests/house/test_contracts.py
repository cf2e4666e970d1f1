"""What a contract version promises is kept (S32): the newest description is the code's, the older ones stand still."""

import re
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from sfa.core.shapes import SHAPES
from sync.protocol import CONTRACT_MAX, CONTRACT_PUSH_MIN
from sync.versions import CHANGES, DESCRIBED, FOLDER, Change, Described, Versions, read_description
from tests.house import contract_shapes
from tests.house.contract_shapes import NEW_VERSION, broken_promises
from tests.house.tree import document
from tests.older_contract import CHANGES_FROM_0, DESCRIBED_FROM_0

# Versions that apps in the field speak: their descriptions never change again.
FROZEN = {1: "bffc4a478e3e815780c5f94988960e5e88c2c6f144f8443728e0c07a1c01cdcc"}


def test_the_newest_version_keeps_what_it_promised() -> None:
    """Whoever removes, renames or retypes a field is stopped here, and makes a new version."""
    assert broken_promises(read_description(CONTRACT_MAX), contract_shapes.now()) == []


def test_what_the_newest_version_gained_is_described() -> None:
    text = (FOLDER / f"v{CONTRACT_MAX}.json").read_text("utf-8")
    assert contract_shapes.text_of(contract_shapes.now()) == text, "run: python -m tests.house.contract_shapes"


def test_descriptions_of_older_versions_never_change_again() -> None:
    files = {version: (FOLDER / f"v{version}.json").read_bytes() for version in range(CONTRACT_PUSH_MIN, CONTRACT_MAX)}
    assert {version: sha256(content).hexdigest() for version, content in files.items()} == FROZEN


def test_older_versions_can_still_be_told_what_they_were_promised() -> None:
    assert untold(DESCRIBED, CHANGES) == []
    assert untold(DESCRIBED_FROM_0, CHANGES_FROM_0) == []


def untold(described: dict[int, Described], changes: dict[int, Change]) -> list[str]:
    """What an older version knows and cannot be made from today's rows: the same field, or the turns of its entity."""
    versions, newest = Versions(described, changes, min(described), min(described)), max(described)
    said: list[str] = []
    for version, known in described.items():
        turned = {entity for v in range(version + 1, newest + 1) if v in changes for entity in changes[v].down}
        plain = Described({e: f for e, f in known.entities.items() if e not in turned}, [])
        said += [f"version {version}: {line}" for line in broken_promises(plain, contract_shapes.now())]
        projection = versions.projection(version)
        for entity in turned & known.entities.keys():
            assert projection is not None
            row = dict.fromkeys(SHAPES[entity].types)
            doc = projection.doc(msgspec.json.encode({"entity": entity, "key": "k", "rev": 1, "row": row}))
            found = msgspec.json.decode(doc)["row"].keys() if doc is not None else set()
            if found != known.entities[entity].keys():
                said.append(f"version {version}: {entity} is told as {sorted(found)}")
    return said


def test_every_version_is_in_the_table_of_the_protocol_page() -> None:
    section = document("docs/sync-protocol.md").split("\n### Versions\n")[1].split("\n### ")[0]
    assert [int(n) for n in re.findall(r"^\| `(\d+)` \|", section, re.MULTILINE)] == sorted(DESCRIBED)


FIELD = {"type": "string", "maxLength": 5}


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"b": FIELD}, "x.a was removed"),
        ({"a": FIELD, "b": FIELD, "c": {"type": "string"}}, "x.c is required"),
        ({"a": {"type": "integer"}, "b": FIELD}, "x.a was"),
        ({"a": {"type": "string", "maxLength": 4}, "b": FIELD}, "x.a was"),
        ({"a": {**FIELD, "default": "z"}, "b": FIELD}, "x.a was"),
        (None, "x was removed"),
    ],
)
def test_a_broken_promise_is_found_and_says_what_to_do(fields: dict[str, Any] | None, finding: str) -> None:
    promised = Described({"x": {"a": FIELD, "b": FIELD}}, ["applied"])
    found = Described({"x": fields} if fields is not None else {}, ["applied", "new"])
    (said,) = broken_promises(promised, found)
    assert said.startswith(finding)
    assert NEW_VERSION in said


def test_adding_breaks_nothing_and_an_outcome_may_not_go() -> None:
    promised = Described({"x": {"a": FIELD}}, ["applied"])
    more = Described({"x": {"a": FIELD, "b": {**FIELD, "default": None}}, "y": {"a": FIELD}}, ["applied", "new"])
    assert broken_promises(promised, more) == []
    assert len(broken_promises(promised, Described(more.entities, []))) == 1


def test_a_field_that_was_renamed_without_a_way_back_is_found() -> None:
    """The comparison bites: version 0 without its turns."""
    assert untold(DESCRIBED_FROM_0, CHANGES) != []
