"""docs/scope.md names every bucket, entity and role, and says the same about rights as `sfa.core.access`."""

import re

from sfa.core import access
from sfa.core.entities import ENTITIES
from sfa.core.shapes import SHAPES
from tests.house.tree import document, python_files

WRITTEN = {
    "organisation": "organisations",
    "people": "users",
    "teams": "teams",
    "territories": "territories",
}


def section(heading: str) -> str:
    return document("docs/scope.md").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows_of(heading: str) -> list[tuple[str, str]]:
    """(first cell, the rest) of each row of the section's table, without its head."""
    rows = [line.strip("|").split("|", 1) for line in section(heading).splitlines() if line.startswith("|")]
    return [(first.strip(), rest.strip()) for first, rest in rows[2:]]


def test_every_entity_has_its_place() -> None:
    named = [name for first, _ in rows_of("Where each entity lies") for name in re.findall(r"`(\w+)`", first)]
    assert sorted(named) == sorted(ENTITIES)


def test_every_kind_of_bucket_is_in_the_table() -> None:
    """The kinds are words in the code: whatever a row or a user gets there must be explained."""
    source = python_files("sfa")["sfa/core/access.py"]
    made = set(re.findall(r'f"(\w+):\{', source)) | {"all", "cost:all", "unassigned"}
    assert all(f'"{name}"' in source for name in ("all", "cost:all", "unassigned"))
    stated = {first.strip("`").replace(":<key>", "") for first, _ in rows_of("Buckets")}
    assert stated == made


def test_every_role_is_listed_with_the_entities_that_it_may_write() -> None:
    """A row may say "the same": what the row before it says, and more."""
    before: set[str] = set()
    listed = dict(rows_of("Who may write what"))
    assert [role.strip("`") for role in listed] == list(access.ROLES)
    for role, text in listed.items():
        if text.startswith("everything"):
            before = set(ENTITIES) - access.SERVER_ONLY_ENTITIES - entities_in(text.partition(" but ")[2])
        else:
            inherited = before if text.startswith("the same") else set()
            before = inherited | entities_in(text)
        may = {entity for entity in ENTITIES if access.may_write(role.strip("`"), entity)}
        assert before == may, role


def entities_in(text: str) -> set[str]:
    found = {
        WRITTEN.get(word, word)
        for word in re.findall(
            r"[a-z]+(?: (?:costs|lines|contacts|periods|members|profiles|needs|plans|legs|policies|templates|rules"
            r"|reasons|recipients|calendars|entries|touches|agreements|assignments|charges|rates|limits|calls|floors))?",
            text,
        )
    }
    names = {name.replace(" ", "_") for name in found} & set(ENTITIES)
    if "their edges and memberships" in text:
        names |= {f"{kind}_{what}" for kind in ("team", "territory") for what in ("edges", "members")}
    return names


def test_every_field_that_is_not_free_is_named() -> None:
    text = section("Who may write what")
    kinds = (access.READ_ONLY, access.SET_ONCE, access.MANAGERS_SET)
    fields = {field for kind in kinds for names in kind.values() for field in names} | access.ALWAYS_READ_ONLY
    told = {"checked_in_at", "checked_out_at", "latitude", "longitude", "accuracy_m"}  # "times and place"
    assert [field for field in sorted(fields - told) if f"`{field}`" not in text] == []


def test_what_ages_is_told() -> None:
    text = document("docs/scope.md")
    assert [entity for entity in access.AGES_BY if f"{entity}" not in text] == []
    assert f"`history_days` ({SHAPES['organisations'].defaults['history_days']} unless" in text
