"""What a day on the road is made of: stops, places, hours, how far it is between them; and the route that comes out.

Values only. Instants are milliseconds since the epoch. A *place* may lack coordinates; a stop without any can only be
planned where a matrix is given.
"""

from typing import Annotated

from msgspec import Meta, Struct

from sfa.core.fields import INSTANT_MAX

STOPS_MAX = 40  # a rep sees 5 to 15 customers a day; the solver needs a tenth of a second for 40
WINDOWS_MAX = 5
LEG_SECONDS_MAX = 7 * 24 * 3600
LEG_METRES_MAX = 10_000_000

Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\-]{1,64}\Z")]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
At = Annotated[int, Meta(ge=0, le=INSTANT_MAX)]
Seconds = Annotated[int, Meta(ge=0, le=LEG_SECONDS_MAX)]
Metres = Annotated[int, Meta(ge=0, le=LEG_METRES_MAX)]


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """A visit may begin from `from_at` to `to_at`, both included."""

    from_at: At
    to_at: At


class Stop(Struct, frozen=True, forbid_unknown_fields=True):
    """`fixed_at`: the visit begins then and at no other time; else within one of `windows`, or at any time where there
    are none. Where not all fits, the higher `priority` is kept."""

    key: Key
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    service_minutes: Annotated[int, Meta(ge=0, le=1440)] = 30
    windows: Annotated[list[Window], Meta(max_length=WINDOWS_MAX)] = []
    fixed_at: At | None = None
    priority: Annotated[int, Meta(ge=0, le=100)] = 0

    def openings(self) -> list[Window]:
        """When it may begin, in order; none means at any time."""
        if self.fixed_at is not None:
            return [Window(self.fixed_at, self.fixed_at)]
        return sorted(self.windows, key=lambda w: (w.from_at, w.to_at))


class Hours(Struct, frozen=True, forbid_unknown_fields=True):
    """The day: nobody leaves before `from_at` or is under way after `to_at`. `start` and `end` are where it begins and
    ends, where that is somewhere else than at the first and last stop."""

    from_at: At
    to_at: At
    start: Place | None = None
    end: Place | None = None


class Matrix(Struct, frozen=True, forbid_unknown_fields=True):
    """Given travel: seconds, and metres if known, from each place to each other. Rows and columns are `start` if there
    is one, the stops in the order given, `end` if there is one."""

    seconds: list[list[Seconds]]
    metres: list[list[Metres]] | None = None


class Call(Struct, frozen=True):
    """One stop of a route. Who arrives early waits from `arrive_at` to `begin_at`. The way there is from the stop
    before, or from the start."""

    key: str
    arrive_at: int
    begin_at: int
    leave_at: int
    wait_minutes: int
    drive_seconds: int
    drive_metres: int


class LeftOut(Struct, frozen=True):
    """`reason` is `no_coordinates`, `outside_hours` (too far or too long even alone), `windows` (cannot be reached in
    time even alone) or `no_room` (fits alone, not beside the others)."""

    key: str
    reason: str
    text: str


class Route(Struct, frozen=True):
    """`minutes` and `metres` are the whole of it: driving, waiting and visits, the way home too. `order` says whose it
    is: `optimised`, or `given` where the order of the input was as good. Null instants: there is nothing to drive."""

    stops: list[Call]
    left_out: list[LeftOut]
    depart_at: int | None
    return_at: int | None
    minutes: int
    metres: int
    drive_minutes: int
    wait_minutes: int
    service_minutes: int
    order: str
