"""Nobody holds more than the scope (promise 4), and no key is told to a user who was never allowed to see it (S13)."""

import msgspec

from tests.simulation.failure import Failed
from tests.simulation.phones import Phone
from tests.simulation.snapshot import Place, Snapshot


def check_phone(phone: Phone, snapshot: Snapshot) -> None:
    """After a completed sync."""
    too_much = sorted(phone.rows().keys() - phone.should(snapshot).keys())
    if too_much:
        raise Failed("in_scope", f"{phone.key} holds {too_much[:3]}, which {phone.user} may not see")


def check_answer(device: str, answer: bytes, allowed: set[Place]) -> None:
    """`allowed` are the rows that the user could see at some commit until now."""
    for line in answer.splitlines():
        page = msgspec.json.decode(line).get("page")
        for changes in page["changes"] if page else ():
            for item in changes["items"]:
                if (item["entity"], item["key"]) not in allowed:
                    raise Failed(
                        "in_scope", f"{device} is told of {item}, in {changes['bucket']}, which it never could see"
                    )
