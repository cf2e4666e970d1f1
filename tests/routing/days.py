"""Days on the road for properties, and a judge of routes that shares no code with the product."""

from hypothesis import strategies as st

from sfa.routing.stops import Hours, Matrix, Place, Route, Stop, Window

T0 = 1_767_600_000_000
HOUR_MS = 3_600_000
Day = tuple[list[Stop], Hours, Matrix]


@st.composite
def days(draw: st.DrawFn, most: int = 7) -> Day:
    """Stops with windows, fixed times, priorities and any matrix of whole seconds; some days are too short."""
    count = draw(st.integers(0, most))
    length = draw(st.integers(1, 12)) * HOUR_MS
    at = st.integers(-HOUR_MS, length + HOUR_MS).map(lambda ms: T0 + ms)
    window = st.tuples(at, st.integers(0, 4 * HOUR_MS)).map(lambda w: Window(w[0], w[0] + w[1]))
    stops = [
        Stop(
            key=f"s{i}",
            service_minutes=draw(st.integers(0, 90)),
            windows=draw(st.lists(window, max_size=3)),
            fixed_at=draw(st.one_of(st.none(), st.none(), at)),
            priority=draw(st.integers(0, 3)),
        )
        for i in range(count)
    ]
    start, end = (draw(st.one_of(st.none(), st.just(Place(0, 0)))) for _ in range(2))
    size = count + (start is not None) + (end is not None)
    rows = st.lists(st.lists(st.integers(0, 5000), min_size=size, max_size=size), min_size=size, max_size=size)
    return stops, Hours(T0, T0 + length, start, end), Matrix(draw(rows), draw(rows))


def faults(day: Day, found: Route) -> list[str]:
    """What is wrong with a route, recounted from the input alone."""
    stops, hours, matrix = day
    by_key = {stop.key: (place, stop) for place, stop in enumerate(stops, start=hours.start is not None)}
    wrong = []
    keys = [call.key for call in found.stops] + [left.key for left in found.left_out]
    if sorted(keys) != sorted(by_key):
        wrong.append("each stop is on the route or left out, once")
    here = 0 if hours.start is not None else None
    now = found.depart_at if found.depart_at is not None else hours.from_at
    metres = 0
    if now < hours.from_at:
        wrong.append("leaves before the hours")
    for call in found.stops:
        place, stop = by_key[call.key]
        now += 0 if here is None else 1000 * matrix.seconds[here][place]
        metres += 0 if here is None else (matrix.metres or [])[here][place]
        if (
            call.arrive_at != now
            or call.begin_at < now
            or call.leave_at != call.begin_at + stop.service_minutes * 60_000
        ):
            wrong.append(f"{call.key} is not when its parts say")
        if stop.fixed_at is not None and call.begin_at != stop.fixed_at:
            wrong.append(f"{call.key} is not at its fixed time")
        windows = stop.windows if stop.fixed_at is None else []
        if windows and not any(w.from_at <= call.begin_at <= w.to_at for w in windows):
            wrong.append(f"{call.key} begins outside its windows")
        now, here = call.leave_at, place
    if hours.end is not None and here is not None and found.stops:
        now += 1000 * matrix.seconds[here][-1]
        metres += (matrix.metres or [])[here][-1]
    if found.stops and (now != found.return_at or now > hours.to_at):
        wrong.append("comes home too late, or at another time than it says")
    if found.stops and (found.metres != metres or found.minutes != -(-(now - (found.depart_at or 0)) // 60_000)):
        wrong.append("the totals are not the sum")
    return wrong


def length_in_given_order(day: Day) -> int | None:
    """Milliseconds from leaving to coming home with everybody served in the order given, or None. Home as early as can
    be, and of the departures (a minute apart) that do not make that later the latest."""
    stops, hours, matrix = day
    if not stops:
        return 0
    first = int(hours.start is not None)

    def home(depart: int) -> int | None:
        now, here = depart, 0 if hours.start is not None else None
        for place, stop in enumerate(stops, start=first):
            now += 0 if here is None else 1000 * matrix.seconds[here][place]
            windows = [Window(stop.fixed_at, stop.fixed_at)] if stop.fixed_at is not None else stop.windows
            begins = [max(now, -(-(w.from_at - T0) // 1000) * 1000 + T0) for w in windows if w.to_at >= now]
            begins = [b for b in begins if any(w.from_at <= b <= w.to_at for w in windows)]
            if windows and not begins:
                return None
            now = (min(begins) if begins else now) + stop.service_minutes * 60_000
            here = place
        now += 1000 * matrix.seconds[here or 0][-1] if hours.end is not None else 0
        return now if now <= hours.to_at else None

    early = home(hours.from_at)
    if early is None:
        return None
    return min(early - at for at in range(hours.from_at, early + 1, 60_000) if home(at) == early)
