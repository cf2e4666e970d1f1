"""What a device says of its deals by itself: the rules of the server, on the rows that it holds."""

from sfa.core.criteria import Missing
from sfa.core.days import local_day
from sfa.core.deal_states import next_stage, unmet
from sfa.core.errors import Refused
from sfa.core.transitions import zone_in
from sync.device import view
from sync.device.client import Device


def lacking(device: Device, key: str) -> list[Missing]:
    """What an open deal lacks before it goes on to its next stage, or is won: what a move would be refused for."""
    with device.store.reading():
        row = view.row(device.store, "deals", key)
        if row is None:
            raise Refused("row_unknown", f"there is no deals row {key!r} on this device", entity="deals", key=key)
        if row["closed_at"] is not None:
            return []
        lookup, now = view.looking(device.store).on(key), device.clock.now_ms()
        return unmet(row, next_stage(row, local_day(now, zone_in(lookup)), lookup), now, lookup)
