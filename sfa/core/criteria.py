"""What a deal must have before it leaves a stage: the form of `Stage.exit_criteria`, and what a deal still lacks.

A criterion is `{kind: "field", field}` (the field says something), `{kind: "lines", at_least}` (products are on the
deal) or `{kind: "role", role, at_least}` (so many different people have that part in the decision). `at_least` is 1
where it is left out. Pure; the same on a phone and on the server. Decides no order of stages: `deal_states` says whose
criteria count.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sfa.core.transitions import Values

FIELDS: dict[str, str] = {
    "amount": "amount_minor",
    "close_on": "close_on",
    "account_key": "account_key",
    "contact_key": "contact_key",
    "next_step": "next_step",
    "category": "category",
}
ROLES = (
    *("decision_maker", "economic_buyer", "champion", "influencer", "user", "technical", "legal", "blocker"),
    "other",
)
AT_LEAST_MAX = 50
_FORMS: dict[str, tuple[frozenset[str], frozenset[str]]] = {  # kind -> (needs, may have)
    "field": (frozenset({"kind", "field"}), frozenset()),
    "lines": (frozenset({"kind"}), frozenset({"at_least"})),
    "role": (frozenset({"kind", "role"}), frozenset({"at_least"})),
}


class Missing(Struct, frozen=True, omit_defaults=True):
    """One unmet criterion of a stage: what it asks, how many are there, and both in words."""

    stage_key: str
    kind: str
    text: str
    field: str | None = None
    role: str | None = None
    at_least: int = 1
    has: int = 0


def wrong_criteria(criteria: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong with the criteria of a stage, in words; None where they can be read."""
    seen: list[tuple[Any, ...]] = []
    for criterion in criteria:
        kind = criterion.get("kind")
        if not isinstance(kind, str) or kind not in _FORMS:
            return f"a criterion has a `kind`: {', '.join(_FORMS)}"
        needs, may = _FORMS[kind]
        if not needs <= criterion.keys() <= needs | may:
            return f"a criterion of kind {kind} is {{{', '.join(sorted(needs | may))}}}"
        if kind == "field" and criterion["field"] not in list(FIELDS):
            return f"a criterion asks for one of the fields {', '.join(FIELDS)}"
        if kind == "role" and criterion["role"] not in ROLES:
            return f"a criterion asks for one of the roles {', '.join(ROLES)}"
        least = criterion.get("at_least", 1)
        if type(least) is not int or not 1 <= least <= AT_LEAST_MAX:
            return f"`at_least` is a whole number from 1 to {AT_LEAST_MAX}"
        same = (kind, criterion.get("field"), criterion.get("role"))
        if same in seen:
            return "a stage asks for the same thing twice"
        seen.append(same)
    return None


def needs_rows(criteria: Iterable[Mapping[str, Any]]) -> set[str]:
    """The entities below a deal of which its rows must be known."""
    places = {"lines": "deal_lines", "role": "deal_contacts"}
    return {places[criterion["kind"]] for criterion in criteria if criterion["kind"] in places}


def missing(
    stage_key: str,
    criteria: Iterable[Mapping[str, Any]],
    deal: Values,
    lines: Sequence[Values],
    contacts: Sequence[Values],
) -> list[Missing]:
    """The criteria that a deal with these lines and buying roles does not meet, in the order of the stage."""
    found: list[Missing] = []
    for criterion in criteria:
        least = int(criterion.get("at_least", 1))
        match criterion["kind"]:
            case "field":
                name = criterion["field"]
                if not _says(deal.get(FIELDS[name])):
                    found.append(Missing(stage_key, "field", f"{name} is not set", field=name))
            case "lines":
                if len(lines) < least:
                    text = f"{len(lines)} of {least} lines with a product"
                    found.append(Missing(stage_key, "lines", text, at_least=least, has=len(lines)))
            case "role":
                role = criterion["role"]
                people = {contact["contact_key"] for contact in contacts if contact["role"] == role}
                if len(people) < least:
                    text = f"{len(people)} of {least} people with the role {role}"
                    found.append(Missing(stage_key, "role", text, role=role, at_least=least, has=len(people)))
    return found


def _says(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None
