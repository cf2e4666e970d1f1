"""docs/data-model.md shows the entities as they are."""

from sfa.core.entities import ENTITIES
from sfa.core.shapes import GROUPS, SHAPES
from sfa.db.tables import METADATA, ROWS
from tests.house import entity_table
from tests.house.tree import document


def test_the_tables_of_entities_are_current() -> None:
    text = document(entity_table.PLACE)
    assert entity_table.current(text) == text, "run: .venv/bin/python -m tests.house.entity_table"


def test_every_field_of_every_entity_is_rendered() -> None:
    shown = entity_table.render()
    for entity in ENTITIES:
        section = shown.split(f"### `{entity}`\n")[1].split("\n### ")[0]
        for field in SHAPES[entity].types.keys() - entity_table.EVERY:
            assert f"| `{field}` |" in section, (entity, field)
        for group in GROUPS.get(entity, ()):
            assert group in section, (entity, group)


def test_every_table_that_is_no_entity_is_named() -> None:
    text = document(entity_table.PLACE)
    assert [name for name in METADATA.tables if name not in ROWS and f"`{name}`" not in text] == []
