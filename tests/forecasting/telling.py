"""What a screen is told of a forecast, shortened for tests."""

from typing import Any

from tests.crm.desk import Desk


def rollup(desk: Desk, as_: str = "root", **asked: Any) -> dict[str, Any]:
    answer = desk.ask(as_, "GET", "/api/forecast/rollup", params={"period": "q1", **asked})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def nodes(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["node"]: node for node in found["nodes"]}


def commits(desk: Desk, as_: str = "root", **asked: Any) -> dict[str, int]:
    """node -> what is rolled up of closed and commit."""
    return {name: node["views"]["commit"]["rolled_up"] for name, node in nodes(rollup(desk, as_, **asked)).items()}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


Row = tuple[str, str, dict[str, Any]]


def deal(key: str, owner: str, amount: int | None, close_on: str | None, **more: Any) -> Row:
    """A row of a deal in the stage lead, commit unless it says otherwise."""
    said = {"name": key, "owner_key": owner, "stage_key": "lead", "amount_minor": amount, "category": "commit"}
    return "deals", key, {**said, "currency": None if amount is None else "EUR", "close_on": close_on, **more}
