"""What a refusal keeps of its mutation, in words of today (S19, S32).

The row keeps the words that were sent, of whatever contract version. Whoever lands them, or compares others with them,
reads them here: turned upward as a push would turn them now.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sync.protocol import Mutation
from sync.versions import Versions


def kept_content(refusal: Cell, versions: Versions, without: Collection[str] = ()) -> Mutation:
    """The refused mutation, without some fields, which may be named in the words that were sent or in those of today.
    Raises `Refused` where a value of the rest cannot be turned."""
    sent = _as_sent(refusal)
    if without:
        sent = msgspec.structs.replace(sent, set=_left(sent.set, without))
    turned = versions.upward(sent)
    return msgspec.structs.replace(turned, set=_left(turned.set, without)) if without else turned


def readable_content(refusal: Cell, versions: Versions) -> Mutation:
    """The same to look at only; the words that were sent, where they cannot be turned."""
    try:
        return kept_content(refusal, versions)
    except Refused:
        return _as_sent(refusal)


def _as_sent(refusal: Cell) -> Mutation:
    return msgspec.convert(refusal.row["mutation"], Mutation)


def _left(said: dict[str, Any], without: Collection[str]) -> dict[str, Any]:
    return {field: value for field, value in said.items() if field not in without}
