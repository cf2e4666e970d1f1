"""Golden exchanges of every contract version: real requests, played against the real engine, and the answers they must
get. `golden/v1/` stays as it is for as long as version 1 is served, whatever the newest version says (S32).

A file holds steps in order; a step without answer only prepares the next one. In an answer, `<cursor>`, `<epoch>`,
`<seq>` and `<text>` stand for what differs from run to run or is for people; in a request, `<cursor>` is the one that
the same user got last. A row may gain members within a contract version, so only the members that a golden row names
are compared; everything else must be equal, and no item may have what its version does not know. `minimum` is the
oldest version of which the server of that file serves pages; `problem` is the body of a refusal.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sfa.core.errors import Refused
from sfa.web.errors import problem_body
from sync.protocol import CONTRACT_MAX, Mutation, SyncAnswer, SyncRequest
from sync.versions import DESCRIBED, VERSIONS
from tests.house.tree import document
from tests.office import Office

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.json"))
NEWEST = f"v{CONTRACT_MAX}"
KINDS: dict[str, Callable[[Any], bool]] = {
    "<cursor>": lambda value: isinstance(value, str) and len(value) > 20,
    "<epoch>": lambda value: isinstance(value, str) and len(value) == 32,
    "<seq>": lambda value: type(value) is int and value > 0,
    "<text>": lambda value: isinstance(value, str) and value != "",
}


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def differences(wanted: Any, found: Any, place: str = "answer") -> list[str]:
    """Where an answer is not what the golden one says."""
    if isinstance(wanted, str) and wanted in KINDS:
        return [] if KINDS[wanted](found) else [f"{place}: {found!r} is no {wanted}"]
    if isinstance(wanted, dict) and isinstance(found, dict):
        more = [] if place.endswith(".row") else sorted(found.keys() - wanted.keys())
        parts = [f"{place}.{name} was not expected" for name in more]
        for name, value in wanted.items():
            parts += differences(value, found.get(name, "(absent)"), f"{place}.{name}")
        return parts
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            part
            for i, (w, f) in enumerate(zip(wanted, found, strict=True))
            for part in differences(w, f, f"{place}[{i}]")
        ]
    return [] if wanted == found else [f"{place}: {found!r} instead of {wanted!r}"]


def play(office: Office, name: str) -> list[Any]:
    """Every step's answer, or the body with which it was refused as a whole."""
    answers: list[Any] = []
    cursors: dict[str, str] = {}
    office.round.versions = VERSIONS.serving_from(golden(name).get("minimum", VERSIONS.minimum))
    for step in golden(name)["steps"]:
        user = step["user"]
        request = {**step["request"]}
        if request.get("cursor") == "<cursor>":
            request["cursor"] = cursors[user]
        try:
            answer = json.loads(office.phone(user).answer(json.dumps(request).encode()))
        except Refused as refused:
            answers.append(json.loads(problem_body(refused)))
            continue
        if "page" in answer:
            cursors[user] = answer["page"]["cursor"]
        answers.append(answer)
    return answers


@pytest.mark.parametrize("name", FILES)
def test_a_golden_exchange_is_answered_as_it_is_written(office: Office, name: str) -> None:
    steps = golden(name)["steps"]
    for number, (step, answer) in enumerate(zip(steps, play(office, name), strict=True), start=1):
        if "refused" in step:
            assert answer["code"] == step["refused"], f"step {number}"
        wanted = step.get("answer", step.get("problem"))
        if wanted is not None:
            assert differences(wanted, answer) == [], f"step {number}"
        assert unknown_to(step["request"].get("contract", 1), answer) == [], f"step {number}"


def unknown_to(contract: int, answer: Any) -> list[str]:
    """What an answer's items say that their version does not know."""
    items = [item for changes in answer.get("page", {}).get("changes", ()) for item in changes["items"]]
    known = DESCRIBED[contract].entities if items else {}
    return [
        f"{item['entity']} {item['key']}: {name}"
        for item in items
        for name in item.get("row", {"gone": True})
        if item["entity"] not in known or (name != "gone" and name not in known[item["entity"]])
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_golden_message_is_of_the_documented_types(name: str) -> None:
    for step in golden(name)["steps"]:
        msgspec.json.decode(json.dumps(step["request"]), type=SyncRequest)
        for mutation in step["request"].get("mutations", ()):
            if "key" in mutation:
                assert msgspec.convert(mutation, Mutation).n == mutation["n"]
        if "answer" in step:
            answer = json.loads(json.dumps(step["answer"]).replace('"<seq>"', "1"))
            assert msgspec.convert(answer, SyncAnswer).contract == step["request"].get("contract", 1)


def test_every_version_that_is_served_has_its_golden_exchanges() -> None:
    assert {name.partition("/")[0] for name in FILES} >= {f"v{version}" for version in DESCRIBED}
    told = {name: golden(name)["contract"] for name in FILES}
    assert [name for name, contract in told.items() if not name.startswith(f"v{contract}/")] == []


def test_every_example_in_the_document_is_a_golden_exchange() -> None:
    shown = _examples(document("docs/sync-protocol.md"))
    assert len(shown) >= 5
    for name, blocks in shown.items():
        steps = golden(f"{NEWEST}/{name}")["steps"]
        told = [part for step in steps for part in (step["request"], step.get("answer"))]
        assert [block for block in blocks if block not in told] == [], name


def _examples(text: str) -> dict[str, list[Any]]:
    """golden file -> the JSON blocks below its heading."""
    found: dict[str, list[Any]] = {}
    for section in text.split("\n### Example: ")[1:]:
        name = section.split("`")[1]
        body = section.split("\n## ")[0]
        found[name] = [json.loads(block.split("```")[0]) for block in body.split("```json\n")[1:]]
    return found


def test_a_difference_is_found_wherever_it_is() -> None:
    """The comparison bites."""
    wanted = {"seq": "<seq>", "items": [{"row": {"a": 1}}]}
    assert differences(wanted, {"seq": 5, "items": [{"row": {"a": 1, "new": 2}}]}) == []
    assert len(differences(wanted, {"seq": 0, "items": [{"row": {"a": 1}}]})) == 1
    assert len(differences(wanted, {"seq": 5, "items": [{"row": {"a": 2}}]})) == 1
    assert len(differences(wanted, {"seq": 5, "items": [{"row": {"a": 1}, "gone": True}]})) == 1
    assert len(differences(wanted, {"seq": 5, "items": []})) == 1
