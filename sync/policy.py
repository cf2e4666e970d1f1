"""Which strategy settles two edits of one meaning, as data (S24).

`latest`: the later corrected time wins, the other value is kept as a closed, restorable conflict. `server`: what stands
stays. `ask`: what stands stays and an open conflict asks a person. `union`: elements added and removed on both sides.
`greatest`: the larger value. `text`: both sides' words. Fields not named use `latest`.
"""

DEFAULT = "latest"

STRATEGIES: dict[tuple[str, str], str] = {
    ("accounts", "tags"): "union",
    ("accounts", "territory_key"): "ask",
    ("accounts", "parent_key"): "ask",
    ("contacts", "account_key"): "ask",
    ("visits", "state"): "ask",
    ("visits", "participants"): "union",
    ("visit_plans", "exceptions"): "union",
    ("visit_plans", "participants"): "union",
    ("notes", "body"): "text",
    ("deals", "stage"): "ask",
    ("deals", "signed_at"): "ask",
    ("deals", "invoiced_at"): "ask",
    ("deals", "amount"): "ask",
    ("deals", "splits"): "ask",
    ("deals", "overlays"): "ask",
    ("deals", "owner_key"): "ask",
    ("quotas", "target"): "ask",
    ("prices", "amount"): "ask",
    ("unit_costs", "amount"): "ask",
}


def strategy_of(entity: str, group: str) -> str:
    return STRATEGIES.get((entity, group), DEFAULT)
