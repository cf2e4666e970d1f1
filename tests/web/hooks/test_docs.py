"""What docs/webhooks.md promises receivers is so."""

import re
from typing import Any

from sfa.db.outgoing import KINDS
from sfa.web.hooks import signing
from sfa.web.hooks.deliveries import STATES
from sfa.web.hooks.endpoints import ENDPOINTS_MAX
from tests.house.tree import ROOT

TEXT = (ROOT / "docs/webhooks.md").read_text("utf-8")


def test_the_example_takes_what_is_signed_here_and_nothing_else() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    made: dict[str, Any] = {}
    exec(example, made)
    old, new, body, now_s = signing.new_secret(), signing.new_secret(), b'{"type":"deal.won"}', 1_767_600_000
    headers = signing.headers("won-1", body, now_s * 1_000, [new, old])
    genuine = made["is_genuine"]
    assert genuine(new, headers, body, now_s)
    assert genuine(old, headers, body, now_s + 300)
    assert not genuine(new, headers, body, now_s + 301)
    assert not genuine(new, headers, body + b" ", now_s)
    assert not genuine(signing.new_secret(), headers, body, now_s)
    assert not genuine(new, {**headers, "webhook-id": "won-2"}, body, now_s)


def test_every_kind_of_event_and_every_state_is_told() -> None:
    assert set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", TEXT, re.MULTILINE)) == KINDS
    assert all(f"`{state}`" in TEXT for state in STATES)
    assert f"| endpoints of a company | {ENDPOINTS_MAX} |" in TEXT
