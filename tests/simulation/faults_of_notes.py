"""Mistakes planted in how texts of notes merge (S25)."""

from collections.abc import Sequence
from typing import Any

from sync.notes import Document
from tests.simulation.faults import fault


@fault
def own_updates_are_not_replayed() -> Sequence[tuple[Any, str, Any]]:
    real = Document._fork
    return [(Document, "_fork", lambda self, base, _device: real(self, base, ""))]


@fault
def the_base_of_a_text_is_ignored() -> Sequence[tuple[Any, str, Any]]:
    real = Document._fork
    return [(Document, "_fork", lambda self, _base, device: real(self, self.rev, device))]
