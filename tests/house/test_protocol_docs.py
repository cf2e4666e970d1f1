"""docs/sync-protocol.md says what the code does: rules, limits, kinds, commands, outcomes, reasons and strategies."""

import re

import msgspec

from sfa.app.commands import COMMANDS
from sfa.core.access import AGES_BY
from sfa.core.rules import TRANSITIONS
from sync import cursor, numbers, policy, protocol, pull
from tests.house.tree import document, python_files

ROW = re.compile(r"^\| *`([^`]+)` *\| *([^|]*?) *\|", re.MULTILINE)
RULES = range(1, 38)
NEXT_STAGE = {36}


def text() -> str:
    return document("docs/sync-protocol.md")


def table_below(heading: str) -> dict[str, str]:
    """First cell -> second cell of the tables between a heading and the next one."""
    body = re.split(r"\n#+ ", text().split(f"# {heading}\n", 1)[1], maxsplit=1)[0]
    return dict(ROW.findall(body))


def test_every_rule_is_there_once_and_in_order() -> None:
    assert [int(n) for n in re.findall(r"^\*\*S(\d+)\.", text(), re.MULTILINE)] == list(RULES)


def test_the_rules_of_the_next_stage_say_so() -> None:
    marked = {int(n) for n in re.findall(r"^\*\*S(\d+)\. Next stage\.\*\*", text(), re.MULTILINE)}
    assert marked == NEXT_STAGE


def test_the_table_of_limits_equals_the_constants() -> None:
    stated = {name: int(value) for name, value in table_below("Limits").items()}
    assert stated == {n: v for n, v in vars(protocol).items() if n.isupper() and isinstance(v, int)}


def test_every_kind_and_command_is_in_the_table_with_its_entity() -> None:
    stated = table_below("Kinds and commands")
    commands = {name: rule.entity for name, rule in TRANSITIONS.items()}
    commands |= {name: command.entity for name, command in COMMANDS.items()}
    assert stated.keys() == commands.keys() | set(protocol.KINDS)
    assert {name: stated[name].strip("`") for name in commands} == commands


def test_every_argument_of_a_transition_is_named() -> None:
    body = text().split("### Kinds and commands", 1)[1].split("\n### ", 1)[0]
    rows = {m.group(1): m.group(0) for m in re.finditer(r"^\| `([a-z_.]+)`.*$", body, re.MULTILINE)}
    missing = [
        (name, field.name)
        for name, rule in TRANSITIONS.items()
        for field in msgspec.structs.fields(rule.args)
        if f"`{field.name}`" not in rows[name]
    ]
    assert missing == []


def test_every_member_of_a_message_is_named() -> None:
    for heading, message in (("The request", protocol.SyncRequest), ("A mutation", protocol.Mutation)):
        assert table_below(heading).keys() == set(message.__struct_fields__), heading
    assert table_below("The page").keys() >= set(protocol.Page.__struct_fields__) - {"reset"}
    answer = text().split("### The answer", 1)[1].split("\n### ", 1)[0]
    told = (*protocol.SyncAnswer.__struct_fields__, *protocol.PushAnswer.__struct_fields__)
    told += tuple(name for name in protocol.Receipt.__struct_fields__ if name != "digest")  # stays on the server
    assert [name for name in told if f"`{name}`" not in answer] == []


def test_every_outcome_of_a_receipt_is_explained() -> None:
    assert set(protocol.RECEIPT_OUTCOMES) <= table_below("The answer").keys()


def test_every_reason_of_a_reset_and_of_a_stop_is_explained() -> None:
    """The reasons are words in the code: whatever is answered there is looked for here."""
    sources = python_files("sync")
    said = set(re.findall(r'fresh, "(\w+)"|reason = "(\w+)"', sources[_path(pull)]))
    resets = {a or b for a, b in said} | set(re.findall(r'return "(\w+)"', sources[_path(cursor)]))
    assert len(resets) == 6
    assert resets <= table_below("The page").keys()
    stops = set(re.findall(r'return taken, [^"\n]*"(\w+)"', sources[_path(numbers)]))
    stops |= set(re.findall(r'Walk\(seen, reused, \[\], "(\w+)"', sources[_path(numbers)]))
    assert len(stops) == 3
    assert stops <= table_below("The answer").keys()


def test_every_strategy_that_is_used_is_explained() -> None:
    explained = set(ROW.findall(text()))
    assert {*policy.STRATEGIES.values(), policy.DEFAULT} <= {name for name, _ in explained}


def test_what_ages_is_named() -> None:
    assert [entity for entity in AGES_BY if entity not in text()] == []


def _path(module: object) -> str:
    return str(getattr(module, "__name__", "")).replace(".", "/") + ".py"
