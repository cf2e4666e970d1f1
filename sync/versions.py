"""Contract versions (S32): which are served, what each of them knows, and what is said to an app that is too old.

`sync/contracts/v<N>.json` is the committed description of a version: its entities with the JSON Schema of every field,
and the outcomes of receipts. Within a version things are only added: a house test holds the newest description to the
code, and the older ones, which never change again, to what can still be told. The feed keeps documents of the newest
version only; what an older one is told is made when it is read (`sync.projection`). A `Change` says how to go back one
version where leaving out what is new does not do: where a field was renamed, retyped or removed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core.errors import Refused
from sync.projection import Projection, Turn
from sync.protocol import CONTRACT_MAX, CONTRACT_MIN, CONTRACT_PUSH_MIN, KINDS, Mutation, PushAnswer

FOLDER = Path(__file__).parent / "contracts"


class Described(Struct, frozen=True):
    """What a version knows: entity -> field -> JSON Schema, and the outcomes of receipts."""

    entities: dict[str, dict[str, Any]]
    outcomes: list[str]


class Change(Struct, frozen=True):
    """What a version says otherwise than the one before it. `down`: entity -> a row of this version as the version
    before says it; `up`: entity -> the `set` of a create or update of the version before as this one says it, which
    may be a part of a row and never grows by fields that were not said; `outcomes`: what the version before is told in
    place of an outcome that it does not know."""

    down: Mapping[str, Turn] = {}
    up: Mapping[str, Turn] = {}
    outcomes: Mapping[str, str] = {}


def read_description(version: int) -> Described:
    return msgspec.json.decode((FOLDER / f"v{version}.json").read_bytes(), type=Described)


# 2 added entities, fields and an outcome: to an app of version 1 what waits for a decision is refused for now.
CHANGES: dict[int, Change] = {2: Change(outcomes={"handed_over": "refused"})}


class Versions:
    """What one server process serves: pages for `minimum` to the newest version, pushes from `push_minimum` on."""

    def __init__(
        self,
        described: Mapping[int, Described],
        changes: Mapping[int, Change],
        minimum: int = CONTRACT_MIN,
        push_minimum: int = CONTRACT_PUSH_MIN,
    ) -> None:
        self.maximum = max(described)
        self.minimum, self.push_minimum = minimum, min(push_minimum, minimum)
        self._changes = changes
        self._turning = any(change.up for change in changes.values())
        newest = described[self.maximum]
        self._projections = {
            version: Projection(known.entities, newest.entities, self._downwards(version))
            for version, known in described.items()
            if version < self.maximum
        }

    def _downwards(self, version: int) -> list[Mapping[str, Turn]]:
        """The newest first."""
        return [self._changes[v].down for v in range(self.maximum, version, -1) if v in self._changes]

    def serving_from(self, minimum: int) -> "Versions":
        """The same for a server whose operator no longer serves what is older than `minimum`."""
        if not self.push_minimum <= minimum <= self.maximum:
            raise Refused("setting_invalid", f"versions {self.push_minimum} to {self.maximum} can be the oldest served")
        other = Versions.__new__(Versions)
        other.__dict__.update(self.__dict__)
        other.minimum = minimum
        return other

    def refusal(self, contract: int, *, pushing: bool) -> Refused | None:
        """Why a request of this version is refused as a whole; None where it is served, or at least its push is."""
        if contract > self.maximum:
            code = "device_ahead"
        elif contract < self.push_minimum or (contract < self.minimum and not pushing):
            code = "contract_unsupported"
        else:
            return None
        return Refused(code, minimum=self.minimum, maximum=self.maximum, push_minimum=self.push_minimum)

    def has_pages(self, contract: int) -> bool:
        return contract >= self.minimum

    def projection(self, contract: int) -> Projection | None:
        """What a page of this version goes through; None where it is told what the feed keeps, byte by byte."""
        found = self._projections.get(contract)
        return found if found is not None and not found.is_identity else None

    def upward(self, mutation: Mutation) -> Mutation:
        """The mutation in words of the newest version. Raises `Refused` where a value cannot be turned."""
        if not self._turning or mutation.kind not in KINDS:
            return mutation
        said = mutation.set
        for version in range(mutation.contract + 1, self.maximum + 1):
            turn = self._changes[version].up.get(mutation.entity) if version in self._changes else None
            said = turn(dict(said)) if turn is not None else said
        return mutation if said is mutation.set else msgspec.structs.replace(mutation, set=said)

    def told(self, contract: int, answer: PushAnswer) -> PushAnswer:
        """The answer to a push with the outcomes that this version knows."""
        words: Callable[[str], str] | None = None
        for version in range(self.maximum, contract, -1):
            if version in self._changes and self._changes[version].outcomes:
                words = _then(words, self._changes[version].outcomes)
        if words is None:
            return answer
        receipts = [msgspec.structs.replace(r, outcome=words(r.outcome)) for r in answer.receipts]
        return msgspec.structs.replace(answer, receipts=receipts)


def _then(first: Callable[[str], str] | None, table: Mapping[str, str]) -> Callable[[str], str]:
    return lambda word: table.get(found := first(word) if first is not None else word, found)


DESCRIBED = {version: read_description(version) for version in range(CONTRACT_PUSH_MIN, CONTRACT_MAX + 1)}
VERSIONS = Versions(DESCRIBED, CHANGES)
