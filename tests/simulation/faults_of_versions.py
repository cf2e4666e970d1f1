"""Mistakes planted in how several contract versions are served, and in how an app is upgraded (S32)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sfa.db import digests
from sync import cursor
from sync.cursor import Cursor
from sync.versions import Versions
from tests.simulation.faults import fault
from tests.simulation.model_device import ModelDevice


@fault
def old_apps_are_told_everything() -> Sequence[tuple[Any, str, Any]]:
    return [(Versions, "projection", lambda _self, _contract: None)]


@fault
def a_cursor_is_accepted_across_versions() -> Sequence[tuple[Any, str, Any]]:
    real = cursor.why_not

    def why_not(found: Cursor, user: str, device: str, _contract: int, epoch: str) -> str | None:
        return real(found, user, device, found.contract, epoch)

    return [(cursor, "why_not", why_not)]


@fault
def the_digests_of_old_apps_count_what_they_are_not_told() -> Sequence[tuple[Any, str, Any]]:
    real = digests.read
    return [(digests, "read", lambda connection, buckets, _untold=(): real(connection, buckets))]


@fault
def the_words_of_old_apps_are_not_turned() -> Sequence[tuple[Any, str, Any]]:
    return [(Versions, "upward", lambda _self, mutation: mutation)]


@fault
def an_old_edit_erases_what_it_never_knew() -> Sequence[tuple[Any, str, Any]]:
    """The missing fields are filled in as empty, as if an edit were a whole form."""
    real = Versions.upward

    def upward(self: Versions, mutation: Any) -> Any:
        turned, unknown = real(self, mutation), {"accounts": "website", "contacts": "mobile"}.get(mutation.entity)
        if mutation.contract == 0 and mutation.kind == "update" and unknown is not None:
            return msgspec.structs.replace(turned, set={unknown: "", **turned.set})
        return turned

    return [(Versions, "upward", upward)]


@fault
def apps_below_the_minimum_still_get_pages() -> Sequence[tuple[Any, str, Any]]:
    return [(Versions, "has_pages", lambda _self, _contract: True)]


@fault
def the_model_device_rewrites_its_queue_when_it_is_upgraded() -> Sequence[tuple[Any, str, Any]]:
    def speak(self: ModelDevice, contract: int) -> None:
        self.contract = contract
        self.outbox = [{**mutation, "contract": contract} for mutation in self.outbox]

    return [(ModelDevice, "speak", speak)]
